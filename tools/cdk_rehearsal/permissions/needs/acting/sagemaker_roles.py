"""The execution roles of SageMaker's jobs and models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting.acting_needs import SAGEMAKER_NETWORK, ActingNeeds
from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.arns import arn, sagemaker_arn
from cdk_rehearsal.permissions.needs.world import World

_SERVICE = "sagemaker.amazonaws.com"


def training_job_role_needs(parameters: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        parameters: the parameters of CreateTrainingJob.
        world: look-ups in the account's state.
    """
    acting = _acting(parameters.get("RoleArn", ""), "training-job", parameters.get("TrainingJobName", ""), world)
    job = parameters.get("TrainingJobName", "")
    output = parameters.get("OutputDataConfig") or {}
    found = [
        *_as_every_job(acting, "TrainingJobs", f"{job}/algo-1"),
        *acting.image("sagemaker_image", (parameters.get("AlgorithmSpecification") or {}).get("TrainingImage", "")),
        *_network(acting, parameters.get("VpcConfig")),
    ]
    for channel in parameters.get("InputDataConfig") or ():
        source = (channel.get("DataSource") or {}).get("S3DataSource") or {}
        found += acting.reads("sagemaker_data", source["S3Uri"]) if "S3Uri" in source else ()
    if path := output.get("S3OutputPath"):
        found += acting.writes("sagemaker_data", path, f"{job}/output/model.tar.gz", kms=output.get("KmsKeyId"))
    if path := (parameters.get("CheckpointConfig") or {}).get("S3Uri"):
        found += acting.reads("sagemaker_data", path)
        found += acting.writes("sagemaker_data", path, "checkpoint")
    found += _output_key(acting, output.get("KmsKeyId"))
    return tuple(dict.fromkeys(found))


def processing_job_role_needs(parameters: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        parameters: the parameters of CreateProcessingJob.
        world: look-ups in the account's state.
    """
    job = parameters.get("ProcessingJobName", "")
    acting = _acting(parameters.get("RoleArn", ""), "processing-job", job, world)
    outputs = parameters.get("ProcessingOutputConfig") or {}
    key = outputs.get("KmsKeyId")
    found = [
        *_as_every_job(acting, "ProcessingJobs", f"{job}/algo-1"),
        *acting.image("sagemaker_image", (parameters.get("AppSpecification") or {}).get("ImageUri", "")),
        *_network(acting, (parameters.get("NetworkConfig") or {}).get("VpcConfig")),
    ]
    for each in parameters.get("ProcessingInputs") or ():
        if uri := (each.get("S3Input") or {}).get("S3Uri"):
            found += acting.reads("sagemaker_data", uri)
    for each in outputs.get("Outputs") or ():
        if uri := (each.get("S3Output") or {}).get("S3Uri"):
            found += acting.writes("sagemaker_data", uri, "output", kms=key)
    found += _output_key(acting, key)
    return tuple(dict.fromkeys(found))


def transform_job_role_needs(parameters: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """The needs of the model's role: a transform job has no role.

    Args:
        parameters: the parameters of CreateTransformJob.
        world: look-ups in the account's state.
    """
    model = world.described("sagemaker:model", parameters.get("ModelName", "")) or {}
    job = parameters.get("TransformJobName", "")
    acting = _acting(model.get("ExecutionRoleArn", ""), "transform-job", job, world)
    output = parameters.get("TransformOutput") or {}
    source = ((parameters.get("TransformInput") or {}).get("DataSource") or {}).get("S3DataSource") or {}
    found = [
        *_as_every_job(acting, "TransformJobs", f"{job}/instance"),
        *_artifacts(acting, model),
    ]
    found += acting.reads("sagemaker_data", source["S3Uri"]) if "S3Uri" in source else ()
    if path := output.get("S3OutputPath"):
        found += acting.writes("sagemaker_data", path, "input.out", kms=output.get("KmsKeyId"))
    found += _output_key(acting, output.get("KmsKeyId"))
    return tuple(dict.fromkeys(found))


def model_role_needs(parameters: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """The needs of a served model: its image and its artifacts.

    Args:
        parameters: the parameters of CreateModel.
        world: look-ups in the account's state.
    """
    acting = _acting(parameters.get("ExecutionRoleArn", ""), "model", parameters.get("ModelName", ""), world)
    return tuple(dict.fromkeys(_artifacts(acting, parameters)))


def endpoint_role_needs(parameters: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """The needs of the roles of an endpoint's models, during deployment and in service.

    Args:
        parameters: the parameters of CreateEndpoint or UpdateEndpoint.
        world: look-ups in the account's state.
    """
    endpoint = parameters.get("EndpointName", "")
    config = world.described("sagemaker:endpoint-config", parameters.get("EndpointConfigName", "")) or {}
    deployment = parameters.get("DeploymentConfig") or {}
    alarms = (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms") or ()
    capture = config.get("DataCaptureConfig") or {}
    found: list[ActingNeed] = []
    for variant in config.get("ProductionVariants") or ():
        model = world.described("sagemaker:model", variant.get("ModelName", "")) or {}
        role = model.get("ExecutionRoleArn") or config.get("ExecutionRoleArn", "")
        acting = _acting(role, "endpoint", endpoint, world)
        found += _as_every_job(acting, f"Endpoints/{endpoint}", f"{variant.get('VariantName', '')}/instance")
        found += _artifacts(acting, model)
        for alarm in alarms:
            resource = arn(world, "cloudwatch", f"alarm:{alarm['AlarmName']}")
            found.append(acting.need("sagemaker_rollback_alarms", "cloudwatch:DescribeAlarms", resource))
        if capture.get("EnableCapture") and (path := capture.get("DestinationS3Uri")):
            name = f"{endpoint}/{variant.get('VariantName', '')}/capture.jsonl"
            found += acting.writes("sagemaker_capture", path, name, kms=capture.get("KmsKeyId"))
    return tuple(dict.fromkeys(found))


def _acting(role: str, kind: str, name: str, world: World) -> ActingNeeds:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html"""
    return ActingNeeds(actor=Actor(service=_SERVICE, role=role, source=sagemaker_arn(world, kind, name)), world=world)


def _as_every_job(acting: ActingNeeds, group: str, stream: str) -> Iterator[ActingNeed]:
    yield from acting.logs("sagemaker_logs", f"/aws/sagemaker/{group}", stream, makes_group=True)
    namespace = f"/aws/sagemaker/{group.partition('/')[0]}"
    yield acting.need("sagemaker_metrics", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace})


def _artifacts(acting: ActingNeeds, model: Mapping[str, Any]) -> Iterator[ActingNeed]:
    containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers") or ()
    for container in containers:
        yield from acting.image("sagemaker_image", container.get("Image", ""))
        source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
        if uri := container.get("ModelDataUrl") or source.get("S3Uri"):
            yield from acting.reads("sagemaker_data", uri)
    yield from _network(acting, model.get("VpcConfig"))


def _network(acting: ActingNeeds, vpc: Mapping[str, Any] | None) -> Iterator[ActingNeed]:
    if vpc:
        yield from acting.network(
            "sagemaker_vpc",
            SAGEMAKER_NETWORK,
            subnets=vpc.get("Subnets") or (),
            security_groups=vpc.get("SecurityGroupIds") or (),
        )


def _output_key(acting: ActingNeeds, key: str | None) -> Iterator[ActingNeed]:
    if key:
        yield from acting.key("sagemaker_output_key", key, "Encrypt", via="s3")
