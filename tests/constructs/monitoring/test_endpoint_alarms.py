import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import EndpointAlarms
from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, InferenceEndpoint, TrafficShifting


@pytest.fixture
def metrics():
    return EndpointMetrics(endpoint_name="moderation")


def alarms(stack):
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    return {alarm["Properties"]["AlarmName"].rpartition("-")[2]: alarm["Properties"] for alarm in found}


@pytest.mark.parametrize(
    ("name", "given", "threshold"),
    [
        ("ModelLatency", {"model_latency": cdk.Duration.millis(250)}, 250),
        ("ModelLatency", {}, 1000),
        ("ServerErrors", {"server_error_percent": 0.5}, 0.5),
        ("ServerErrors", {}, 1),
        ("ModelErrors", {"model_error_percent": 2}, 2),
        ("ModelErrors", {}, 1),
    ],
)
def test_an_alarm_fires_in_three_minutes_of_five(stack, metrics, name, given, threshold):
    EndpointAlarms(stack, "Alarms", endpoint=metrics, **given)
    alarm = alarms(stack)[name]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Threshold"] == threshold
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 5)
    # A night without requests is no fault.
    assert alarm["TreatMissingData"] == "notBreaching"
    periods = {part["MetricStat"]["Period"] for part in alarm["Metrics"] if "MetricStat" in part}
    assert periods == {60}


def test_latency_is_compared_in_milliseconds(stack, metrics):
    EndpointAlarms(stack, "Alarms", endpoint=metrics, model_latency_percentile=95)
    compared, *parts = alarms(stack)["ModelLatency"]["Metrics"]
    assert compared["Expression"] == "model_p95 / 1000"
    (part,) = parts
    assert part["MetricStat"]["Metric"]["MetricName"] == "ModelLatency"
    assert part["MetricStat"]["Stat"] == "p95"


def test_the_names_are_known_before_deployment(stack, metrics):
    watched = EndpointAlarms(stack, "Alarms", endpoint=metrics)
    names = {name for name in (alarm["AlarmName"] for alarm in alarms(stack).values())}
    assert len(names) == 3
    assert all(isinstance(name, str) for name in names)
    assert len(watched.guardrail) == 3
    assert {watched.model_latency, watched.server_errors, watched.model_errors} == set(watched.guardrail)


def test_the_topic_is_told_when_it_begins_and_when_it_ends(stack, metrics, topic):
    EndpointAlarms(stack, "Alarms", endpoint=metrics, alerts_topic=topic)
    for alarm in alarms(stack).values():
        assert alarm["AlarmActions"] == [topic.topic_arn]
        assert alarm["OKActions"] == [topic.topic_arn]


def test_nobody_is_told_without_a_topic(stack, metrics):
    EndpointAlarms(stack, "Alarms", endpoint=metrics)
    assert not any("AlarmActions" in alarm for alarm in alarms(stack).values())


def test_the_endpoint_that_is_measured_names_its_alarms(stack, metrics, model_image, models):
    watched = EndpointAlarms(stack, "Alarms", endpoint=metrics)
    InferenceEndpoint(
        stack,
        "Endpoint",
        endpoint_name="moderation",
        image=model_image,
        model_bucket=models,
        model_key="model.tar.gz",
        traffic_shifting=TrafficShifting.all_at_once(rollback_alarms=watched.guardrail),
    )
    # Template.from_stack fails on a circle.
    (endpoint,) = Template.from_stack(stack).find_resources("AWS::SageMaker::Endpoint").values()
    rollback = endpoint["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]
    assert len(rollback["Alarms"]) == 3


def test_an_endpoint_can_be_given_in_place_of_its_metrics(stack, model_image, models):
    endpoint = InferenceEndpoint(stack, "Endpoint", image=model_image, model_bucket=models, model_key="model.tar.gz")
    EndpointAlarms(stack, "Alarms", endpoint=endpoint)
    _, part = alarms(stack)["ModelLatency"]["Metrics"]
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in part["MetricStat"]["Metric"]["Dimensions"]}
    assert dimensions == {"EndpointName": endpoint.endpoint_name, "VariantName": "primary"}


@pytest.mark.parametrize("name", ["model_latency_percentile", "server_error_percent", "model_error_percent"])
@pytest.mark.parametrize("percent", [0, 101, -1])
def test_fails_when_it_is_no_percentage(stack, metrics, name, percent):
    with pytest.raises(ValueError, match=f"{name}: got {percent}, allowed: above 0, at most 100"):
        EndpointAlarms(stack, "Alarms", endpoint=metrics, **{name: percent})
