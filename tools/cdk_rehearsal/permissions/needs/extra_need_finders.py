"""The functions that the rows of `extra_needs` name: each returns the additional permissions of a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cdk_rehearsal.permissions.needs.arns import (
    account_of,
    arn,
    bucket_arn,
    function_arn,
    parameter_arn,
    queue_arn,
    s3_location,
    secret_arn,
    table_arn,
)
from cdk_rehearsal.permissions.needs.key_use import key_use
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.world import World


def deployed_volume(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    config = world.described("sagemaker:endpoint-config", parameters.get("EndpointConfigName", "")) or {}
    if key := config.get("KmsKeyId"):
        yield from key_use(key, ("CreateGrant", "DescribeKey"), world=world, because=because, via="sagemaker")


def job_volume(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    cluster = (parameters.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    resources = parameters.get("ResourceConfig") or parameters.get("TransformResources") or cluster
    if key := resources.get("VolumeKmsKeyId"):
        role = parameters.get("RoleArn") or _role_of_model(parameters.get("ModelName", ""), world)
        yield from key_use(key, ("CreateGrant",), world=world, because=because, via="sagemaker", or_of_role=role)


def _role_of_model(name: str, world: World) -> str:
    model = world.described("sagemaker:model", name) if name else None
    return str((model or {}).get("ExecutionRoleArn", ""))


def job_tags(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if not parameters.get("Tags"):
        return
    for name, kind in _TAGGED.items():
        if isinstance(value := parameters.get(name), str):
            resource = arn(world, "sagemaker", f"{kind}/{value.lower()}")
            yield Need(action="sagemaker:AddTags", resource=resource, resource_account=world.account, because=because)
            return


# The parameter that names the created resource precedes those that name its sources.
_TAGGED = {
    "TrainingJobName": "training-job",
    "TransformJobName": "transform-job",
    "ProcessingJobName": "processing-job",
    "HyperParameterTuningJobName": "hyper-parameter-tuning-job",
    "LabelingJobName": "labeling-job",
    "FeatureGroupName": "feature-group",
    "PipelineName": "pipeline",
    "InferenceComponentName": "inference-component",
    "MonitoringScheduleName": "monitoring-schedule",
    "ModelPackageGroupName": "model-package-group",
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelName": "model",
}


def published(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    topic = parameters.get("TopicArn") or parameters.get("TargetArn") or ""
    if key := world.key_of(topic):
        yield from key_use(
            key,
            ("GenerateDataKey", "Decrypt"),
            world=world,
            because=because,
            via="sns",
            encrypting={"aws:sns:topicArn": topic},
        )


def sent(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _queue_key(parameters, world, because, ("GenerateDataKey", "Decrypt"))


def received(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _queue_key(parameters, world, because, ("Decrypt",))


def _queue_key(parameters: Mapping[str, Any], world: World, because: str, actions: tuple[str, ...]) -> Iterator[Need]:
    queue = queue_arn(world, parameters.get("QueueUrl", ""))
    if key := world.key_of(queue):
        yield from key_use(key, actions, world=world, because=because, via="sqs", encrypting={"aws:sqs:arn": queue})


def object_written(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("Bucket", ""))
    encryption = parameters.get("ServerSideEncryption")
    key = parameters.get("SSEKMSKeyId") or (world.key_of(bucket) if encryption in (None, "aws:kms") else None)
    if key:
        yield from object_key_use(world, key, bucket, parameters.get("Key", ""), ("GenerateDataKey",), because)


def object_assembled(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("Bucket", ""))
    if key := parameters.get("SSEKMSKeyId") or world.key_of(bucket):
        actions = ("GenerateDataKey", "Decrypt")
        yield from object_key_use(world, key, bucket, parameters.get("Key", ""), actions, because)


def object_read(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("Bucket", ""))
    if key := world.key_of(bucket):
        yield from object_key_use(world, key, bucket, parameters.get("Key", ""), ("Decrypt",), because)


def object_copied(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    source = parameters.get("CopySource", "")
    bucket, _, key = str(source).lstrip("/").partition("/")
    if isinstance(source, Mapping):
        bucket, key = source.get("Bucket", ""), source.get("Key", "")
    yield from object_read({"Bucket": bucket, "Key": key}, world, because)
    yield from object_written(parameters, world, because)


def object_key_use(
    world: World, key: str, bucket: str, name: str, actions: tuple[str, ...], because: str
) -> Iterator[Need]:
    """S3's encryption context is the object's ARN. With an S3 bucket key, which the CDK enables only on request, it is
    the bucket's ARN: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    context = {"aws:s3:arn": f"{bucket}/{name}"}
    yield from key_use(key, actions, world=world, because=because, via="s3", encrypting=context)


def table_used(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    for table in dict.fromkeys(_tables(parameters)):
        whole = table_arn(world, table)
        if key := world.key_of(whole):
            context = {
                "aws:dynamodb:tableName": whole.rpartition("/")[2],
                "aws:dynamodb:subscriberId": account_of(whole, world),
            }
            yield from key_use(key, ("Decrypt",), world=world, because=because, via="dynamodb", encrypting=context)


def _tables(parameters: Mapping[str, Any]) -> Iterator[str]:
    if name := parameters.get("TableName") or parameters.get("TableArn"):
        yield name
    yield from parameters.get("RequestItems", {})
    for item in parameters.get("TransactItems", ()):
        for request in item.values():
            yield request["TableName"]


def table_created(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if key := (parameters.get("SSESpecification") or {}).get("KMSMasterKeyId"):
        actions = (
            "Encrypt",
            "Decrypt",
            "ReEncryptFrom",
            "ReEncryptTo",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "DescribeKey",
            "CreateGrant",
        )
        yield from key_use(key, actions, world=world, because=because, via="dynamodb")


def exported(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("S3Bucket", ""))
    prefix = parameters.get("S3Prefix", "")
    key = f"{prefix.rstrip('/')}/AWSDynamoDB/data" if prefix else "AWSDynamoDB/data"
    owner = parameters.get("S3BucketOwner") or account_of(bucket, world)
    for action in ("AbortMultipartUpload", "PutObject", "PutObjectAcl"):
        yield Need(action=f"s3:{action}", resource=f"{bucket}/{key}", resource_account=owner, because=because)
    if kms := parameters.get("S3SseKmsKeyId") or world.key_of(bucket):
        yield from object_key_use(world, kms, bucket, key, ("GenerateDataKey", "Decrypt"), because)


def secret_read(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _secret_key(parameters, world, because, ("Decrypt",))


def secret_written(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _secret_key(parameters, world, because, ("GenerateDataKey", "Decrypt"))


def _secret_key(parameters: Mapping[str, Any], world: World, because: str, actions: tuple[str, ...]) -> Iterator[Need]:
    secret = secret_arn(world, parameters.get("SecretId") or parameters.get("Name", ""))
    if key := parameters.get("KmsKeyId") or world.key_of(secret):
        yield from key_use(
            key, actions, world=world, because=because, via="secretsmanager", encrypting={"SecretARN": secret}
        )


def parameter_read(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if not parameters.get("WithDecryption"):
        return
    for name in parameters.get("Names") or [parameters.get("Name", "")]:
        yield from _parameter_key(parameter_arn(world, name), None, world, because, ("Decrypt",))


def parameter_written(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if parameters.get("Type") == "SecureString":
        whole = parameter_arn(world, parameters.get("Name", ""))
        action = "GenerateDataKey" if parameters.get("Tier") == "Advanced" else "Encrypt"
        yield from _parameter_key(whole, parameters.get("KeyId"), world, because, (action,))


def _parameter_key(whole: str, key: str | None, world: World, because: str, actions: tuple[str, ...]) -> Iterator[Need]:
    if key := key or world.key_of(whole):
        yield from key_use(key, actions, world=world, because=because, via="ssm", encrypting={"PARAMETER_ARN": whole})


def function_with_key(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if key := parameters.get("KMSKeyArn"):
        context = {"aws:lambda:FunctionArn": function_arn(world, parameters.get("FunctionName", ""))}
        yield from key_use(key, ("Encrypt", "Decrypt"), world=world, because=because, via="lambda", encrypting=context)
        yield from key_use(key, ("CreateGrant",), world=world, because=because, via="lambda")


def log_group_with_key(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if key := parameters.get("kmsKeyId"):
        yield from key_use(key, ("DescribeKey",), world=world, because=because, via="logs")


_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+([\w.\"`]+)", re.IGNORECASE)
_NAMED_PART = re.compile(r"(?:\bWITH|,)\s+(\w+)\s+AS\s*\(", re.IGNORECASE)
_UNLOADED_TO = re.compile(r"\bTO\s+'(s3://[^']+)'", re.IGNORECASE)


def query_catalog(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    """Every query needs the region's catalog and its `default` database, and the databases and tables that it reads."""
    for resource in ("catalog", "database/default"):
        yield _glue("GetDatabase", resource, world, because)
    database = (parameters.get("QueryExecutionContext") or {}).get("Database", "default")
    query = parameters.get("QueryString", "")
    named = set(_NAMED_PART.findall(query))  # `WITH part AS (…)`: a name defined in the query
    for name in dict.fromkeys(each for each in _TABLE.findall(query) if each not in named):
        *_, schema, table = ("", database, *re.sub(r'["`]', "", name).split("."))
        for action in ("GetDatabase", "GetTable", "GetPartitions"):
            for resource in (
                "catalog",
                f"database/{schema}",
                *([f"table/{schema}/{table}"] * (action != "GetDatabase")),
            ):
                yield _glue(action, resource, world, because)


def _glue(action: str, resource: str, world: World, because: str) -> Need:
    return Need(
        action=f"glue:{action}",
        resource=arn(world, "glue", resource),
        resource_account=world.account,
        because=because,
    )


def query_results(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    group = world.described("athena:work-group", parameters.get("WorkGroup", "primary")) or {}
    configured = ((group.get("Configuration") or {}).get("ResultConfiguration") or {}).get("OutputLocation")
    stated = (parameters.get("ResultConfiguration") or {}).get("OutputLocation")
    enforced = (group.get("Configuration") or {}).get("EnforceWorkGroupConfiguration")
    location = configured if enforced else stated or configured
    unloaded = _UNLOADED_TO.search(parameters.get("QueryString", ""))
    for place in (location, unloaded[1] if unloaded else None):
        if not place:
            continue
        name, prefix = s3_location(place)
        bucket = bucket_arn(world, name)
        owner = account_of(bucket, world)
        yield Need(action="s3:GetBucketLocation", resource=bucket, resource_account=owner, because=because)
        for action in ("GetObject", "ListMultipartUploadParts", "AbortMultipartUpload", "PutObject"):
            resource = f"{bucket}/{prefix.rstrip('/')}/result" if prefix.strip("/") else f"{bucket}/result"
            yield Need(action=f"s3:{action}", resource=resource, resource_account=owner, because=because)
        yield Need(
            action="s3:ListBucket",
            resource=bucket,
            resource_account=owner,
            # UNLOAD lists the objects at its target, which must be empty.
            context=MappingProxyType({"s3:prefix": prefix}),
            because=because,
        )
        yield Need(action="s3:ListBucketMultipartUploads", resource=bucket, resource_account=owner, because=because)
        if key := world.key_of(bucket):
            yield from object_key_use(world, key, bucket, f"{prefix}result", ("GenerateDataKey", "Decrypt"), because)


def scaled_resource(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    """The needs on the scaled resource: an endpoint's variant or a service."""
    resource = parameters.get("ResourceId", "")
    match parameters.get("ServiceNamespace"), resource.split("/"):
        case "sagemaker", ["endpoint", endpoint, *_]:
            name = arn(world, "sagemaker", f"endpoint/{endpoint.lower()}")
            actions = ("sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities")
        case "ecs", ["service", *_]:
            name = arn(world, "ecs", resource)
            actions = ("ecs:DescribeServices", "ecs:UpdateService")
        case _:
            return
    for action in actions:
        yield Need(action=action, resource=name, resource_account=world.account, because=because)


def tracking_alarms(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    """The needs on the alarms of a target tracking policy, which Application Auto Scaling names after the resource."""
    if "TargetTrackingScalingPolicyConfiguration" not in parameters:
        return
    name = arn(world, "cloudwatch", f"alarm:TargetTracking-{parameters.get('ResourceId', '')}-AlarmHigh-0")
    for action in ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"):
        yield Need(action=action, resource=name, resource_account=world.account, because=because)


def service_linked_role(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if parameters.get("RoleARN"):
        return
    namespace = parameters.get("ServiceNamespace", "")
    role = _SCALING_ROLES.get(namespace)
    if role is None:
        return
    name = f"{namespace}.application-autoscaling.amazonaws.com"
    resource = arn(world, "iam", f"role/aws-service-role/{name}/{role}", region=False)
    yield Need(
        action="iam:CreateServiceLinkedRole",
        resource=resource,
        resource_account=world.account,
        context={"iam:AWSServiceName": name},
        because=because,
    )


_SCALING_ROLES = {
    "ecs": "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "sagemaker": "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
}
