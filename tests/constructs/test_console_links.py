"""Links into the console name the host of the partition that the stack is in."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import WorkflowDashboard
from cdk_fargate_sagemaker.sagemaker import ModelImage, ModelReleaseWorkflow, TrainingJob


def template(region: str | None) -> Template:
    stack = cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(region=region))
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    workflow = ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(stack, "Posts", "posts"),
        alerts_topic=sns.Topic(stack, "Topic"),
    )
    WorkflowDashboard(stack, "Dashboard", workflow=workflow)
    return Template.from_stack(stack)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_alerts_and_dashboard_link_to_the_partitions_console(region: str, host: str) -> None:
    found = template(region)
    for kind, count in (("AWS::StepFunctions::StateMachine", 2), ("AWS::CloudWatch::Dashboard", 1)):
        resources = found.find_resources(kind)
        assert len(resources) == count
        for resource in resources.values():
            text = json.dumps(resource)
            assert f"https://{host}/states/home?region={region}" in text
            assert text.count(".console.") == text.count(f"https://{host}/")


def test_where_only_the_deployment_knows_the_region_it_looks_the_host_up() -> None:
    found = template(None)
    hosts = found.find_mappings("ConsoleHosts")["ConsoleHosts"]
    assert hosts["aws"] == {"host": "console.aws.amazon.com"}
    assert hosts["aws-cn"] == {"host": "console.amazonaws.cn"}
    looked_up = json.dumps({"Fn::FindInMap": ["ConsoleHosts", {"Ref": "AWS::Partition"}, "host"]})
    for kind in ("AWS::StepFunctions::StateMachine", "AWS::CloudWatch::Dashboard"):
        for resource in found.find_resources(kind).values():
            text = json.dumps(resource)
            assert looked_up in text
            assert "amazon.com" not in text
