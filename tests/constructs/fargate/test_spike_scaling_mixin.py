"""Spike scaling is added with `with_`, to any service and to whatever holds services."""

import subprocess
import sys
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as patterns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, SpikeScalingMixin


def plain_service(stack: cdk.Stack, vpc: ec2.IVpc, image: Any, id: str = "Worker") -> ecs.FargateService:
    task = ecs.FargateTaskDefinition(stack, f"{id}Task")
    task.add_container("app", image=image)
    return ecs.FargateService(stack, id, cluster=ecs.Cluster(stack, f"{id}Cluster", vpc=vpc), task_definition=task)


def spike_alarms(stack: cdk.Stack) -> dict[str, Any]:
    alarms = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    return {name: alarm["Properties"]["Threshold"] for name, alarm in alarms.items()}


def test_a_service_of_this_library_gets_one(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    web = ScaledFargateService(stack, "Web", vpc=vpc, image=image)

    web.with_(SpikeScalingMixin(steps=CpuStep(threshold_percent=85, add_tasks=4)))

    assert list(spike_alarms(stack).values()) == [85]
    Template.from_stack(stack).has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": Match.object_like(
                {"StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 4}]}
            ),
        },
    )
    assert [band.threshold for spike in web.scaling.spikes for band in spike.bands] == [85]


def test_a_pattern_gets_one(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    pattern = patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Shop",
        vpc=vpc,
        task_image_options=patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    pattern.service.auto_scale_task_count(max_capacity=5)

    pattern.with_(SpikeScalingMixin())

    (alarm,) = spike_alarms(stack)
    assert alarm.startswith("ShopService")


def test_a_service_of_the_cdk_gets_one(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    service = plain_service(stack, vpc, image)
    service.auto_scale_task_count(max_capacity=5)

    service.with_(SpikeScalingMixin())

    assert list(spike_alarms(stack).values()) == [80]


def test_every_service_of_a_stack_gets_one(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    for id in ("One", "Two"):
        plain_service(stack, vpc, image, id).auto_scale_task_count(max_capacity=5)

    stack.with_(SpikeScalingMixin())

    assert len(spike_alarms(stack)) == 2


def test_supports_services_alone(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    web = ScaledFargateService(stack, "Web", vpc=vpc, image=image)
    mixin = SpikeScalingMixin()

    assert [construct.node.path for construct in stack.node.find_all() if mixin.supports(construct)] == [
        web.service.node.path
    ]


def test_fails_when_a_service_has_no_task_count(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    with pytest.raises(RuntimeError, match="scalable_target: got none, allowed: the task count of the service; call"):
        plain_service(stack, vpc, image).with_(SpikeScalingMixin())


def test_fails_when_it_is_applied_twice(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    web = ScaledFargateService(stack, "Web", vpc=vpc, image=image)
    web.with_(SpikeScalingMixin())

    with pytest.raises(RuntimeError, match="with_: got Stack/Web/Service, which has spike scaling, allowed: one"):
        web.with_(SpikeScalingMixin())


LATELY = """
import aws_cdk as cdk
import constructs
del constructs.IMixin
from aws_cdk import aws_ec2 as ec2, aws_ecs as ecs
from cdk_fargate_sagemaker import fargate
stack = cdk.Stack(cdk.App(), "Stack")
image = ecs.ContainerImage.from_registry("nginx:1.29")
web = fargate.ScaledFargateService(stack, "Web", vpc=ec2.Vpc(stack, "Vpc"), image=image)
fargate.SpikeScaling(stack, "Spikes", service=web)
stack.node.root.synth()
try:
    fargate.SpikeScalingMixin
except ImportError:
    print("late")
"""


def test_the_library_synthesises_where_there_are_no_mixins() -> None:
    result = subprocess.run([sys.executable, "-c", LATELY], capture_output=True, text=True)
    assert result.stdout.strip() == "late", result.stderr


def test_an_unknown_name_is_none() -> None:
    from cdk_fargate_sagemaker import fargate

    with pytest.raises(AttributeError, match="has no attribute 'SpikeScaler'"):
        fargate.SpikeScaler  # noqa: B018
