from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs

from cdk_fargate_sagemaker.fargate import (
    CpuStep,
    MaxCapacityBreachBehavior,
    MetricStep,
    PredictiveScaling,
    RetryQueue,
    ScaledFargateService,
    ServiceMetrics,
    ServiceVpc,
    SpikeScaling,
    SpikeScalingMixin,
    SpotCapacity,
    WebAcl,
)


def vpc(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-11111111",
        vpc_cidr_block="10.0.0.0/16",
        availability_zones=["us-east-1a", "us-east-1b"],
        private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
    )


def scaled_fargate_service(stack: cdk.Stack, **given: Any) -> ScaledFargateService:
    if "bake_time" in given:
        given.setdefault("deployment_strategy", ecs.DeploymentStrategy.BLUE_GREEN)
    given.setdefault("image", ecs.ContainerImage.from_registry("nginx:1.29"))
    if "cluster" not in given:
        given.setdefault("vpc", vpc(stack))
    return ScaledFargateService(stack, "Web", **given)


def spike_scaling(stack: cdk.Stack, **given: Any) -> SpikeScaling:
    if "service" not in given:
        given["service"] = scaled_fargate_service(stack)
    return SpikeScaling(stack, "Spikes", **given)


def predictive_scaling(stack: cdk.Stack, **given: Any) -> PredictiveScaling:
    if "service" not in given:
        given["service"] = scaled_fargate_service(stack)
    if "max_capacity_buffer" in given:
        given.setdefault("max_capacity_breach_behavior", MaxCapacityBreachBehavior.INCREASE_MAX_CAPACITY)
    return PredictiveScaling(stack, "Predictive", **{"target_value": 50, **given})


def cpu_step(stack: cdk.Stack, **given: Any) -> None:
    spike_scaling(stack, steps=CpuStep(**given))


def metric() -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace="Shop", metric_name="Waiting")


def metric_step(stack: cdk.Stack, **given: Any) -> None:
    spike_scaling(stack, metric=metric(), steps=MetricStep(**{"threshold": 100, **given}))


def spot_capacity(stack: cdk.Stack, **given: Any) -> None:
    scaled_fargate_service(stack, spot=SpotCapacity(**given))


def retry_queue(stack: cdk.Stack, **given: Any) -> RetryQueue:
    return RetryQueue(stack, "Unfinished", **given)


def service_vpc(stack: cdk.Stack, **given: Any) -> ServiceVpc:
    return ServiceVpc(stack, "Network", **given)


def web_acl(stack: cdk.Stack, **given: Any) -> WebAcl:
    if "load_balancer" not in given:
        given["load_balancer"] = scaled_fargate_service(stack).load_balancer
    return WebAcl(stack, "WebAcl", **given)


def track_memory(stack: cdk.Stack, **given: Any) -> None:
    scaled_fargate_service(stack).track_memory(**{"target_percent": 60, **given})


def track_requests(stack: cdk.Stack, **given: Any) -> None:
    scaled_fargate_service(stack).track_requests(**{"requests_per_task": 600, **given})


def track_metric(stack: cdk.Stack, **given: Any) -> None:
    scaled_fargate_service(stack).track_metric("Waiting", **{"metric": metric(), "target_value": 10, **given})


def schedule_tasks(stack: cdk.Stack, **given: Any) -> None:
    if "min_tasks" in given:
        given.setdefault("max_tasks", 5000)
    schedule = {"schedule": applicationautoscaling.Schedule.cron(hour="8"), "time_zone": cdk.TimeZone.ASIA_TOKYO}
    scaled_fargate_service(stack).schedule_tasks("Morning", **{**schedule, **given})


def service_metrics(stack: cdk.Stack, **given: Any) -> None:
    metrics = ServiceMetrics(service=scaled_fargate_service(stack).service, **given)
    show(stack, metrics.running_tasks())


def of_metrics(name: str) -> Callable[..., None]:
    def make(stack: cdk.Stack, **given: Any) -> None:
        show(stack, getattr(scaled_fargate_service(stack).metrics, name)(**given))

    return make


def show(stack: cdk.Stack, made: cloudwatch.IMetric) -> None:
    cloudwatch.Dashboard(stack, "Shown", widgets=[[cloudwatch.GraphWidget(left=[made])]])


def spike_scaling_mixin(stack: cdk.Stack, **given: Any) -> None:
    scaled_fargate_service(stack).with_(SpikeScalingMixin(**given))


_READ_ONLY = "is read from a declared service and given by nobody"

MINIMAL = {
    "CpuStep": cpu_step,
    "MetricStep": metric_step,
    "PredictiveScaling": predictive_scaling,
    "RetryQueue": retry_queue,
    "ScaledFargateService": scaled_fargate_service,
    "ScaledFargateService.schedule_tasks": schedule_tasks,
    "ScaledFargateService.track_memory": track_memory,
    "ScaledFargateService.track_metric": track_metric,
    "ScaledFargateService.track_requests": track_requests,
    "ScheduledBounds": _READ_ONLY,
    "ServiceMetrics": service_metrics,
    "ServiceMetrics.cost_per_hour": of_metrics("cost_per_hour"),
    "ServiceMetrics.response_time": of_metrics("response_time"),
    "ServiceScaling": _READ_ONLY,
    "ServiceVpc": service_vpc,
    "SpikeBand": _READ_ONLY,
    "SpikePolicy": _READ_ONLY,
    "SpikeScaling": spike_scaling,
    "SpikeScalingMixin": spike_scaling_mixin,
    "SpotCapacity": spot_capacity,
    "TrackingPolicy": _READ_ONLY,
    "WebAcl": web_acl,
}
