"""What is judged of every call that a test makes with boto3, in this process.

botocore checks members, types and minima of a request, not choices, patterns and maxima: AWS would refuse them. Of an
answer it hands out whatever comes: a program that reads a member which the model does not require may find nothing
there on AWS.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.request_validation import request_faults

PROJECT = Path(__file__).parents[1]
PROGRAMS = (PROJECT / "lambda", PROJECT / "container")

# Members that programs read as if they were required, and why they are there whatever the model says.
# A model that requires nothing of any answer (DynamoDB, CloudWatch, S3, SSM, …) tells nothing about what is there.
ALWAYS_GIVEN = {
    "application-autoscaling:DescribeScalingPolicies.ScalingPolicies": "the list that was asked for",
    "cloudformation:DescribeStackEvents.StackEvents": "the list that was asked for",
    "cloudformation:DescribeStacks.Stacks": "one stack was asked for by its name; that there is none is an error",
    "cloudwatch:DescribeAlarms.CompositeAlarms[].AlarmName": "what an alarm is known by",
    "cloudwatch:DescribeAlarms.CompositeAlarms[].AlarmRule": "what a composite alarm is",
    "cloudwatch:DescribeAlarms.CompositeAlarms[].StateValue": "every alarm is in one of three states",
    "cloudwatch:DescribeAlarms.MetricAlarms[].AlarmName": "what an alarm is known by",
    "cloudwatch:DescribeAlarms.MetricAlarms[].StateValue": "every alarm is in one of three states",
    "cloudwatch:GetDashboard.DashboardBody": "what a dashboard is",
    "cloudwatch:GetMetricData.MetricDataResults": "one for each query",
    "cloudwatch:GetMetricData.MetricDataResults[].Id": "which query it answers",
    "cloudwatch:GetMetricData.MetricDataResults[].Timestamps": "as many as Values, of which there may be none",
    "cloudwatch:GetMetricData.MetricDataResults[].Values": "as many as Timestamps, of which there may be none",
    "dynamodb:Query.Count": "a query that counts has nothing else: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html",
    "dynamodb:Query.Items": "a query that does not only count has a list, of which nothing may be in: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html",
    "dynamodb:UpdateItem.Attributes": "ReturnValues asks for them",
    "ecs:DescribeServices.services": "the list that was asked for; what is not found is in another",
    "s3:GetObject.Body": "what an object is",
    "sqs:ReceiveMessage.Messages[].Body": "a message has at least one character: "
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html",
    "sqs:ReceiveMessage.Messages[].MessageId": "what a message is known by",
    "sqs:ReceiveMessage.Messages[].ReceiptHandle": "what a message that was received is deleted by",
    "s3:GetBucketPolicy.Policy": "that there is none is an error",
    "s3:ListObjectVersions.DeleteMarkers[].Key": "what a delete marker is known by",
    "s3:ListObjectVersions.DeleteMarkers[].VersionId": "what a delete marker is known by",
    "s3:ListObjectVersions.Versions[].Key": "what a version is known by",
    "s3:ListObjectVersions.Versions[].VersionId": "what a version is known by; `null` in a bucket without versions",
    "s3:ListObjectsV2.Contents[].Key": "what an object is known by",
    "ssm:GetParameter.Parameter": "the one that was asked for; that there is none is an error",
    "ssm:GetParameter.Parameter.Value": "what a parameter is",
}


@dataclass
class Calls:
    """What was wrong with the calls of a test."""

    faults: list[str] = field(default_factory=list)
    reads: dict[str, str] = field(default_factory=dict)


class Answer(dict[str, Any]):
    """An answer of AWS's that keeps which optional members a program reads without asking whether they are there."""

    def __init__(self, value: Mapping[str, Any], shape: StructureShape, named: str, calls: Calls) -> None:
        super().__init__({name: _judged(item, shape.members.get(name), f"{named}.{name}", calls)
                          for name, item in value.items()})  # fmt: skip
        self._optional = set(shape.members) - set(shape.required_members)
        self._asked: set[str] = set()
        self._named = named
        self._calls = calls

    def __contains__(self, name: object) -> bool:
        self._asked.add(str(name))
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        if name in self._optional - self._asked:
            reader = sys._getframe(1).f_code
            program = Path(reader.co_filename)
            if any(program.is_relative_to(folder) for folder in PROGRAMS):
                where = f"{program.relative_to(PROJECT)}, {reader.co_name}"
                self._calls.reads.setdefault(f"{self._named}.{name}", where)
        return super().__getitem__(name)


def _judged(value: Any, shape: Shape | None, named: str, calls: Calls) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        # Of an attribute's value exactly one member is there: its type.
        return value if shape.name == "AttributeValue" else Answer(value, shape, named, calls)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_judged(item, shape.member, f"{named}[]", calls) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _judged(item, shape.value, f"{named}{{}}", calls) for name, item in value.items()}
    return value


@pytest.fixture(autouse=True)
def judged_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Fails a test in which AWS would refuse a request, or in which a program trusts in what AWS may leave out."""
    calls = Calls()
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def judged(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        operation = self.meta.service_model.operation_model(operation_name)
        named = f"{self.meta.service_model.service_name}:{operation_name}"
        answer = send(self, operation_name, api_params)
        if operation.input_shape is not None:
            calls.faults += [f"{named}: {fault}" for fault in request_faults(operation.input_shape, api_params)]
        if operation.output_shape is None:
            return answer
        return Answer(answer, cast(StructureShape, operation.output_shape), named, calls)

    monkeypatch.setattr(BaseClient, "_make_api_call", judged)
    yield calls
    assert not calls.faults, f"AWS would refuse {calls.faults}"
    trusted = {member: where for member, where in calls.reads.items() if member not in ALWAYS_GIVEN}
    assert not trusted, f"AWS may leave out {trusted}: ask whether it is there, or say why it is in ALWAYS_GIVEN"


def leave_out(monkeypatch: pytest.MonkeyPatch, operation: str, member: str) -> None:
    """Leaves a member out of every answer of an operation (`sagemaker:DescribeEndpoint`) to this process."""
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def sparse(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        answer = send(self, operation_name, api_params)
        if f"{self.meta.service_model.service_name}:{operation_name}" == operation:
            answer.pop(member, None)
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", sparse)
