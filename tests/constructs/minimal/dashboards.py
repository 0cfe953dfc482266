from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.fargate import ServiceMetrics
from cdk_fargate_sagemaker.monitoring import (
    EndpointDashboard,
    FargatePrice,
    ReviewDashboard,
    ServiceDashboard,
    WorkflowDashboard,
)
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, ModelImage, ModelReleaseWorkflow, TrainingJob
from tests.constructs.minimal.fargate import scaled_fargate_service


def workflow(stack: cdk.Stack) -> ModelReleaseWorkflow:
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    return ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="reviews",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(stack, "Data", "posts-and-models"),
        alerts_topic=sns.Topic(stack, "Topic"),
    )


def service_dashboard(stack: cdk.Stack, **given: Any) -> ServiceDashboard:
    return ServiceDashboard(stack, "Monitor", service=scaled_fargate_service(stack), **given)


def endpoint_dashboard(stack: cdk.Stack, **given: Any) -> EndpointDashboard:
    return EndpointDashboard(stack, "Endpoint", **{"endpoint": EndpointMetrics(endpoint_name="reviews"), **given})


def workflow_dashboard(stack: cdk.Stack, **given: Any) -> WorkflowDashboard:
    return WorkflowDashboard(stack, "Releases", **{"workflow": workflow(stack), **given})


def review_dashboard(stack: cdk.Stack, **given: Any) -> ReviewDashboard:
    return ReviewDashboard(stack, "ReviewMonitor", **{"reviews": ReviewQueue(stack, "Reviews"), **given})


def fargate_price(stack: cdk.Stack, **given: Any) -> None:
    service_dashboard(stack, price=FargatePrice(**{"vcpu_hour": 0.04, "gib_hour": 0.005, **given}))


def task_hour(stack: cdk.Stack, **given: Any) -> float:
    return FargatePrice(vcpu_hour=0.04, gib_hour=0.005).task_hour(**{"cpu": 512, "memory_mib": 1024, **given})


def service_metrics(stack: cdk.Stack, **given: Any) -> None:
    service = scaled_fargate_service(stack)
    draw(stack, ServiceMetrics(service=service.service, **given).average_running_tasks())


def cost_per_hour(stack: cdk.Stack, **given: Any) -> None:
    draw(stack, scaled_fargate_service(stack).metrics.cost_per_hour(**given))


def response_time(stack: cdk.Stack, **given: Any) -> None:
    draw(stack, scaled_fargate_service(stack).metrics.response_time(**given))


def model_latency(stack: cdk.Stack, **given: Any) -> None:
    draw(stack, EndpointMetrics(endpoint_name="reviews").model_latency(**given))


def overhead_latency(stack: cdk.Stack, **given: Any) -> None:
    draw(stack, EndpointMetrics(endpoint_name="reviews").overhead_latency(**given))


def draw(stack: cdk.Stack, metric: cloudwatch.IMetric) -> None:
    cloudwatch.Dashboard(stack, "Board").add_widgets(cloudwatch.GraphWidget(left=[metric]))


MINIMAL = {
    "EndpointDashboard": endpoint_dashboard,
    "EndpointMetrics.model_latency": model_latency,
    "EndpointMetrics.overhead_latency": overhead_latency,
    "FargatePrice": fargate_price,
    "FargatePrice.task_hour": task_hour,
    "ReviewDashboard": review_dashboard,
    "ServiceDashboard": service_dashboard,
    "ServiceMetrics": service_metrics,
    "ServiceMetrics.cost_per_hour": cost_per_hour,
    "ServiceMetrics.response_time": response_time,
    "WorkflowDashboard": workflow_dashboard,
}
