"""What the construct declares, read back out of the template that the CDK makes of it."""

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from cdk_fargate_sagemaker.tuning import Observation, TargetTuner
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.declared_tuner import declared_tuner
from fargate_capacity.declared.scaled_service import find_service
from fargate_capacity.input_error import InputError
from fargate_capacity.replay.guardrail import GuardedMetric, GuardrailAlarm
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import Comparison, MissingData, ObservationPeriod, TargetTracking, TunerSettings

MODEL = ServiceModel(vcpus=1, cpu_seconds=0.01, elsewhere_seconds=0.02)


def tuner_of(folder: Any, wanted: Any = None) -> Any:
    assembly = CloudAssembly(folder)
    service = find_service(assembly, wanted)
    return declared_tuner(assembly, service.stack_identity, MODEL, service=service.name)


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(region="us-east-1"))
    service = ScaledFargateService(
        stack,
        "Web",
        vpc=ec2.Vpc(stack, "Vpc"),
        image=ecs.ContainerImage.from_registry("nginx"),
        target_percent=55,
    )
    TargetTuner(
        stack,
        "Tuner",
        service=service,
        guardrail_alarms=[
            cloudwatch.Metric(namespace="Test", metric_name="Slow").create_alarm(
                stack, "Slow", threshold=1, evaluation_periods=1
            )
        ],
        alerts_topic=sns.Topic(stack, "Alerts"),
        ceiling_percent=70,
        observation=Observation.SEVEN_DAYS,
        cool_off=cdk.Duration.days(3),
        max_latency_ratio=None,
    )
    app.synth()
    return folder


def test_a_tuned_target_is_the_one_that_tuning_begins_with(assembly: Any) -> None:
    (policy,) = find_service(CloudAssembly(assembly)).policies
    assert isinstance(policy, TargetTracking)
    assert policy.target == 55


def test_reads_the_tuners_settings(assembly: Any) -> None:
    assert tuner_of(assembly).settings == TunerSettings(
        ceiling=70,
        observation=ObservationPeriod.SEVEN_DAYS,
        cool_off=timedelta(days=3),
        max_latency_ratio=None,
    )


def test_reads_the_alarms_that_are_deployed_and_names_the_others(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(region="us-east-1"))
    service = ScaledFargateService(
        stack, "Web", vpc=ec2.Vpc(stack, "Vpc"), image=ecs.ContainerImage.from_registry("nginx"), target_percent=55
    )
    topic = sns.Topic(stack, "Alerts")
    alarms = ServiceAlarms(
        stack, "Alarms", service=service, response_time=cdk.Duration.millis(1020), response_time_percentile=95
    )
    TargetTuner(stack, "Tuner", service=service, guardrail_alarms=[alarms.degraded], alerts_topic=topic)
    app.synth()
    guardrail = tuner_of(tmp_path).guardrail
    common: dict[str, Any] = {"datapoints": 3, "periods": 5, "missing_data": MissingData.NOT_BREACHING}
    # p95 of the time at the task is 3.4 times its mean, and 20 ms are waited elsewhere.
    slow, *others = guardrail.alarms
    assert slow.threshold == pytest.approx(0.02 + 1 / 3.4)
    assert [dataclasses.replace(slow, threshold=1), *others] == [
        GuardrailAlarm(threshold=1, **common),
        GuardrailAlarm(threshold=1, metric=GuardedMetric.FAILED_PERCENT, **common),
        GuardrailAlarm(
            threshold=95,
            metric=GuardedMetric.CPU_MAXIMUM,
            comparison=Comparison.GREATER_OR_EQUAL,
            **{**common, "datapoints": 10, "periods": 10},
        ),
    ]
    assert [line.split("; ")[0].split(": ")[1] for line in guardrail.left_out] == [
        "it watches UnHealthyHostCount, which a replay does not know",
        "it watches TriggeredRules, which a replay does not know",
    ]


def test_names_an_alarm_of_which_the_templates_say_nothing(assembly: Any) -> None:
    guardrail = tuner_of(assembly).guardrail
    assert guardrail.alarms == ()
    assert "it watches Slow, which a replay does not know" in guardrail.left_out[0]


def test_finds_none_in_another_stack(assembly: Any) -> None:
    assert (
        declared_tuner(CloudAssembly(assembly), "Elsewhere", MODEL, service=find_service(CloudAssembly(assembly)).name)
        is None
    )


def test_each_service_of_a_stack_has_its_own_tuner(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(region="us-east-1"))
    vpc, topic = ec2.Vpc(stack, "Vpc"), sns.Topic(stack, "Alerts")
    image = ecs.ContainerImage.from_registry("nginx")
    alarm = cloudwatch.Metric(namespace="Test", metric_name="Slow").create_alarm(
        stack, "Slow", threshold=1, evaluation_periods=1
    )
    for name, ceiling in (("Web", 70), ("Mail", 66), ("Cart", None)):
        service = ScaledFargateService(stack, name, vpc=vpc, image=image, target_percent=55)
        if ceiling:
            TargetTuner(
                stack,
                f"{name}Tuner",
                service=service,
                guardrail_alarms=[alarm],
                alerts_topic=topic,
                ceiling_percent=ceiling,
            )
    app.synth()
    assert tuner_of(tmp_path, "Shop/Web/Service").settings.ceiling == 70
    assert tuner_of(tmp_path, "Shop/Mail/Service").settings.ceiling == 66
    assert tuner_of(tmp_path, "Shop/Cart/Service") is None


def test_fails_when_the_settings_are_of_another_version(assembly: Any, tmp_path: Path) -> None:
    body = json.loads((assembly / "Shop.template.json").read_text())
    for resource in body["Resources"].values():
        if resource.get("Properties", {}).get("Handler") == "target_tuner.handler":
            resource["Properties"]["Environment"]["Variables"]["SETTINGS"] = "{}"
    (tmp_path / "Shop.template.json").write_text(json.dumps(body))
    with pytest.raises(InputError, match="got settings that cannot be read"):
        tuner_of(tmp_path)
