from typing import Any

import pytest
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_fargate_sagemaker.sagemaker import EndpointConfiguration, EndpointMetrics, EndpointVariant

TWO = EndpointConfiguration(variants=[EndpointVariant(name="a"), EndpointVariant(name="b")])


def shown(metric: Any) -> dict[str, Any]:
    """A metric as its configuration has it: names, dimensions and statistic, or the expression and what is in it."""
    if isinstance(metric, cloudwatch.MathExpression):
        return {
            "expression": metric.expression,
            "of": {name: shown(part) for name, part in metric.using_metrics.items()},
        }
    return {
        "metric": f"{metric.namespace} {metric.metric_name}",
        "of": metric.dimensions,
        "statistic": metric.statistic,
        "seconds": metric.period.to_seconds(),
    }


@pytest.fixture
def metrics() -> EndpointMetrics:
    return EndpointMetrics(endpoint_name="moderation")


PRIMARY = EndpointVariant()
OF_PRIMARY = {"EndpointName": "moderation", "VariantName": "primary"}


@pytest.mark.parametrize(
    ("made", "name", "statistic"),
    [
        (lambda m: m.invocations(), "AWS/SageMaker Invocations", "Sum"),
        (lambda m: m.client_errors(), "AWS/SageMaker Invocation4XXErrors", "Sum"),
        (lambda m: m.server_errors(), "AWS/SageMaker Invocation5XXErrors", "Sum"),
        (lambda m: m.model_errors(), "AWS/SageMaker InvocationModelErrors", "Sum"),
        (lambda m: m.invocations_per_instance(PRIMARY), "AWS/SageMaker InvocationsPerInstance", "Sum"),
        (lambda m: m.cpu(PRIMARY), "/aws/sagemaker/Endpoints CPUUtilization", "Average"),
        (lambda m: m.cpu(PRIMARY, statistic="Maximum"), "/aws/sagemaker/Endpoints CPUUtilization", "Maximum"),
        (lambda m: m.memory(PRIMARY), "/aws/sagemaker/Endpoints MemoryUtilization", "Average"),
        (lambda m: m.gpu(PRIMARY), "/aws/sagemaker/Endpoints GPUUtilization", "Average"),
        (lambda m: m.gpu_memory(PRIMARY), "/aws/sagemaker/Endpoints GPUMemoryUtilization", "Average"),
        (lambda m: m.disk(PRIMARY), "/aws/sagemaker/Endpoints DiskUtilization", "Average"),
    ],
)
def test_a_metric_is_sagemakers(metrics: EndpointMetrics, made: Any, name: str, statistic: str) -> None:
    expected = {"metric": name, "of": OF_PRIMARY, "statistic": statistic, "seconds": 60}
    assert shown(made(metrics)) == expected


@pytest.mark.parametrize(
    ("made", "name"),
    [(lambda m: m.model_latency(99), "ModelLatency"), (lambda m: m.overhead_latency(99), "OverheadLatency")],
)
def test_latency_is_in_milliseconds(metrics: EndpointMetrics, made: Any, name: str) -> None:
    latency = shown(made(metrics))
    assert latency["expression"].endswith("_p99 / 1000")
    (microseconds,) = latency["of"].values()
    assert microseconds["metric"] == f"AWS/SageMaker {name}"
    assert microseconds["statistic"] == "p99"


def test_the_slowest_of_several_variants_tells_the_latency() -> None:
    latency = shown(EndpointMetrics(endpoint_name="moderation", configuration=TWO).model_latency(50))
    slowest = latency["of"]["model_p50"]
    assert slowest["expression"] == "MAX([model_p50_0, model_p50_1])"
    assert [part["of"]["VariantName"] for part in slowest["of"].values()] == ["a", "b"]


def test_requests_of_several_variants_are_added() -> None:
    requests = shown(EndpointMetrics(endpoint_name="moderation", configuration=TWO).invocations())
    assert requests["expression"] == "SUM([invocations_0, invocations_1])"


def test_server_errors_as_a_share_of_the_requests(metrics: EndpointMetrics) -> None:
    share = shown(metrics.server_error_percent())
    assert share["expression"] == "100 * server_errors / requests"
    assert share["of"]["server_errors"]["metric"].endswith("Invocation5XXErrors")
    assert share["of"]["requests"]["metric"].endswith(" Invocations")


def test_model_errors_as_a_share_of_the_requests(metrics: EndpointMetrics) -> None:
    share = shown(metrics.model_error_percent())
    assert share["expression"] == "100 * model_errors / requests"
    assert share["of"]["model_errors"]["metric"].endswith("InvocationModelErrors")


def test_instances_are_told_by_what_each_request_reports(metrics: EndpointMetrics) -> None:
    instances = shown(metrics.instances(PRIMARY))
    assert instances["expression"] == "invocations_0 / per_instance_0"
    assert instances["of"]["per_instance_0"]["metric"].endswith("InvocationsPerInstance")


def test_updates_are_counted_by_the_endpoints_name(metrics: EndpointMetrics) -> None:
    expected = {"metric": "ModelReleases EndpointUpdates", "of": {"EndpointName": "moderation"}}
    assert shown(metrics.updates()) == {**expected, "statistic": "Sum", "seconds": 60}
