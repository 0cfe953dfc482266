from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpotCapacity


def test_tasks_above_the_base_are_shared_by_weight(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    ScaledFargateService(
        stack, "Api", vpc=vpc, image=image, spot=SpotCapacity(on_demand_base=2, on_demand_weight=1, spot_weight=3)
    )

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ECS::Service",
        {
            "CapacityProviderStrategy": [
                {"CapacityProvider": "FARGATE", "Base": 2, "Weight": 1},
                {"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
            ],
            "LaunchType": Match.absent(),
        },
    )
    template.has_resource_properties(
        "AWS::ECS::ClusterCapacityProviderAssociations", {"CapacityProviders": ["FARGATE", "FARGATE_SPOT"]}
    )


def test_by_default_one_task_is_safe_from_spot_and_the_others_are_not() -> None:
    assert SpotCapacity() == SpotCapacity(on_demand_base=1, on_demand_weight=0, spot_weight=1)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"on_demand_base": -1}, "on_demand_base: got -1, allowed: a whole number, 0 to 100000"),
        ({"on_demand_weight": 1001}, "on_demand_weight: got 1001, allowed: a whole number, 0 to 1000"),
        ({"spot_weight": 0}, "spot_weight: got 0, allowed: a whole number, 1 to 1000"),
    ],
)
def test_fails_when_a_number_is_outside_its_range(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpotCapacity(**numbers)
