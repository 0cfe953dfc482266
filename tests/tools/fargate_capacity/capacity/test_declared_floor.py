"""What the construct declares: replayed where it acts, and named with the options that replay it in dry run."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.tuning import ForecastFloor, LookBack
from fargate_capacity.floor_decisions import LookBack as ReplayedLookBack
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.question import Question, ask


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(region="us-east-1"))
    vpc = ec2.Vpc(stack, "Vpc")
    for name in ("Web", "Plain", "Raised"):
        service = ScaledFargateService(
            stack, name, vpc=vpc, image=ecs.ContainerImage.from_registry("nginx"), target_percent=55
        )
        if name != "Plain":
            ForecastFloor(
                stack,
                f"{name}Floor",
                service=service,
                alerts_topic=sns.Topic(stack, f"{name}Alerts"),
                utilization_percent=52.5,
                look_back=LookBack.WEEKS,
                lead=cdk.Duration.minutes(45),
                time_zone="Europe/Berlin",
                holidays=["2026-12-25"],
                dry_run=name == "Web",
            )
    app.synth()
    return folder


def asked(assembly: Path, service: str) -> Question:
    return ask(assembly, service=service, assume=["cpu_ms=40", "skew=1.15", "elsewhere_ms=30", "image_mib=300"])


def test_a_plan_says_by_which_options_a_declared_floor_is_replayed(assembly: Path) -> None:
    (line,) = (line for line in asked(assembly, "Shop/Web").left_out() if "ForecastFloor" in line)
    assert line.startswith("WebFloorKeeper")
    assert line.endswith(
        ": a ForecastFloor in dry run is no part of the declared setting; replay it by --floor 52.5 --floor-lead 45 "
        "--floor-look-back weeks --floor-time-zone Europe/Berlin --holidays FILE with its 1 days"
    )


def test_a_floor_of_another_service_and_one_that_is_replayed_are_not_named(assembly: Path) -> None:
    assert asked(assembly, "Shop/Plain").left_out() == []
    question = asked(assembly, "Shop/Web")
    replayed = replace(question, setting=question.setting.with_floor(Floor(utilization=60)))
    assert not any("ForecastFloor" in line for line in replayed.left_out())


def test_a_floor_that_acts_is_a_part_of_the_declared_setting(assembly: Path) -> None:
    question = asked(assembly, "Shop/Raised")
    assert question.setting.floor == Floor(
        utilization=52.5,
        look_back=ReplayedLookBack.WEEKS,
        lead_minutes=45,
        time_zone="Europe/Berlin",
        holidays=frozenset({date(2026, 12, 25)}),
    )
    assert not any("ForecastFloor" in line for line in question.left_out())
    assert "a floor for 52.5 % by the same time and weekday of the last 4 weeks, 45 minutes ahead" in (
        question.described_setting()
    )


def test_simulate_replays_it_and_the_same_without_it(
    assembly: Path,
    fargate_capacity: Callable[..., subprocess.CompletedProcess[str]],
    write_trace: Callable[..., Path],
    tmp_path: Path,
) -> None:
    trace = write_trace([60 if minute % 1440 < 480 else 4000 for minute in range(3 * 1440)])
    done = fargate_capacity(
        *("simulate", assembly, "--trace", trace, "--service", "Shop/Raised", "--output", tmp_path / "out"),
        *("--assume", "cpu_ms=40", "--assume", "skew=1.15", "--assume", "elsewhere_ms=30", "--assume", "image_mib=300"),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "simulate.json").read_text())["results"]
    assert [each["name"] for each in results] == [results[0]["name"], "without the declared floor"]
    assert results[0]["name"].startswith("RaisedService")
