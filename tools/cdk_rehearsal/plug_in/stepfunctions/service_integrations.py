"""Step Functions' integrations with SageMaker: the optimized ones with `.sync`, and the AWS SDK integrations."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.aws_error import AwsError
from cdk_rehearsal.plug_in.epoch_milliseconds import in_milliseconds
from cdk_rehearsal.plug_in.iam import Permissions, state_machine_role
from cdk_rehearsal.plug_in.json_service import service_model
from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions
from cdk_rehearsal.plug_in.sagemaker import SageMaker
from cdk_rehearsal.plug_in.stepfunctions import nested_executions, stop_execution
from cdk_rehearsal.plug_in.stepfunctions.injected_faults import Faults, machine_name
from cdk_rehearsal.plug_in.stepfunctions.running_task import RunningTask, running_task

_PREFIX = "arn:aws:states:::sagemaker:"
_POLL_SECONDS = 0.05
_OPERATIONS = (
    "createTrainingJob",
    "createTransformJob",
    "createProcessingJob",
    "createModel",
    "createEndpointConfig",
    "createEndpoint",
    "updateEndpoint",
)
_JOBS = {f"create{kind}": kind for kind in ("TrainingJob", "TransformJob", "ProcessingJob")}
# The AWS SDK for Java's names of errors that SageMaker's model names differently or lacks.
_SDK_ERRORS = {
    "ValidationException": "SageMakerException",
    "ResourceInUse": "ResourceInUseException",
    "ResourceNotFound": "ResourceNotFoundException",
    "ResourceLimitExceeded": "ResourceLimitExceededException",
}


def install(sagemaker: SageMaker, faults: Faults, *, permissions: Permissions) -> None:
    stepfunctions.optimized_integrations[_PREFIX] = lambda resource, request: _optimized(sagemaker, resource, request)
    stepfunctions.aws_sdk_services["sagemaker"] = {"target_prefix": "SageMaker", "protocol": "json"}
    stepfunctions.aws_sdk_error_prefixes["sagemaker"] = "SageMaker"
    stepfunctions.aws_sdk_error_codes["sagemaker"] = _SDK_ERRORS
    stepfunctions.aws_sdk_services["applicationautoscaling"] = {
        "target_prefix": "AnyScaleFrontendService",
        "protocol": "json",
        "service_key": "application-autoscaling",
    }
    stepfunctions.aws_sdk_error_prefixes["applicationautoscaling"] = "ApplicationAutoScaling"
    stepfunctions.aws_sdk_error_codes["sfn"] = {
        shape: f"{shape}Exception"
        for shape in service_model("stepfunctions").shape_names
        if not shape.endswith("Exception")
    }
    nested_executions.install()
    state_machine_role.install(permissions)  # inside faults: a call that a fault fails needs no permission
    faults.install()
    stop_execution.install()  # last: an ended execution has no more faults
    stepfunctions.execute_task = _knowing_the_execution(stepfunctions.execute_task)


def _knowing_the_execution(execute_task: Callable[..., Any]) -> Callable[..., Any]:
    def execute(state: Any, given: Any, execution: Any, context: Any) -> Any:
        task = RunningTask(
            execution=execution,
            machine=machine_name(execution),
            state=context["State"]["Name"],
            timed_out=threading.Event(),
        )
        token = running_task.set(task)
        try:
            return execute_task(state, given, execution, context)
        finally:
            running_task.reset(token)

    return execute


def _optimized(sagemaker: SageMaker, resource: str, request: dict[str, Any]) -> dict[str, Any]:
    operation, _, pattern = resource.removeprefix(_PREFIX).partition(".")
    if operation not in _OPERATIONS or pattern not in ("", "sync") or (pattern and operation not in _JOBS):
        raise stepfunctions.ExecutionError("States.Runtime", f"the embedded AWS has no integration {resource}")
    answer = _call(sagemaker, operation[0].upper() + operation[1:], request)
    return _wait_for_job(sagemaker, _JOBS[operation], request) if pattern else answer


def _wait_for_job(sagemaker: SageMaker, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """Waits and returns the completed job's description. Stops the job if the execution ends or the task times out."""
    named = {f"{kind}Name": request[f"{kind}Name"]}
    task = running_task.get()
    while True:
        job = _call(sagemaker, f"Describe{kind}", named)
        status = job[f"{kind}Status"]
        if status == "Completed":
            return job
        if status in ("Failed", "Stopped"):
            raise stepfunctions.ExecutionError("States.TaskFailed", json.dumps(job))
        if status == "InProgress" and task is not None and task.given_up:
            _call(sagemaker, f"Stop{kind}", named)
        time.sleep(_POLL_SECONDS)


def _call(sagemaker: SageMaker, action: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = sagemaker.call(action, request)
    except AwsError as error:
        known = _SDK_ERRORS.get(error.code, "SageMakerException")
        name = "AmazonSageMakerException" if known == "SageMakerException" else known
        cause = (
            f"{error.message} (Service: AmazonSageMaker; Status Code: {error.status}; Error Code: {error.code}; "
            f"Request ID: {uuid.uuid4()}; Proxy: null)"
        )
        raise stepfunctions.ExecutionError(f"SageMaker.{name}", cause) from error
    return in_milliseconds(answer, service="sagemaker", operation=action)
