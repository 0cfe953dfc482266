import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import StructureShape

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.plug_in.json_service import service_model
from cdk_rehearsal.plug_in.sparse_answers import _LEFT_OUT, _LEFT_OUT_WHILE, sparse

SERVICES = ("application-autoscaling", "sagemaker", "stepfunctions")
TARGET = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/any",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}


@pytest.fixture(scope="module")
def sparse_aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(sparse_answers=True) as aws:
        yield aws


def described_target(aws: EmbeddedAws) -> dict[str, Any]:
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
    return dict(target)


def described_execution(aws: EmbeddedAws) -> dict[str, Any]:
    machines = aws.client("stepfunctions")
    name = f"sparse-{uuid.uuid4().hex[:8]}"
    machine = machines.create_state_machine(
        name=name,
        roleArn="arn:aws:iam::123456789012:role/any",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
    )
    started = machines.start_execution(stateMachineArn=machine["stateMachineArn"], name="first")
    deadline = time.monotonic() + 30
    while (found := machines.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(found)


def test_what_aws_may_leave_out_is_left_out_where_it_was_asked_for(
    sparse_aws: EmbeddedAws, embedded_aws: EmbeddedAws
) -> None:
    assert {"SuspendedState", "ScalableTargetARN"} <= described_target(embedded_aws).keys()
    target = described_target(sparse_aws)
    assert {"SuspendedState", "ScalableTargetARN"}.isdisjoint(target)
    assert target["MaxCapacity"] == 2
    assert "name" in described_execution(embedded_aws)
    execution = described_execution(sparse_aws)
    assert "name" not in execution
    assert (execution["status"], execution["output"]) == ("SUCCEEDED", "{}")


@pytest.mark.parametrize(
    ("status", "named"), [("Creating", False), ("Failed", False), ("InService", True), ("Updating", True)]
)
def test_an_endpoint_that_never_served_names_no_configuration(status: str, named: bool) -> None:
    shape = service_model("sagemaker").operation_model("DescribeEndpoint").output_shape
    assert shape is not None
    variant = {"VariantName": "primary", "CurrentWeight": 1.0, "DesiredInstanceCount": 2}
    endpoint = {
        "EndpointName": "e",
        "EndpointStatus": status,
        "EndpointConfigName": "c",
        "ProductionVariants": [variant],
    }
    found = sparse(shape, endpoint)
    assert found["EndpointStatus"] == status
    assert ("EndpointConfigName" in found) is named
    if named:
        assert found["ProductionVariants"] == [{"VariantName": "primary", "DesiredInstanceCount": 2}]


@pytest.mark.parametrize("member", [*_LEFT_OUT, *_LEFT_OUT_WHILE])
def test_nothing_that_the_model_requires_is_left_out(member: str) -> None:
    structure, _, name = member.partition(".")
    (shape,) = [model.shape_for(structure) for model in map(service_model, SERVICES) if structure in model.shape_names]
    assert isinstance(shape, StructureShape)
    assert name in shape.members
    assert name not in shape.required_members
