"""Omits response members that AWS may omit.

Members that a service's model does not require are present most of the time, which hides programs that fail without
them. This omits members that may plausibly be missing by AWS's documentation or behaviour, but none that only repeats
the request.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from cdk_rehearsal.plug_in.json_service import Answer, JsonService, service_model
from cdk_rehearsal.plug_in.ministack_adapter import app

_Serve = Callable[..., Awaitable[Answer]]

# By shape and member: the reason why it may be missing.
_LEFT_OUT: Mapping[str, str] = {
    "DescribeEndpointOutput.LastDeploymentConfig": "an endpoint that no deployment with settings has changed",
    "ProductionVariantSummary.CurrentInstanceCount": "set once there are instances",
    "ProductionVariantSummary.CurrentWeight": "set once the variant takes requests",
    "ProductionVariantSummary.DeployedImages": "resolved once instances have pulled them",
    "DescribeTrainingJobResponse.BillableTimeInSeconds": "a job of which nothing is billed",
    "DescribeTrainingJobResponse.LastModifiedTime": "a job that nothing has changed",
    "DescribeTrainingJobResponse.SecondaryStatusTransitions": "a job without a history",
    "DescribeTrainingJobResponse.TrainingEndTime": "a job that was stopped before it began",
    "DescribeTrainingJobResponse.TrainingStartTime": "a job that was stopped before it began",
    "DescribeTrainingJobResponse.TrainingTimeInSeconds": "a job that was stopped before it began",
    "DescribeProcessingJobResponse.ExitMessage": "a program that wrote none",
    "DescribeProcessingJobResponse.LastModifiedTime": "a job that nothing has changed",
    "DescribeProcessingJobResponse.ProcessingEndTime": "a job that was stopped before it began",
    "DescribeProcessingJobResponse.ProcessingStartTime": "a job that was stopped before it began",
    "DescribeTransformJobResponse.TransformEndTime": "a job that was stopped before it began",
    "DescribeTransformJobResponse.TransformStartTime": "a job that was stopped before it began",
    "ProcessingJobSummary.LastModifiedTime": "a job that nothing has changed",
    "ProcessingJobSummary.ProcessingEndTime": "a job that was stopped before it began",
    "TrainingJobSummary.LastModifiedTime": "a job that nothing has changed",
    "TrainingJobSummary.TrainingEndTime": "a job that was stopped before it began",
    "TransformJobSummary.LastModifiedTime": "a job that nothing has changed",
    "TransformJobSummary.TransformEndTime": "a job that was stopped before it began",
    "RegisterScalableTargetResponse.ScalableTargetARN": "targets that are older than their ARNs",
    "ScalableTarget.PredictedCapacity": "targets without predictive scaling",
    "ScalableTarget.ScalableTargetARN": "targets that are older than their ARNs",
    "ScalableTarget.SuspendedState": "targets of which nothing was suspended",
    "DescribeExecutionOutput.inputDetails": "an input that is not included",
    "DescribeExecutionOutput.mapRunArn": "executions that no Map state has started",
    "DescribeExecutionOutput.name": "not required",
    "DescribeExecutionOutput.outputDetails": "an output that is not included",
    "DescribeExecutionOutput.redriveCount": "executions that cannot be redriven",
    "DescribeExecutionOutput.redriveStatus": "executions that cannot be redriven",
    "DescribeExecutionOutput.redriveStatusReason": "executions that cannot be redriven",
    "DescribeExecutionOutput.traceHeader": "executions that are not traced",
}
# By shape and member: the status member, and the statuses in which the member is missing.
_LEFT_OUT_WHILE: Mapping[str, tuple[str, Sequence[str]]] = {
    # Neither is required, and an endpoint that was never in service has none:
    # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
    "DescribeEndpointOutput.EndpointConfigName": ("EndpointStatus", ("Creating", "Failed", "Deleting")),
    "DescribeEndpointOutput.ProductionVariants": ("EndpointStatus", ("Creating", "Failed", "Deleting")),
}


def sparse(shape: Shape, answer: Any) -> Any:
    """A response, or a part of one, without the members that AWS may omit."""
    if isinstance(shape, StructureShape) and isinstance(answer, dict):
        return {
            name: sparse(shape.members[name], value) if name in shape.members else value
            for name, value in answer.items()
            if not _is_left_out(f"{shape.name}.{name}", answer)
        }
    if isinstance(shape, ListShape) and isinstance(answer, list):
        return [sparse(shape.member, item) for item in answer]
    return answer


def _is_left_out(member: str, answer: Mapping[str, Any]) -> bool:
    status, cases = _LEFT_OUT_WHILE.get(member, ("", ()))
    return member in _LEFT_OUT or answer.get(status) in cases


def install() -> None:
    """Call it before any service is created: their responses pass through this module."""
    JsonService.call = _sparse_call(JsonService.call)  # type: ignore[method-assign]
    app.service_handlers["states"] = _sparse_executions(app.service_handlers["states"])


def _sparse_call(call: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def answer(self: JsonService, action: str, request: dict[str, Any]) -> dict[str, Any]:
        shape = service_model(self.model_name).operation_model(action).output_shape
        answered = call(self, action, request)
        return answered if shape is None else dict(sparse(shape, answered))

    return answer


def _sparse_executions(serve: _Serve) -> _Serve:
    shape = service_model("stepfunctions").operation_model("DescribeExecution").output_shape
    assert shape is not None

    async def answer(
        method: str, path: str, headers: dict[str, str], body: bytes | str, query: dict[str, Any]
    ) -> Answer:
        status, given, text = await serve(method, path, headers, body, query)
        if status != 200 or not headers.get("x-amz-target", "").endswith(".DescribeExecution"):
            return status, given, text
        return status, given, json.dumps(sparse(shape, json.loads(text))).encode()

    return answer
