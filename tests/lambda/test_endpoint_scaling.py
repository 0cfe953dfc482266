"""The function around a real endpoint: SageMaker refuses what it must lift, and takes it once it has."""

import io
import json
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.botocore_calls import leave_out
from tests.waiting import until
from tests.web_server import Handler, serving

PROGRAM = Path(__file__).parent / "program"
ROLE = "arn:aws:iam::123456789012:role/release"


@dataclass
class Stack:
    """An endpoint and its scaling, as CloudFormation has them; `answers` is what the function told CloudFormation."""

    module: ModuleType
    aws: Any
    url: str
    answers: list[dict[str, Any]]
    bucket: str
    endpoint: str = field(default_factory=lambda: f"scaled-{uuid.uuid4().hex[:8]}")

    @property
    def sagemaker(self) -> Any:
        return self.aws.client("sagemaker")

    def configuration(self, instance_type: str) -> str:
        name = f"{self.endpoint}-{uuid.uuid4().hex[:6]}"
        container = {"Image": "scaled:1", "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {
            "VariantName": "primary",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": instance_type,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def create(self, instance_type: str) -> None:
        self.sagemaker.create_endpoint(EndpointName=self.endpoint, EndpointConfigName=self.configuration(instance_type))
        self.wait()

    def update(self, instance_type: str) -> None:
        self.sagemaker.update_endpoint(EndpointName=self.endpoint, EndpointConfigName=self.configuration(instance_type))
        self.wait()

    def wait(self) -> None:
        until(lambda: self.sagemaker.describe_endpoint(EndpointName=self.endpoint)["EndpointStatus"] == "InService")

    def ask(self, kind: str, step: str, wanted: list[Any], before: list[Any] | None = None) -> dict[str, Any]:
        """One request of CloudFormation; returns what it was answered."""
        event = {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Scaling",
            "ResourceProperties": {"Step": step, "EndpointName": self.endpoint, "Variants": json.dumps(wanted)},
        }
        if kind != "Create":
            event["PhysicalResourceId"] = "Scaling"
        if before is not None:
            event["OldResourceProperties"] = {"Variants": json.dumps(before)}
        self.module.handler(event, None)
        return self.answers.pop()

    def variant(self, instance_type: str, *, most: int = 4, name: str = "primary") -> dict[str, Any]:
        target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{self.endpoint}/variant/{name}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        tracking = {
            "TargetValue": 600.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        }
        return {
            "name": name,
            "instance_type": instance_type,
            "target": {**target, "MinCapacity": 1, "MaxCapacity": most},
            "policy": {
                **target,
                "PolicyName": "invocations",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": tracking,
            },
        }

    def registered(self) -> list[tuple[int, int]]:
        """Each target's bounds, once it was seen that it has a policy."""
        scaling = self.aws.client("application-autoscaling")
        resource = f"endpoint/{self.endpoint}/variant/primary"
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
        found = targets["ScalableTargets"]
        policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)
        assert len(policies["ScalingPolicies"]) == len(found)
        return [(target["MinCapacity"], target["MaxCapacity"]) for target in found]


@pytest.fixture
def stack(load_function: Callable[[str], ModuleType], aws: Any, bucket: str) -> Iterator[Stack]:
    aws.register_image("scaled:1", PROGRAM)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz"):
        pass
    aws.client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=archive.getvalue())
    answers: list[dict[str, Any]] = []

    class CloudFormation(Handler):
        def do_PUT(self) -> None:
            assert self.headers["Content-Type"] == ""
            answers.append(json.loads(self.body()))
            self.answer(200)

    with serving(CloudFormation) as url:
        made = Stack(load_function("endpoint_scaling"), aws, f"{url}/?signed", answers, bucket)
        made.create("ml.m5.large")
        yield made
        made.sagemaker.delete_endpoint(EndpointName=made.endpoint)


def test_a_first_deployment_registers_after_the_endpoint(stack: Stack) -> None:
    large = stack.variant("ml.m5.large")
    assert stack.ask("Create", "lift", [large])["Status"] == "SUCCESS"
    assert stack.registered() == []
    assert stack.ask("Create", "register", [large]) == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "Scaling",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Scaling",
    }
    assert stack.registered() == [(1, 4)]


def test_a_change_of_instances_goes_through(stack: Stack) -> None:
    large, xlarge = stack.variant("ml.m5.large"), stack.variant("ml.m5.xlarge")
    stack.ask("Create", "register", [large])
    with pytest.raises(ClientError):
        stack.update("ml.m5.xlarge")
    assert stack.ask("Update", "lift", [xlarge], [large])["Status"] == "SUCCESS"
    assert stack.registered() == []
    stack.update("ml.m5.xlarge")
    stack.ask("Update", "register", [xlarge], [large])
    assert stack.registered() == [(1, 4)]


def test_an_update_that_failed_leaves_the_scaling_as_it_was(stack: Stack) -> None:
    large, xlarge = stack.variant("ml.m5.large"), stack.variant("ml.m5.xlarge", most=9)
    stack.ask("Create", "register", [large])
    stack.ask("Update", "lift", [xlarge], [large])
    # The endpoint stays on ml.m5.large, and CloudFormation goes back: only what it had changed is asked again.
    assert stack.ask("Update", "lift", [large], [xlarge])["Status"] == "SUCCESS"
    assert stack.registered() == [(1, 4)]


def test_other_bounds_alone_lift_nothing(stack: Stack) -> None:
    four, nine = stack.variant("ml.m5.large"), stack.variant("ml.m5.large", most=9)
    stack.ask("Create", "register", [four])
    stack.ask("Update", "lift", [nine], [four])
    assert stack.registered() == [(1, 9)]
    stack.ask("Update", "register", [nine], [four])
    assert stack.registered() == [(1, 9)]


def test_a_variant_that_scales_no_more_is_deregistered_before_the_endpoint_changes(stack: Stack) -> None:
    large = stack.variant("ml.m5.large")
    stack.ask("Create", "register", [large])
    stack.ask("Update", "lift", [], [large])
    assert stack.registered() == []
    # Lifted already: not there is fine.
    assert stack.ask("Update", "register", [], [large])["Status"] == "SUCCESS"


def test_a_stack_that_goes_takes_its_scaling_along(stack: Stack) -> None:
    large = stack.variant("ml.m5.large")
    stack.ask("Create", "register", [large])
    assert stack.ask("Delete", "register", [large])["Status"] == "SUCCESS"
    assert stack.registered() == []
    assert stack.ask("Delete", "lift", [large])["Status"] == "SUCCESS"


def test_an_endpoint_that_somebody_deleted_stops_no_deployment(stack: Stack) -> None:
    large = stack.variant("ml.m5.large")
    gone = Stack(stack.module, stack.aws, stack.url, stack.answers, stack.bucket)
    assert gone.ask("Update", "lift", [large], [large])["Status"] == "SUCCESS"


def test_an_endpoint_of_which_sagemaker_names_no_configuration_is_lifted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = stack.variant("ml.m5.large")
    stack.ask("Create", "register", [large])
    leave_out(monkeypatch, "sagemaker:DescribeEndpoint", "EndpointConfigName")
    assert stack.ask("Update", "lift", [large], [large])["Status"] == "SUCCESS"
    assert stack.registered() == []


def test_cloudformation_is_answered_when_it_fails(stack: Stack) -> None:
    backwards = stack.variant("ml.m5.large", most=0)
    answer = stack.ask("Create", "register", [backwards])
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("ValidationException: ")
