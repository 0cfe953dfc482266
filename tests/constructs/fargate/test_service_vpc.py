from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceVpc, ServiceVpcEndpoints


def test_refused_connections_are_logged_and_encrypted(stack: cdk.Stack) -> None:
    vpc = ServiceVpc(stack, "Network")

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::FlowLog",
        {
            "ResourceId": stack.resolve(vpc.vpc_id),
            "TrafficType": "REJECT",
            "LogGroupName": stack.resolve(vpc.log_group.log_group_name),
        },
    )
    (key,) = template.find_resources("AWS::KMS::Key", {"Properties": {"EnableKeyRotation": True}})
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"KmsKeyId": {"Fn::GetAtt": [key, "Arn"]}, "RetentionInDays": 30}
    )


def test_a_key_that_is_given_encrypts_the_flow_logs(stack: cdk.Stack) -> None:
    key = kms.Key(stack, "Key")
    ServiceVpc(stack, "Network", log_encryption_key=key)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::KMS::Key", 1)
    template.has_resource_properties("AWS::Logs::LogGroup", {"KmsKeyId": stack.resolve(key.key_arn)})


def test_nothing_gets_a_public_address_by_itself(stack: cdk.Stack) -> None:
    ServiceVpc(stack, "Network")

    subnets = Template.from_stack(stack).find_resources("AWS::EC2::Subnet").values()
    assert len(subnets) == 4
    assert not any(subnet["Properties"]["MapPublicIpOnLaunch"] for subnet in subnets)


@pytest.mark.parametrize(("given", "gateways"), [({}, 2), ({"nat_gateways": 1}, 1)])
def test_tasks_reach_the_internet_through_nat(stack: cdk.Stack, given: dict[str, Any], gateways: int) -> None:
    vpc = ServiceVpc(stack, "Network", **given)

    Template.from_stack(stack).resource_count_is("AWS::EC2::NatGateway", gateways)
    assert (len(vpc.private_subnets), len(vpc.isolated_subnets)) == (2, 0)


def test_without_nat_tasks_are_isolated(stack: cdk.Stack, image: ecs.ContainerImage) -> None:
    vpc = ServiceVpc(stack, "Network", nat_gateways=0)
    ServiceVpcEndpoints(stack, "Endpoints", vpc=vpc)
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::NatGateway", 0)
    template.has_resource_properties(
        "AWS::ECS::Service",
        {
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "AssignPublicIp": "DISABLED",
                    "Subnets": [stack.resolve(subnet.subnet_id) for subnet in vpc.isolated_subnets],
                }
            }
        },
    )


def test_addresses_and_zones_are_what_was_given(stack: cdk.Stack) -> None:
    ServiceVpc(stack, "Network", cidr="10.9.0.0/16", availability_zones=["us-east-1b"])

    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::EC2::VPC", {"CidrBlock": "10.9.0.0/16"})
    template.all_resources_properties("AWS::EC2::Subnet", {"AvailabilityZone": "us-east-1b"})
    template.has_resource_properties("AWS::EC2::Subnet", {"CidrBlock": Match.string_like_regexp("^10\\.9\\.")})
