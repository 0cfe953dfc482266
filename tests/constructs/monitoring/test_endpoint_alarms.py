from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import EndpointAlarms
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
    TrafficShifting,
)
from tests.constructs.monitoring.template_alarms import alarms


@pytest.fixture
def metrics() -> EndpointMetrics:
    return EndpointMetrics(endpoint_name="moderation")


def composite_alarms(stack: cdk.Stack) -> list[Any]:
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::CompositeAlarm").values()
    return [alarm["Properties"] for alarm in found]


@pytest.mark.parametrize(
    ("name", "given", "threshold"),
    [
        # microseconds, and a share from 0 to 1: SageMaker's own
        ("ModelLatency", {"model_latency": cdk.Duration.millis(250)}, 250_000),
        ("ModelLatency", {}, 1_000_000),
        ("ServerErrors", {"server_error_percent": 0.5}, 0.005),
        ("ServerErrors", {}, 0.01),
        ("ModelErrors", {"model_error_percent": 2}, 0.02),
        ("ModelErrors", {}, 0.01),
    ],
)
def test_an_alarm_fires_in_three_minutes_of_five(
    stack: cdk.Stack, metrics: EndpointMetrics, name: str, given: dict[str, Any], threshold: float
) -> None:
    EndpointAlarms(stack, "Alarms", endpoint=metrics, **given)
    alarm = alarms(stack)[name]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Threshold"] == threshold
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 5)
    # A night without requests is no fault.
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["Period"] == 60


def test_each_alarm_is_of_one_metric_of_sagemakers(stack: cdk.Stack, metrics: EndpointMetrics) -> None:
    EndpointAlarms(stack, "Alarms", endpoint=metrics, model_latency_percentile=95)
    found = alarms(stack)
    assert (found["ModelLatency"]["MetricName"], found["ModelLatency"]["ExtendedStatistic"]) == ("ModelLatency", "p95")
    assert (found["ServerErrors"]["MetricName"], found["ServerErrors"]["Statistic"]) == (
        "Invocation5XXErrors",
        "Average",
    )
    assert (found["ModelErrors"]["MetricName"], found["ModelErrors"]["Statistic"]) == (
        "InvocationModelErrors",
        "Average",
    )
    dimensions = [
        {"Name": "EndpointName", "Value": "moderation"},
        {"Name": "VariantName", "Value": "primary"},
    ]
    assert found["ModelLatency"]["Dimensions"] == found["ServerErrors"]["Dimensions"] == dimensions


def test_of_several_variants_each_has_its_alarms(stack: cdk.Stack) -> None:
    variants = [EndpointVariant(name="a"), EndpointVariant(name="b")]
    metrics = EndpointMetrics(endpoint_name="moderation", configuration=EndpointConfiguration(variants=variants))
    watched = EndpointAlarms(stack, "Alarms", endpoint=metrics)
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    measured = {
        (alarm["Properties"]["MetricName"], alarm["Properties"]["Dimensions"][1]["Value"]): alarm["Properties"]
        for alarm in found
        if alarm["Properties"]["MetricName"] != "EndpointUpdates"
    }
    names = ("ModelLatency", "Invocation5XXErrors", "InvocationModelErrors")
    assert set(measured) == {(name, variant) for name in names for variant in "ab"}
    assert measured["ModelLatency", "b"]["AlarmDescription"].startswith("moderation, b: p99 ")
    assert len(watched.guardrail_alarms) == len({alarm.alarm_name for alarm in watched.guardrail_alarms}) == 6


def test_the_names_are_known_before_deployment(stack: cdk.Stack, metrics: EndpointMetrics) -> None:
    watched = EndpointAlarms(stack, "Alarms", endpoint=metrics)
    names = {name for name in (alarm["AlarmName"] for alarm in alarms(stack).values())}
    assert len(names) == 4
    assert all(isinstance(name, str) for name in names)
    assert len(watched.guardrail_alarms) == 3
    assert (*watched.model_latency, *watched.server_errors, *watched.model_errors) == watched.guardrail_alarms


def test_one_alarm_tells_the_topic_of_all_and_not_while_a_workflow_will(
    stack: cdk.Stack, metrics: EndpointMetrics, topic: sns.ITopic
) -> None:
    EndpointAlarms(stack, "Alarms", endpoint=metrics, alerts_topic=topic)
    found = alarms(stack)
    assert not any("AlarmActions" in alarm or "OKActions" in alarm for alarm in found.values())
    template = Template.from_stack(stack)
    ((_, degraded),) = template.find_resources("AWS::CloudWatch::CompositeAlarm").items()
    degraded = degraded["Properties"]
    assert degraded["AlarmActions"] == degraded["OKActions"] == [topic.topic_arn]
    ids = {
        resource["Properties"]["AlarmName"].rpartition("-")[2]: {"Fn::GetAtt": [id, "Arn"]}
        for id, resource in template.find_resources("AWS::CloudWatch::Alarm").items()
    }
    rule = degraded["AlarmRule"]["Fn::Join"][1]
    assert [part for part in rule if isinstance(part, dict)] == [
        ids[name] for name in ("ModelLatency", "ServerErrors", "ModelErrors", "Updating")
    ]
    assert "".join("." if isinstance(part, dict) else part for part in rule) == (
        '((ALARM(".") OR ALARM(".") OR ALARM(".")) AND (NOT (ALARM("."))))'
    )
    assert degraded["ActionsSuppressor"] == ids["Updating"]
    updating = found["Updating"]
    assert (updating["MetricName"], updating["Dimensions"]) == (
        "EndpointUpdates",
        [{"Name": "EndpointName", "Value": "moderation"}],
    )
    # One mark of the last five minutes is enough, and without any it is over by itself.
    assert (updating["DatapointsToAlarm"], updating["EvaluationPeriods"], updating["Period"]) == (1, 5, 60)
    assert updating["TreatMissingData"] == "notBreaching"
    described = [*(alarm["AlarmDescription"] for alarm in found.values()), degraded["AlarmDescription"]]
    assert all(description.startswith("moderation") and "None" not in description for description in described)


def test_nobody_is_told_without_a_topic(stack: cdk.Stack, metrics: EndpointMetrics) -> None:
    EndpointAlarms(stack, "Alarms", endpoint=metrics)
    assert not any("AlarmActions" in alarm for alarm in [*alarms(stack).values(), *composite_alarms(stack)])


def test_actions_of_ones_own_can_be_added_without_a_topic(
    stack: cdk.Stack, metrics: EndpointMetrics, topic: sns.ITopic
) -> None:
    watched = EndpointAlarms(stack, "Alarms", endpoint=metrics)
    watched.degraded.add_alarm_action(cloudwatch_actions.SnsAction(topic))
    (degraded,) = composite_alarms(stack)
    assert degraded["AlarmActions"] == [stack.resolve(topic.topic_arn)]
    assert degraded["ActionsSuppressor"] == stack.resolve(watched.updating.alarm_arn)


def test_the_endpoint_takes_the_alarms_that_were_made_of_it(
    stack: cdk.Stack, model_image: ModelImage, models: s3.IBucket
) -> None:
    endpoint = InferenceEndpoint(
        stack, "Endpoint", image=model_image, model_bucket=models, model_key="models/1/model.tar.gz"
    )
    watched = EndpointAlarms(stack, "Alarms", endpoint=endpoint)
    endpoint.roll_back_on(watched)
    template = Template.from_stack(stack)
    (made,) = template.find_resources("AWS::SageMaker::Endpoint").values()
    names = [
        alarm["AlarmName"] for alarm in made["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    ]
    assert names == [stack.resolve(alarm.alarm_name) for alarm in watched.guardrail_alarms]
    assert len(names) == 3


def test_the_endpoint_that_is_measured_names_its_alarms(
    stack: cdk.Stack, metrics: EndpointMetrics, model_image: ModelImage, models: s3.IBucket
) -> None:
    watched = EndpointAlarms(stack, "Alarms", endpoint=metrics)
    InferenceEndpoint(
        stack,
        "Endpoint",
        endpoint_name="moderation",
        image=model_image,
        model_bucket=models,
        model_key="model.tar.gz",
        traffic_shifting=TrafficShifting.all_at_once(rollback_alarms=watched.guardrail_alarms),
    )
    # Template.from_stack fails on a circle.
    (endpoint,) = Template.from_stack(stack).find_resources("AWS::SageMaker::Endpoint").values()
    rollback = endpoint["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]
    assert len(rollback["Alarms"]) == 3


def test_an_endpoint_can_be_given_in_place_of_its_metrics(
    stack: cdk.Stack, model_image: ModelImage, models: s3.IBucket
) -> None:
    endpoint = InferenceEndpoint(stack, "Endpoint", image=model_image, model_bucket=models, model_key="model.tar.gz")
    EndpointAlarms(stack, "Alarms", endpoint=endpoint)
    alarm = alarms(stack)["ModelLatency"]
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    assert dimensions == {"EndpointName": endpoint.endpoint_name, "VariantName": "primary"}


@pytest.mark.parametrize("name", ["model_latency_percentile", "server_error_percent", "model_error_percent"])
@pytest.mark.parametrize("percent", [0, 101, -1])
def test_fails_when_it_is_no_percentage(stack: cdk.Stack, metrics: EndpointMetrics, name: str, percent: int) -> None:
    wrong: dict[str, Any] = {name: percent}
    bounds = "1 to 100" if name == "model_latency_percentile" else "above 0, at most 100"
    with pytest.raises(ValueError, match=f"{name}: got {percent}, allowed: a number, {bounds}"):
        EndpointAlarms(stack, "Alarms", endpoint=metrics, **wrong)
