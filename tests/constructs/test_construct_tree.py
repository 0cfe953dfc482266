"""The questions that are asked once: noted answers are those that the CDK gives."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs

from cdk_fargate_sagemaker import _construct_tree as tree
from cdk_fargate_sagemaker import _statistics as statistics
from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling


@pytest.mark.parametrize("name", ["AVERAGE", "MAXIMUM", "MINIMUM", "SAMPLE_COUNT", "SUM"])
def test_a_statistic_is_called_as_in_the_cdk(name: str) -> None:
    assert getattr(statistics, name) == getattr(cloudwatch.Stats, name)


def test_noted_stacks_and_paths_are_those_of_the_cdk() -> None:
    app = cdk.App()
    stack = cdk.Stack(cdk.Stage(app, "Test"), "Shop")
    nested = cdk.NestedStack(stack, "Nested")
    vpc = ec2.Vpc(stack, "Vpc")
    image = ecs.ContainerImage.from_registry("httpd:2.4")
    for number, scope in enumerate((stack, nested, cdk.Stack(stack, "Inner"))):
        service = ScaledFargateService(scope, f"Web{number}", vpc=vpc, image=image)
        spikes = SpikeScaling(scope, f"Spikes{number}", service=service)
        for construct in (service, service.service, service.scalable_target, spikes):
            assert tree.stack_of(construct) is scope
            assert cdk.Stack.of(construct).node.path == scope.node.path
        assert tree.path_of(service.scalable_target) == service.scalable_target.node.path


def test_resources_are_found_with_and_without_a_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = cdk.Stack()
    vpc = ec2.Vpc(stack, "Vpc")
    vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
    ec2.InterfaceVpcEndpoint(
        cdk.NestedStack(stack, "Nested"), "Logs", vpc=vpc, service=ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS
    )
    found = {one.node.path for one in tree.resources_below(stack, ec2.CfnVPCEndpoint)}
    monkeypatch.setattr(tree, "_selector", lambda kind: None)
    assert found == {one.node.path for one in tree.resources_below(stack, ec2.CfnVPCEndpoint)}
    assert found == {"Default/Vpc/S3/Resource", "Default/Nested/Logs/Resource"}
