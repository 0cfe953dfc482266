"""The dashboards of the model half and of its reviewers, drawn as a user draws them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from PIL import Image

from cdk_fargate_sagemaker.monitoring import EndpointAlarms, EndpointDashboard, ReviewDashboard, WorkflowDashboard
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointScaling,
    EndpointVariant,
    ModelImage,
    ModelReleaseWorkflow,
    TrainingJob,
)

PURPLE = (0x94, 0x67, 0xBD)


@pytest.fixture(scope="module")
def drawn(
    fargate_capacity: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    assembly, output = tmp_path_factory.mktemp("assembly"), tmp_path_factory.mktemp("preview")
    app = App(outdir=str(assembly))
    stack = Stack(app, "Model")
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    scaling = EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600)
    metrics = EndpointMetrics(
        endpoint_name="moderation", configuration=EndpointConfiguration(variants=[EndpointVariant(scaling=scaling)])
    )
    alarms = EndpointAlarms(stack, "Alarms", endpoint=metrics, model_latency=Duration.millis(250))
    workflow = ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(stack, "Data", "posts-and-models"),
        alerts_topic=sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:alerts"),
        configuration=metrics.configuration,
    )
    EndpointDashboard(
        stack, "Endpoint", endpoint=metrics, alarms=alarms, workflow=workflow, dashboard_name="moderation-endpoint"
    )
    WorkflowDashboard(stack, "Releases", workflow=workflow, dashboard_name="moderation-releases")
    ReviewDashboard(stack, "Monitor", reviews=ReviewQueue(stack, "Reviews"), dashboard_name="moderation-reviews")
    app.synth()
    result = fargate_capacity("preview", assembly, "--output", output)
    assert result.returncode == 0, result.stderr
    return output


@pytest.mark.parametrize(
    ("name", "rows"),
    [("moderation-endpoint", 4 * 7), ("moderation-releases", 4 + 3 * 7), ("moderation-reviews", 3 * 7)],
)
def test_each_is_a_picture(drawn: Path, name: str, rows: int) -> None:
    with Image.open(drawn / f"{name}.png") as picture:
        width, height = picture.size
    assert width == round((24 * 60 + 32) * 1.5)
    assert height > 1.5 * 50 * rows


def test_a_release_is_a_line_over_the_full_height(drawn: Path) -> None:
    with Image.open(drawn / "moderation-endpoint.png") as picture:
        graph = picture.convert("RGB").crop((0, 0, picture.width // 2, picture.height // 4))
    # A spike between two points, five minutes wide at its foot: purple on each row of the graph.
    rows = [y for y in range(graph.height) if any(graph.getpixel((x, y)) == PURPLE for x in range(graph.width))]
    assert len(rows) > 0.4 * graph.height


def test_the_page_has_every_widget_and_every_line(drawn: Path) -> None:
    page = (drawn / "index.html").read_text(encoding="utf-8")
    for text in (
        "Invocations a minute",
        "Overhead latency, ms",
        "CPU, % of a core",
        "primary: most",
        "release",
        "Releases, total in each period",
        "Calls that failed, newest first",
        "To roll back start",
        "Violations that are flagged (recall), %",
        "at least (95 %)",
    ):
        assert text in page, text
