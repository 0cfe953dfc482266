from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.monitoring import (
    EndpointAlarms,
    FallbackAlarms,
    ModelDrift,
    ReviewAlarms,
    ServiceAlarms,
    WorkflowAlarms,
)
from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, ModelImage, ModelReleaseWorkflow, TrainingJob
from tests.constructs.minimal.fargate import scaled_fargate_service
from tests.constructs.minimal.review import imported_review_queue


def topic(stack: cdk.Stack) -> sns.ITopic:
    return sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:alerts")


def release_workflow(stack: cdk.Stack) -> ModelReleaseWorkflow:
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    return ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(stack, "Data", "posts-and-models"),
        alerts_topic=topic(stack),
    )


def service_alarms(stack: cdk.Stack, **given: Any) -> ServiceAlarms:
    service = given.pop("service", None) or scaled_fargate_service(stack)
    return ServiceAlarms(stack, "Alarms", service=service, **given)


def endpoint_alarms(stack: cdk.Stack, **given: Any) -> EndpointAlarms:
    return EndpointAlarms(stack, "Alarms", **{"endpoint": EndpointMetrics(endpoint_name="moderation"), **given})


def workflow_alarms(stack: cdk.Stack, **given: Any) -> WorkflowAlarms:
    return WorkflowAlarms(stack, "Alarms", workflow=release_workflow(stack), **given)


def review_alarms(stack: cdk.Stack, **given: Any) -> ReviewAlarms:
    reviews = given.pop("reviews", None) or imported_review_queue(stack)
    chosen = {"namespace": "Moderation/Api", "service_name": "moderation", **given}
    return ReviewAlarms(stack, "Alarms", reviews=reviews, **chosen)


def model_drift(stack: cdk.Stack, **given: Any) -> ModelDrift:
    reviews = given.pop("reviews", None) or imported_review_queue(stack)
    workflow = given.pop("workflow", None) or release_workflow(stack)
    return ModelDrift(stack, "Drift", reviews=reviews, workflow=workflow, **given)


def fallback_alarms(stack: cdk.Stack, **given: Any) -> FallbackAlarms:
    return FallbackAlarms(stack, "Alarms", **{"namespace": "Forum", "service_name": "forum", **given})


MINIMAL = {
    "EndpointAlarms": endpoint_alarms,
    "FallbackAlarms": fallback_alarms,
    "FallbackAlarms.metric_fallback_percent": lambda stack, **given: fallback_alarms(stack).metric_fallback_percent(
        **given
    ),
    "ModelDrift": model_drift,
    "ReviewAlarms": review_alarms,
    "ServiceAlarms": service_alarms,
    "WorkflowAlarms": workflow_alarms,
}
