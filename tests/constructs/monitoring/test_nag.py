import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_sns as sns
from aws_cdk.aws_elasticloadbalancingv2 import TargetGroupLoadBalancingAlgorithmType
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks

from cdk_fargate_sagemaker.fargate import (
    ScaledFargateService,
    ServiceVpcEndpoints,
    SpikeScaling,
    SpotCapacity,
    WebAcl,
)
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard


@pytest.fixture
def findings(stack: cdk.Stack, tmp_path: Path) -> Callable[..., Any]:
    def check(*packs: Any) -> list[Any]:
        packs = packs or (AwsSolutionsChecks,)
        app = cdk.Stage.of(stack)
        assert app is not None
        for checks in packs:
            cdk.Validations.of(app).add_plugins(checks(app))
        try:
            assembly = app.synth()
            directory = assembly.directory
        except RuntimeError as error:
            directory = str(error).rpartition("found in: ")[2].removesuffix("/validation-report.json")
        report = json.loads((Path(directory) / "validation-report.json").read_text())
        return [violation["ruleName"] for plugin in report["pluginReports"] for violation in plugin["violations"]]

    return check


def test_the_service_its_scaling_and_its_dashboard_have_no_unacknowledged_finding(
    stack: cdk.Stack, vpc: ec2.IVpc, findings: Callable[..., Any]
) -> None:
    service = ScaledFargateService(
        stack,
        "Api",
        vpc=vpc,
        image=ecs.ContainerImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "api")),
        environment={"MODE": "quick"},
    )
    spikes = SpikeScaling(stack, "Spikes", service=service)
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes)
    ServiceAlarms(stack, "Alarms", service=service, anomaly_bands=True)

    assert findings() == []


def test_every_option_of_the_service_has_no_unacknowledged_finding(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, findings: Callable[..., Any]
) -> None:
    service = ScaledFargateService(
        stack,
        "Api",
        vpc=vpc,
        image=image,
        spot=SpotCapacity(),
        high_resolution=True,
        deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN,
        enable_execute_command=True,
        load_balancing_algorithm=TargetGroupLoadBalancingAlgorithmType.WEIGHTED_RANDOM,
    )
    WebAcl(stack, "WebAcl", load_balancer=service.load_balancer)

    assert findings() == []


def test_exec_has_no_unacknowledged_finding_where_account_and_region_are_known(
    image: ecs.ContainerImage, tmp_path: Path
) -> None:
    app = cdk.App(outdir=str(tmp_path), context={"@aws-cdk/core:enablePartitionLiterals": True})
    stack = cdk.Stack(app, "Known", env=cdk.Environment(account="123456789012", region="us-east-1"))
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-33333333",
        vpc_cidr_block="10.3.0.0/16",
        availability_zones=["us-east-1a"],
        private_subnet_ids=["subnet-eeeeeeee"],
        private_subnet_route_table_ids=["rtb-11111111"],
    )
    ScaledFargateService(stack, "Api", vpc=vpc, image=image, enable_execute_command=True)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    app.synth()  # fails where a finding is left


def test_the_endpoints_have_no_unacknowledged_finding(stack: cdk.Stack, findings: Callable[..., Any]) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Network",
        vpc_id="vpc-33333333",
        vpc_cidr_block="10.3.0.0/16",
        availability_zones=["us-east-1a"],
        isolated_subnet_ids=["subnet-eeeeeeee"],
        isolated_subnet_route_table_ids=["rtb-11111111"],
    )
    ServiceVpcEndpoints(stack, "Endpoints", vpc=vpc)

    assert findings() == []


def test_a_service_on_the_internet_has_no_unacknowledged_finding(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, findings: Callable[..., Any]
) -> None:
    ScaledFargateService(
        stack,
        "Api",
        vpc=vpc,
        image=image,
        internet_facing=True,
        certificate=certificatemanager.Certificate.from_certificate_arn(
            stack, "Certificate", "arn:aws:acm:us-east-1:123456789012:certificate/1"
        ),
    )

    assert findings() == []


def test_the_checks_find_what_the_cdks_pattern_leaves_open(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, findings: Callable[..., Any]
) -> None:
    ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )

    assert {"AwsSolutions-ELB2", "AwsSolutions-EC23"} <= set(findings())


def test_a_production_service_passes_nist_and_serverless(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, findings: Callable[..., Any]
) -> None:
    service = ScaledFargateService(
        stack,
        "Api",
        vpc=vpc,
        image=image,
        deletion_protection=True,
        certificate=certificatemanager.Certificate.from_certificate_arn(
            stack, "Certificate", "arn:aws:acm:us-east-1:123456789012:certificate/1"
        ),
    )
    spikes = SpikeScaling(stack, "Spikes", service=service)
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:alerts")
    alarms = ServiceAlarms(stack, "Alarms", service=service, alerts_topic=topic)
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes, alarms=alarms)
    WebAcl(stack, "WebAcl", load_balancer=service.load_balancer)

    assert findings(AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks) == []
