import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from cdk_fargate_sagemaker.sagemaker import VpcPlacement


@pytest.fixture
def group(stack: cdk.Stack, vpc: ec2.IVpc) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(stack, "Group", vpc=vpc)


def test_without_a_choice_the_private_subnets_are_taken(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    assert VpcPlacement(vpc=vpc, security_groups=[group]).subnet_ids == ("subnet-aaaaaaaa", "subnet-bbbbbbbb")


def test_subnets_can_be_chosen(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    chosen = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC, availability_zones=["us-east-1b"])
    assert VpcPlacement(vpc=vpc, security_groups=[group], subnets=chosen).subnet_ids == ("subnet-dddddddd",)


def test_one_subnet_per_zone_can_be_chosen(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "TwoSubnetsPerZone",
        vpc_id="vpc-87654321",
        availability_zones=["us-east-1a", "us-east-1b"],
        private_subnet_ids=["subnet-a1", "subnet-b1", "subnet-a2", "subnet-b2"],
        private_subnet_names=["First", "Second"],
    )
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
    chosen = {
        one_per_az: VpcPlacement(
            vpc=vpc, security_groups=[group], subnets=ec2.SubnetSelection(one_per_az=one_per_az)
        ).subnet_ids
        for one_per_az in (False, True)
    }
    assert chosen == {False: ("subnet-a1", "subnet-b1", "subnet-a2", "subnet-b2"), True: ("subnet-a1", "subnet-b1")}


@pytest.mark.parametrize("count", [0, 6])
def test_fails_when_the_security_groups_are_none_or_too_many(
    vpc: ec2.IVpc, group: ec2.SecurityGroup, count: int
) -> None:
    with pytest.raises(ValueError, match=f"security_groups: got {count} of them, allowed: 1 to 5"):
        VpcPlacement(vpc=vpc, security_groups=[group] * count)


def test_fails_when_there_is_no_subnet(vpc: ec2.IVpc, group: ec2.SecurityGroup) -> None:
    with pytest.raises(ValueError, match="subnets: got 0 of them, allowed: 1 to 16"):
        VpcPlacement(vpc=vpc, security_groups=[group], subnets=ec2.SubnetSelection(subnets=[]))
