"""Step Functions' integrations with SageMaker: the optimized ones with `.sync`, and the AWS SDK's."""

from __future__ import annotations

import contextvars
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from ministack.services import stepfunctions

from cdk_rehearsal.plug_in.aws_error import AwsError
from cdk_rehearsal.plug_in.json_service import service_model
from cdk_rehearsal.plug_in.sagemaker import SageMaker

_PREFIX = "arn:aws:states:::sagemaker:"
_POLL_SECONDS = 0.05
_OPERATIONS = (
    "createTrainingJob",
    "createModel",
    "createEndpointConfig",
    "createEndpoint",
    "updateEndpoint",
)
# What the AWS SDK for Java calls the errors that SageMaker's model names otherwise, or that it does not model at all.
_SDK_ERRORS = {
    "ValidationException": "SageMakerException",
    "ResourceInUse": "ResourceInUseException",
    "ResourceNotFound": "ResourceNotFoundException",
    "ResourceLimitExceeded": "ResourceLimitExceededException",
}

_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("execution", default=None)
_abandoned: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("abandoned", default=None)


def install(sagemaker: SageMaker) -> None:
    stepfunctions._SERVICE_DISPATCH[_PREFIX] = lambda resource, request: _optimized(sagemaker, resource, request)
    stepfunctions._AWS_SDK_SERVICE_MAP["sagemaker"] = {"target_prefix": "SageMaker", "protocol": "json"}
    stepfunctions._AWS_SDK_ERROR_PREFIX["sagemaker"] = "SageMaker"
    stepfunctions._AWS_SDK_ERROR_CODE_OVERRIDES["sagemaker"] = _SDK_ERRORS
    stepfunctions._execute_task = _knowing_the_execution(stepfunctions._execute_task)
    stepfunctions._invoke_resource_with_timeout = _telling_of_timeouts(stepfunctions._invoke_resource_with_timeout)


def _knowing_the_execution(execute_task: Callable[..., Any]) -> Callable[..., Any]:
    """A `.sync` task has to see that its execution was aborted; ministack does not tell its integrations."""

    def execute(state: Any, given: Any, execution: Any, context: Any) -> Any:
        token = _execution.set(execution)
        try:
            return execute_task(state, given, execution, context)
        finally:
            _execution.reset(token)

    return execute


def _telling_of_timeouts(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """A task that timed out is left running by ministack; a `.sync` one has to stop its job, as AWS does."""

    def invoke_with_timeout(resource: Any, request: Any, timeout: Any) -> Any:
        over = threading.Event()
        token = _abandoned.set(over)
        try:
            return invoke(resource, request, timeout)
        finally:
            over.set()
            _abandoned.reset(token)

    return invoke_with_timeout


def _optimized(sagemaker: SageMaker, resource: str, request: dict[str, Any]) -> dict[str, Any]:
    operation, _, pattern = resource.removeprefix(_PREFIX).partition(".")
    if operation not in _OPERATIONS or pattern not in ("", "sync") or (pattern and operation != "createTrainingJob"):
        raise stepfunctions._ExecutionError("States.Runtime", f"the embedded AWS has no integration {resource}")
    answer = _call(sagemaker, operation[0].upper() + operation[1:], request)
    return _wait_for_training(sagemaker, request["TrainingJobName"]) if pattern else answer


def _wait_for_training(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    named = {"TrainingJobName": name}
    execution, abandoned = _execution.get(), _abandoned.get()
    while True:
        job = _call(sagemaker, "DescribeTrainingJob", named)
        if job["TrainingJobStatus"] == "Completed":
            return job
        if job["TrainingJobStatus"] in ("Failed", "Stopped"):
            raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(job))
        aborted = execution is not None and execution["status"] != "RUNNING"
        if job["TrainingJobStatus"] == "InProgress" and (aborted or (abandoned is not None and abandoned.is_set())):
            _call(sagemaker, "StopTrainingJob", named)
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
        raise stepfunctions._ExecutionError(f"SageMaker.{name}", cause) from error
    shape = service_model("sagemaker").operation_model(action).output_shape
    return _in_milliseconds(answer, shape) if shape is not None else {}


def _in_milliseconds(value: Any, shape: Shape) -> Any:
    """Points in time as the optimized integration has them: milliseconds since 1970."""
    if shape.type_name == "timestamp":
        return int(value * 1000)
    if isinstance(shape, StructureShape):
        return {
            name: _in_milliseconds(item, shape.members[name]) for name, item in value.items() if name in shape.members
        }
    if isinstance(shape, ListShape):
        return [_in_milliseconds(item, shape.member) for item in value]
    if isinstance(shape, MapShape):
        return {name: _in_milliseconds(item, shape.value) for name, item in value.items()}
    return value
