from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from cdk_fargate_sagemaker.sagemaker import VpcPlacement
from cdk_fargate_sagemaker.sagemaker.machines.vpc_placement import vpc_config


@pytest.fixture
def group(stack: cdk.Stack, vpc: ec2.IVpc) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(stack, "Group", vpc=vpc)


def test_without_a_choice_the_private_subnets_are_taken(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    assert VpcPlacement(vpc=vpc, security_groups=[group]).subnet_ids == ("subnet-aaaaaaaa", "subnet-bbbbbbbb")


def test_subnets_can_be_chosen(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    chosen = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC, availability_zones=["us-east-1b"])
    assert VpcPlacement(vpc=vpc, security_groups=[group], subnets=chosen).subnet_ids == ("subnet-dddddddd",)


@pytest.fixture
def two_per_zone(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "TwoSubnetsPerZone",
        vpc_id="vpc-87654321",
        availability_zones=["us-east-1a", "us-east-1b"],
        private_subnet_ids=["subnet-a1", "subnet-b1", "subnet-a2", "subnet-b2"],
        private_subnet_names=["First", "Second"],
    )


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ("subnet-a1", "subnet-b1", "subnet-a2", "subnet-b2")),
        ({"one_per_az": True}, ("subnet-a1", "subnet-b1")),
        ({"subnet_group_name": "Second"}, ("subnet-a2", "subnet-b2")),
        ({"subnet_filters": [ec2.SubnetFilter.by_ids(["subnet-b1"])]}, ("subnet-b1",)),
    ],
    ids=["no choice", "one per zone", "by name", "by filter"],
)
def test_each_member_of_a_selection_counts(
    two_per_zone: ec2.IVpc, group: ec2.SecurityGroup, chosen: dict[str, Any], expected: tuple[str, ...]
) -> None:
    placement = VpcPlacement(vpc=two_per_zone, security_groups=[group], subnets=ec2.SubnetSelection(**chosen))
    assert placement.subnet_ids == expected


def test_five_security_groups_are_taken(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    assert VpcPlacement(vpc=vpc, security_groups=[group] * 5).security_groups == (group,) * 5


def test_a_model_is_where_its_placement_says(stack: cdk.Stack, vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    assert vpc_config(None) == {}
    assert stack.resolve(vpc_config(VpcPlacement(vpc=vpc, security_groups=[group]))) == {
        "VpcConfig": {
            "SecurityGroupIds": [stack.resolve(group.security_group_id)],
            "Subnets": ["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
        }
    }


@pytest.mark.parametrize("count", [0, 6])
def test_fails_when_the_security_groups_are_none_or_too_many(
    vpc: ec2.IVpc, group: ec2.SecurityGroup, count: int
) -> None:
    with pytest.raises(ValueError, match=f"security_groups: got {count} of them, allowed: 1 to 5"):
        VpcPlacement(vpc=vpc, security_groups=[group] * count)


def test_fails_when_there_is_no_subnet(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    with pytest.raises(ValueError, match="subnets: got 0 of them, allowed: 1 to 16"):
        VpcPlacement(vpc=vpc, security_groups=[group], subnets=ec2.SubnetSelection(subnets=[]))
