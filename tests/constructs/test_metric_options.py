"""Every `metric_*` takes what the CDK's take."""

import inspect
from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.fargate import RetryQueue, ScaledFargateService
from cdk_fargate_sagemaker.notifications import SlackNotifier
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
    ModelReleaseWorkflow,
    TrainingJob,
)

LOOKS = {"label": "mine", "color": "#123456"}
OF_METRICS = {"region": "eu-west-1", "account": "444455556666"}
TWO = EndpointConfiguration(variants=[EndpointVariant(name="a"), EndpointVariant(name="b")])


def _constructs() -> Iterator[Any]:
    stack = cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account="111122223333", region="eu-central-1"))
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    bucket = s3.Bucket.from_bucket_name(stack, "Models", "models")
    topic = sns.Topic(stack, "Topic")
    yield InferenceEndpoint(stack, "One", image=image, model_bucket=bucket, model_key="1.tar.gz")
    yield InferenceEndpoint(stack, "Two", image=image, model_bucket=bucket, model_key="1.tar.gz", configuration=TWO)
    workflow = ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="reviews",
        inference_image=image,
        train=TrainingJob(image=image),
        data_bucket=bucket,
        alerts_topic=topic,
    )
    yield workflow
    yield workflow.rollback
    yield SlackNotifier(stack, "Slack", topic=topic, webhook_secret=secretsmanager.Secret(stack, "Webhook"))
    yield ReviewQueue(stack, "Reviews")
    yield RetryQueue(stack, "Unfinished")
    yield ScaledFargateService(
        stack, "Web", vpc=ec2.Vpc(stack, "Vpc"), image=ecs.ContainerImage.from_registry("nginx:1.29")
    )


def _methods() -> list[Any]:
    return [
        pytest.param(getattr(construct, name), id=f"{construct.node.path} {name}")
        for construct in _constructs()
        for name in dir(type(construct))
        if name.startswith("metric_") and callable(getattr(type(construct), name))
    ]


def _made(method: Any, **options: Any) -> list[Any]:
    needed = (
        {"namespace": "Shop", "service_name": "api"} if "service_name" in inspect.signature(method).parameters else {}
    )
    metrics = method(**needed, **options)
    return list(metrics) if isinstance(metrics, tuple) else [metrics]


def _parts(metric: Any) -> Iterator[Any]:
    if not isinstance(metric, cloudwatch.MathExpression):
        yield metric
        return
    for part in metric.using_metrics.values():
        yield from _parts(part)


@pytest.mark.parametrize("method", _methods())
def test_the_cdks_metric_options_are_taken(method: Any) -> None:
    options = {**LOOKS, **OF_METRICS, "period": cdk.Duration.hours(3), "statistic": "p12"}
    for metric in _made(method, **options):
        assert (metric.label, metric.color) == ("mine", "#123456")
        assert metric.period.to_hours() == 3
        for part in _parts(metric):
            assert (part.region, part.account) == ("eu-west-1", "444455556666")
            assert (part.statistic, part.period.to_hours()) == ("p12", 3)


@pytest.mark.parametrize("method", _methods())
def test_an_option_that_there_is_not_is_refused(method: Any) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'peroid', allowed: account, color, label, period"):
        _made(method, peroid=cdk.Duration.hours(3))


def test_another_statistic_of_a_latency_names_it() -> None:
    latency = EndpointMetrics(endpoint_name="reviews").model_latency(99, statistic="Average")
    assert isinstance(latency, cloudwatch.MathExpression)
    assert latency.label == "model Average"
    (part,) = _parts(latency)
    assert part.statistic == "Average"


@pytest.mark.parametrize("make", ["instances", "server_error_percent", "model_error_percent"])
def test_what_one_statistic_alone_makes_sense_of_takes_no_other(make: str) -> None:
    metrics = EndpointMetrics(endpoint_name="reviews", configuration=TWO)
    of = [TWO.variants[0]] if make == "instances" else []
    made = getattr(metrics, make)(*of, period=cdk.Duration.hours(1), region="eu-west-1")
    assert {(part.period.to_hours(), part.region) for part in _parts(made)} == {(1, "eu-west-1")}
    with pytest.raises(TypeError, match="unexpected keyword argument 'statistic'"):
        getattr(metrics, make)(*of, statistic="Average")


@pytest.mark.parametrize("method", _methods())
def test_a_period_known_at_deployment_only_is_refused(method: Any) -> None:
    token = cdk.CfnParameter(cdk.Stack(cdk.App(), "Other"), "Period", type="Number").value_as_number
    with pytest.raises(InvalidArgumentError, match=r"^period: got a token, known at deployment only, allowed: "):
        _made(method, period=cdk.Duration.seconds(token))
