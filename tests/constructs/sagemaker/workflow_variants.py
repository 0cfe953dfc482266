"""What a release workflow may be given, from next to nothing to everything."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    AthenaUnload,
    DataCapture,
    DynamoDbExport,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    EvaluationGate,
    InputChannel,
    LabelledData,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    ProcessingJob,
    ReviewDecisions,
    TrafficShifting,
    TrainingJob,
    VpcPlacement,
)

Given = Callable[..., dict[str, Any]]


def make_release_workflow(stack: cdk.Stack, image: ModelImage, **given: Any) -> ModelReleaseWorkflow:
    """A workflow in `stack`, with what `given` leaves out."""
    defaults: dict[str, Any] = {
        "endpoint_name": "moderation-dev",
        "train": TrainingJob(image=image),
        "inference_image": image,
        "data_bucket": s3.Bucket(stack, "Data"),
        "alerts_topic": AlertsTopic(stack, "Alerts"),
    }
    return ModelReleaseWorkflow(stack, "Release", **(defaults | given))


def with_nothing(stack: cdk.Stack, image: ModelImage) -> dict[str, Any]:
    return {}


def without_most(stack: cdk.Stack, image: ModelImage) -> dict[str, Any]:
    return dict.fromkeys(("source", "train", "evaluate", "check"))


def from_dynamodb(stack: cdk.Stack, image: ModelImage) -> dict[str, Any]:
    return {
        "source": DynamoDbExport(
            table=dynamodb.Table.from_table_name(stack, "Posts", "posts"),
            reviews=ReviewDecisions(table=dynamodb.Table.from_table_name(stack, "Reviews", "reviews")),
        ),
    }


def with_everything(stack: cdk.Stack, image: ModelImage) -> dict[str, Any]:
    """Every state and every permission."""
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-11111111",
        availability_zones=["us-east-1a"],
        private_subnet_ids=["subnet-aaaaaaaa"],
    )
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-22222222")
    placement = VpcPlacement(vpc=vpc, security_groups=[group])
    data = s3.Bucket.from_bucket_name(stack, "Warehouse", "warehouse")
    alarm = cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:latency")
    return {
        "source": AthenaUnload(
            query="SELECT text, label FROM posts WHERE source = 'reviews \"2026\"'",
            database="moderation",
            tables=["posts"],
            bucket=data,
            prefix="posts/",
            reviews=ReviewDecisions(
                table=dynamodb.Table.from_table_attributes(
                    stack,
                    "Reviewed",
                    table_name="reviewed",
                    encryption_key=kms.Key.from_key_arn(
                        stack, "ReviewedKey", "arn:aws:kms:us-east-1:123456789012:key/reviewed"
                    ),
                ),
                max_runtime=cdk.Duration.minutes(3),
            ),
        ),
        "start_on_new_labels": 500,
        "preprocess": ProcessingJob(image=image, arguments=["--strip"], vpc=placement),
        "train": TrainingJob(
            image=image,
            spot_max_wait=cdk.Duration.hours(6),
            vpc=placement,
            channels=[InputChannel(name="pretrained", prefix="pretrained/1/", remedy="upload it")],
        ),
        "evaluate": ModelEvaluation(
            gate=EvaluationGate(
                at_least={"auc": 0.8, "recall": 0.5}, may_worsen={"auc": 0.01, "average_precision": 0.02}
            )
        ),
        "configuration": EndpointConfiguration(
            variants=[
                EndpointVariant(scaling=EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600))
            ],
            data_capture=DataCapture(bucket=data),
            vpc=placement,
        ),
        "traffic_shifting": TrafficShifting.canary(percent=10, rollback_alarms=[alarm]),
        "schedule": events.Schedule.cron(week_day="MON", hour="3", minute="0"),
    }


def with_longest_names(stack: cdk.Stack, image: ModelImage) -> dict[str, Any]:
    """Names as long as the constructs take them."""
    scaling = EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600)
    return {
        "endpoint_name": "e" * 40,
        "source": LabelledData(
            reviews=ReviewDecisions(table=dynamodb.Table.from_table_name(stack, "Reviews", "r" * 255))
        ),
        "preprocess": ProcessingJob(image=image),
        "train": TrainingJob(image=image, checkpoints=True),
        "configuration": EndpointConfiguration(
            variants=[EndpointVariant(name=f"{letter}{'v' * 62}", count=2, scaling=scaling) for letter in ("a", "b")],
        ),
    }


VARIANTS: dict[str, Given] = {
    "nothing": with_nothing,
    "everything": with_everything,
    "without most": without_most,
    "from DynamoDB": from_dynamodb,
    "longest names": with_longest_names,
}
