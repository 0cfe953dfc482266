import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from cdk_nag import AwsSolutionsChecks

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling
from cdk_fargate_sagemaker.monitoring import ServiceDashboard


@pytest.fixture
def findings(stack, tmp_path):
    def check():
        app = cdk.Stage.of(stack)
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        try:
            assembly = app.synth()
            directory = assembly.directory
        except RuntimeError as error:
            directory = str(error).rpartition("found in: ")[2].removesuffix("/validation-report.json")
        report = json.loads((Path(directory) / "validation-report.json").read_text())
        return [violation["ruleName"] for plugin in report["pluginReports"] for violation in plugin["violations"]]

    return check


def test_the_service_its_scaling_and_its_dashboard_have_no_unacknowledged_finding(stack, vpc, findings):
    service = ScaledFargateService(
        stack,
        "Api",
        vpc=vpc,
        image=ecs.ContainerImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "api")),
        environment={"MODE": "quick"},
    )
    spikes = SpikeScaling(stack, "Spikes", service=service)
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes)

    assert findings() == []


def test_a_service_on_the_internet_has_no_unacknowledged_finding(stack, vpc, image, findings):
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


def test_the_checks_find_what_the_cdks_pattern_leaves_open(stack, vpc, image, findings):
    ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )

    assert {"AwsSolutions-ELB2", "AwsSolutions-EC23"} <= set(findings())
