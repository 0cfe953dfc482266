from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointVariant,
    InferenceEndpoint,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    TrainingJob,
    TransformJob,
)

IMAGES = Path(__file__).parents[1] / "sagemaker" / "images"


def repository(stack: cdk.Stack) -> ecr.IRepository:
    return ecr.Repository.from_repository_name(stack, "Repository", "models")


def inference_endpoint(stack: cdk.Stack, variant: EndpointVariant) -> InferenceEndpoint:
    return InferenceEndpoint(
        stack,
        "Endpoint",
        image=ModelImage.from_ecr_repository(repository(stack), "1.4.2"),
        model_bucket=s3.Bucket.from_bucket_name(stack, "Models", "models"),
        model_key="models/1/model.tar.gz",
        configuration=EndpointConfiguration(variants=[variant]),
    )


def endpoint_variant(stack: cdk.Stack, **given: Any) -> InferenceEndpoint:
    return inference_endpoint(stack, EndpointVariant(**given))


def transform_job(stack: cdk.Stack, **given: Any) -> ModelReleaseWorkflow:
    image = ModelImage.from_ecr_repository(repository(stack), "1.4.2")
    return ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(stack, "Data", "data"),
        alerts_topic=AlertsTopic(stack, "Alerts"),
        evaluate=ModelEvaluation(score_current=TransformJob(**given)),
    )


MINIMAL = {
    "EndpointVariant": endpoint_variant,
    "TransformJob": transform_job,
}
