import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Stack")


@pytest.fixture
def vpc(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-11111111",
        vpc_cidr_block="10.0.0.0/16",
        availability_zones=["us-east-1a", "us-east-1b"],
        public_subnet_ids=["subnet-cccccccc", "subnet-dddddddd"],
        private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
    )


@pytest.fixture
def image() -> ecs.ContainerImage:
    return ecs.ContainerImage.from_registry("nginx:1.29")
