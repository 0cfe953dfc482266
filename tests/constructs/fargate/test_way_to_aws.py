"""A service is created once its tasks can reach AWS."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceVpc, ServiceVpcEndpoints


@pytest.fixture
def isolated(stack: cdk.Stack) -> ServiceVpc:
    return ServiceVpc(stack, "Isolated", nat_gateways=0)


def awaited(stack: cdk.Stack) -> list[Any]:
    """What the service waits for, as (type, logical id)."""
    template = Template.from_stack(stack)
    (service,) = template.find_resources("AWS::ECS::Service").values()
    resources = template.to_json()["Resources"]
    return sorted((resources[name]["Type"], name) for name in service["DependsOn"])


def of_type(stack: cdk.Stack, resource_type: Any) -> list[Any]:
    return [name for kind, name in awaited(stack) if kind == resource_type]


def test_tasks_wait_for_their_routes_to_the_nat_gateways(stack: cdk.Stack, image: ecs.ContainerImage) -> None:
    vpc = ServiceVpc(stack, "Vpc", availability_zones=["us-east-1a", "us-east-1b"])
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)

    resources = Template.from_stack(stack).to_json()["Resources"]
    routes = [resources[name]["Properties"] for name in of_type(stack, "AWS::EC2::Route")]
    gateways = {route["NatGatewayId"]["Ref"] for route in routes}
    assert gateways == set(Template.from_stack(stack).find_resources("AWS::EC2::NatGateway"))
    subnets = [
        resources[name]["Properties"]["SubnetId"] for name in of_type(stack, "AWS::EC2::SubnetRouteTableAssociation")
    ]
    assert subnets == [stack.resolve(subnet.subnet_id) for subnet in vpc.private_subnets]


@pytest.mark.parametrize("endpoints_come_first", [True, False])
def test_tasks_wait_for_the_endpoints_whichever_is_declared_first(
    stack: cdk.Stack, isolated: ServiceVpc, image: ecs.ContainerImage, endpoints_come_first: bool
) -> None:
    if endpoints_come_first:
        ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated)
    ScaledFargateService(stack, "Api", vpc=isolated, image=image)
    if not endpoints_come_first:
        ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated)

    assert set(of_type(stack, "AWS::EC2::VPCEndpoint")) == set(
        Template.from_stack(stack).find_resources("AWS::EC2::VPCEndpoint")
    )


def test_tasks_wait_for_endpoints_of_the_cdk_and_for_their_rules(
    stack: cdk.Stack, isolated: ServiceVpc, image: ecs.ContainerImage
) -> None:
    api = ScaledFargateService(stack, "Api", vpc=isolated, image=image)
    endpoint = isolated.add_interface_endpoint("Ecr", service=ec2.InterfaceVpcEndpointAwsService.ECR, open=False)
    endpoint.connections.allow_default_port_from(api.service_security_group)

    (rule,) = [
        name
        for name, found in Template.from_stack(stack).find_resources("AWS::EC2::SecurityGroupIngress").items()
        if "443" in str(found["Properties"]["ToPort"])
    ]
    assert rule in of_type(stack, "AWS::EC2::SecurityGroupIngress")
    assert len(of_type(stack, "AWS::EC2::VPCEndpoint")) == 1


def test_tasks_do_not_wait_for_another_networks_endpoints(
    stack: cdk.Stack, isolated: ServiceVpc, image: ecs.ContainerImage
) -> None:
    ServiceVpcEndpoints(stack, "Endpoints", vpc=ServiceVpc(stack, "Other", nat_gateways=0))
    ScaledFargateService(stack, "Api", vpc=isolated, image=image)

    assert of_type(stack, "AWS::EC2::VPCEndpoint") == []


def test_tasks_wait_for_what_the_load_balancer_needs_to_reach_them(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)

    template = Template.from_stack(stack)
    for kind in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"):
        assert set(of_type(stack, kind)) == set(template.find_resources(kind)) != set()
    assert of_type(stack, "AWS::ElasticLoadBalancingV2::Listener")


def test_tasks_wait_for_the_permission_to_pull_and_to_log(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)

    assert any("ExecutionRole" in name for name in of_type(stack, "AWS::IAM::Policy"))


def test_what_is_imported_is_there_already(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)

    assert of_type(stack, "AWS::EC2::Route") == of_type(stack, "AWS::EC2::VPCEndpoint") == []


def test_endpoints_that_this_app_adds_to_an_imported_network_are_waited_for(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)
    ec2.InterfaceVpcEndpoint(stack, "Ecr", vpc=vpc, service=ec2.InterfaceVpcEndpointAwsService.ECR)

    assert len(of_type(stack, "AWS::EC2::VPCEndpoint")) == 1


def test_a_stack_of_its_own_for_the_network_is_deployed_before() -> None:
    app = cdk.App()
    network, tasks = cdk.Stack(app, "Network"), cdk.Stack(app, "Tasks")
    vpc = ServiceVpc(network, "Vpc", nat_gateways=0)
    image = ecs.ContainerImage.from_registry("nginx:1.29")
    ScaledFargateService(tasks, "Api", vpc=vpc, image=image)
    ServiceVpcEndpoints(network, "Endpoints", vpc=vpc)

    assert of_type(tasks, "AWS::EC2::VPCEndpoint") == []
    assert [stack.stack_name for stack in tasks.dependencies] == ["Network"]


def test_endpoints_of_a_later_stack_make_no_circle() -> None:
    app = cdk.App()
    network, tasks, later = (cdk.Stack(app, name) for name in ("Network", "Tasks", "Later"))
    vpc = ServiceVpc(network, "Vpc", nat_gateways=0)
    image = ecs.ContainerImage.from_registry("nginx:1.29")
    api = ScaledFargateService(tasks, "Api", vpc=vpc, image=image)
    ServiceVpcEndpoints(later, "Endpoints", vpc=vpc, clients=[api.service_security_group])

    app.synth()
    assert [stack.stack_name for stack in tasks.dependencies] == ["Network"]


def test_a_nested_stack_that_needs_the_service_makes_no_circle(
    stack: cdk.Stack, isolated: ServiceVpc, image: ecs.ContainerImage
) -> None:
    api = ScaledFargateService(stack, "Api", vpc=isolated, image=image)
    nested = cdk.NestedStack(stack, "Nested")
    ec2.InterfaceVpcEndpoint(nested, "Ecr", vpc=isolated, service=ec2.InterfaceVpcEndpointAwsService.ECR)
    api.metrics.cpu_average().create_alarm(nested, "Hot", threshold=90, evaluation_periods=1)

    assert of_type(stack, "AWS::CloudFormation::Stack") == []
