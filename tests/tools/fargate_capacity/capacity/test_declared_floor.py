"""What the construct declares, named by a plan with the options that replay it."""

from dataclasses import replace

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.tuning import ForecastFloor, LookBack
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.question import ask


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(region="us-east-1"))
    vpc = ec2.Vpc(stack, "Vpc")
    for name in ("Web", "Plain"):
        service = ScaledFargateService(
            stack, name, vpc=vpc, image=ecs.ContainerImage.from_registry("nginx"), target_percent=55
        )
        if name == "Web":
            ForecastFloor(
                stack,
                "Floor",
                service=service,
                alerts_topic=sns.Topic(stack, "Alerts"),
                utilization_percent=52.5,
                look_back=LookBack.WEEKS,
                lead_minutes=45,
                time_zone="Europe/Berlin",
                holidays=["2026-12-25"],
            )
    app.synth()
    return folder


def asked(assembly, service):
    return ask(assembly, service=service, assume=["cpu_ms=40", "skew=1.15", "elsewhere_ms=30", "image_mib=300"])


def test_a_plan_says_by_which_options_a_declared_floor_is_replayed(assembly):
    (line,) = (line for line in asked(assembly, "Shop/Web").left_out() if "ForecastFloor" in line)
    assert line.startswith("FloorKeeper")
    assert line.endswith(
        ": a ForecastFloor in dry run is no part of the declared setting; replay it by --floor 52.5 --floor-lead 45 "
        "--floor-look-back weeks --floor-time-zone Europe/Berlin --holidays FILE with its 1 days"
    )


def test_a_floor_of_another_service_and_one_that_is_replayed_are_not_named(assembly):
    assert asked(assembly, "Shop/Plain").left_out() == []
    question = asked(assembly, "Shop/Web")
    replayed = replace(question, setting=question.setting.with_floor(Floor(utilization=60)))
    assert not any("ForecastFloor" in line for line in replayed.left_out())
