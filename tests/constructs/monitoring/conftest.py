import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import ModelImage, ModelReleaseWorkflow, TrainingJob


@pytest.fixture
def topic(stack: cdk.Stack) -> sns.ITopic:
    return sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:alerts")


@pytest.fixture
def model_image(stack: cdk.Stack) -> ModelImage:
    return ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "ModelImages", "models"), "1")


@pytest.fixture
def models(stack: cdk.Stack) -> s3.IBucket:
    return s3.Bucket.from_bucket_name(stack, "Models", "posts-and-models")


@pytest.fixture
def workflow(stack: cdk.Stack, topic: sns.ITopic, model_image: ModelImage, models: s3.IBucket) -> ModelReleaseWorkflow:
    return ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=model_image),
        inference_image=model_image,
        data_bucket=models,
        alerts_topic=topic,
    )


@pytest.fixture
def widgets_of(stack: cdk.Stack) -> Callable[..., Any]:
    """The widgets of a stack's only dashboard by their title, each reference in it as `<name>`."""

    def shown(part: Any) -> Any:
        match part:
            case str():
                return part
            case {"Ref": name} | {"Fn::GetAtt": [name, *_]}:
                return f"<{name}>"
        return "<" + json.dumps(part).replace('"', "") + ">"

    def widgets() -> dict[str, Any]:
        (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
        body = dashboard["Properties"]["DashboardBody"]
        text = body if isinstance(body, str) else "".join(map(shown, body["Fn::Join"][1]))
        return {widget["properties"].get("title", widget["type"]): widget for widget in json.loads(text)["widgets"]}

    return widgets
