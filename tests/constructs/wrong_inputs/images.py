from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2

from cdk_fargate_sagemaker.sagemaker import (
    EndpointScaling,
    EndpointVariant,
    ModelImage,
    ServerlessInference,
    TransformJob,
)
from tests.constructs.minimal.images import IMAGES, repository
from tests.constructs.wrong_inputs import WrongInput

SCALING = EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600)


def variant(id: str, refused: str, **given: Any) -> WrongInput:
    return WrongInput(id, lambda stack: EndpointVariant(**given), f"{refused}, allowed: ")


def transform(id: str, refused: str, **given: Any) -> WrongInput:
    return WrongInput(id, lambda stack: TransformJob(**given), f"{refused}, allowed: ")


def asset(id: str, refused: str, directory: Any = IMAGES / "inference", **given: Any) -> WrongInput:
    return WrongInput(id, lambda stack: ModelImage.from_asset(directory, **given), f"{refused}, allowed: ")


WRONG = [
    variant("a-variant-with-spaces", "name: got 'a b'", name="a b"),
    variant("a-variant-numbered", "name: got 1", name=1),
    variant(
        "an-ec2-instance-type",
        "instance_type: got an InstanceType",
        instance_type=ec2.InstanceType.of(ec2.InstanceClass.M5, ec2.InstanceSize.LARGE),
    ),
    variant("ml-twice", "instance_type: got 'ml.ml.m5.large'", instance_type="ml.ml.m5.large"),
    variant("text-for-a-count", "count: got '2'", count="2"),
    variant("half-an-instance", "count: got 1.5", count=1.5),
    variant("no-instance", "count: got 0", count=0),
    variant("fewer-than-scaling-keeps", "count: got 1", count=1, scaling=SCALING),
    variant("text-for-a-weight", "weight: got '1'", weight="1"),
    variant("a-weight-that-is-no-number", "weight: got nan", weight=float("nan")),
    variant("half-a-gib", "volume_gib: got 0.5", volume_gib=0.5),
    variant("seconds-for-a-timeout", "startup_timeout: got 300", startup_timeout=300),
    variant("two-hours-to-start", "startup_timeout: got 2 hours", startup_timeout=Duration.hours(2)),
    variant("a-bare-minimum-for-scaling", "scaling: got 2", scaling=2),
    variant(
        "an-ami-of-ec2",
        "inference_ami: got 'ami-0abcdef1234567890'",
        instance_type="ml.g5.xlarge",
        inference_ami="ami-0abcdef1234567890",
    ),
    variant(
        "a-gpu-driver-without-gpu",
        "inference_ami: got 'al2-ami-sagemaker-inference-gpu-3-1' for ml.m5.large",
        inference_ami="al2-ami-sagemaker-inference-gpu-3-1",
    ),
    variant(
        "a-neuron-driver-for-a-gpu",
        "inference_ami: got 'al2-ami-sagemaker-inference-neuron-2' for ml.g5.xlarge",
        instance_type="ml.g5.xlarge",
        inference_ami="al2-ami-sagemaker-inference-neuron-2",
    ),
    variant(
        "a-driver-for-serverless",
        "inference_ami: got 'al2-ami-sagemaker-inference-gpu-3-1'",
        serverless=ServerlessInference(),
        inference_ami="al2-ami-sagemaker-inference-gpu-3-1",
    ),
    variant("serverless-by-a-flag", "serverless: got True", serverless=True),
    transform("a-burstable-transform", "instance_type: got 'ml.t2.medium'", instance_type="ml.t2.medium"),
    transform("seconds-for-a-runtime", "max_runtime: got 3600", max_runtime=3600),
    transform("a-transform-of-seconds", "max_runtime: got 59 seconds", max_runtime=Duration.seconds(59)),
    transform(
        "an-endpoints-driver-for-a-transform",
        "transform_ami: got 'al2-ami-sagemaker-inference-gpu-2'",
        instance_type="ml.g5.xlarge",
        transform_ami="al2-ami-sagemaker-inference-gpu-2",
    ),
    transform(
        "a-gpu-transform-on-a-cpu",
        "transform_ami: got 'al2-ami-sagemaker-batch-gpu-535' for ml.m5.large",
        transform_ami="al2-ami-sagemaker-batch-gpu-535",
    ),
    asset("no-dockerfile", "directory: got '.'", "."),
    asset("no-folder", "directory: got none", None),
    asset("platform-by-name", "platform: got 'linux/amd64'", platform="linux/amd64"),
    asset("build-arguments-in-a-list", "build_args: got a list", build_args=["A=b"]),
    asset("a-number-for-a-build-argument", "build_args['A']: got 1", build_args={"A": 1}),
    asset("one-output", "outputs: got 'type=docker'", outputs="type=docker"),
    WrongInput(
        "a-repositorys-name",
        lambda stack: ModelImage.from_ecr_repository("models", "1.4.2"),
        "repository: got 'models', allowed: ",
    ),
    WrongInput(
        "a-tag-with-a-colon",
        lambda stack: ModelImage.from_ecr_repository(repository(stack), "models:1.4.2"),
        "tag_or_digest: got 'models:1.4.2', allowed: ",
    ),
]
