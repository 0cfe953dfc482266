import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceVpcEndpoints


@pytest.fixture
def isolated(stack: cdk.Stack) -> ec2.Vpc:
    return ec2.Vpc(
        stack,
        "Isolated",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="Tasks", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
    )


def test_tasks_start_and_log_without_a_nat_gateway(
    stack: cdk.Stack, isolated: ec2.Vpc, image: ecs.ContainerImage
) -> None:
    ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated)
    ScaledFargateService(stack, "Api", vpc=isolated, image=image)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::NatGateway", 0)
    template.resource_count_is("AWS::EC2::VPCEndpoint", 4)
    for name in ("ecr.api", "ecr.dkr", "logs"):
        template.has_resource_properties(
            "AWS::EC2::VPCEndpoint",
            {
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": True,
                "ServiceName": {"Fn::Join": ["", ["com.amazonaws.", {"Ref": "AWS::Region"}, f".{name}"]]},
            },
        )
    template.has_resource_properties("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"})


def test_the_vpc_alone_reaches_the_endpoints(stack: cdk.Stack, isolated: ec2.Vpc) -> None:
    ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated)

    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "SecurityGroupIngress": [
                Match.object_like({"CidrIp": stack.resolve(isolated.vpc_cidr_block), "FromPort": 443, "ToPort": 443})
            ]
        },
    )


def test_further_services_get_endpoints_too(stack: cdk.Stack, isolated: ec2.Vpc) -> None:
    secrets = ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER
    endpoints = ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated, services={"Secrets": secrets})

    assert list(endpoints.interfaces) == ["EcrApi", "EcrDocker", "Logs", "Secrets"]
    Template.from_stack(stack).resource_count_is("AWS::EC2::VPCEndpoint", 5)


def test_fails_when_an_id_is_taken(stack: cdk.Stack, isolated: ec2.Vpc) -> None:
    with pytest.raises(ValueError, match=r"^services: got Logs, allowed: ids that are not there already"):
        ServiceVpcEndpoints(
            stack,
            "Endpoints",
            vpc=isolated,
            services={"Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS},
        )


def test_named_clients_alone_reach_the_endpoints(stack: cdk.Stack, isolated: ec2.Vpc) -> None:
    ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated, clients=[ec2.Peer.ipv4("192.168.0.0/24")])

    (group,) = (
        group["Properties"]
        for group in Template.from_stack(stack).find_resources("AWS::EC2::SecurityGroup").values()
        if "Endpoints" in group["Properties"]["GroupDescription"]
    )
    assert [rule["CidrIp"] for rule in group["SecurityGroupIngress"]] == ["192.168.0.0/24"]
