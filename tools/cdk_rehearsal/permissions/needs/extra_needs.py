"""What a call needs beyond its own name: one row for each rule of AWS's documentation.

Who acts for itself (a job's role, an alarm, a topic) has its table in `role_needs`. Passed roles are in `passed_roles`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
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

Finder = Callable[[Mapping[str, Any], World, str], Iterator[Need]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraNeed:
    """A row: whoever calls `operations` needs what `find` says."""

    checked: date  # when the source was last read
    service: str
    operations: tuple[str, ...]
    sentence: str  # what the source says, in one sentence
    source: str  # a page of AWS's documentation
    find: Finder


def extra_needs(service: str, operation: str, parameters: Mapping[str, Any], *, world: World) -> Iterator[Need]:
    for row in _rows(service, operation):
        yield from row.find(parameters, world, row.sentence)


def _rows(service: str, operation: str) -> tuple[ExtraNeed, ...]:
    return _BY_CALL.get((service, operation), ())


def _deployed_volume(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    config = world.described("sagemaker:endpoint-config", parameters.get("EndpointConfigName", "")) or {}
    if key := config.get("KmsKeyId"):
        yield from key_use(key, ("CreateGrant", "DescribeKey"), world=world, because=because, via="sagemaker")


def _job_volume(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    cluster = (parameters.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    resources = parameters.get("ResourceConfig") or parameters.get("TransformResources") or cluster
    if key := resources.get("VolumeKmsKeyId"):
        role = parameters.get("RoleArn") or _role_of_model(parameters.get("ModelName", ""), world)
        yield from key_use(key, ("CreateGrant",), world=world, because=because, via="sagemaker", or_of_role=role)


def _role_of_model(name: str, world: World) -> str:
    model = world.described("sagemaker:model", name) if name else None
    return str((model or {}).get("ExecutionRoleArn", ""))


def _job_tags(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if not parameters.get("Tags"):
        return
    for name, kind in _TAGGED.items():
        if isinstance(value := parameters.get(name), str):
            resource = arn(world, "sagemaker", f"{kind}/{value.lower()}")
            yield Need(action="sagemaker:AddTags", resource=resource, resource_account=world.account, because=because)
            return


# The parameter that names what a call makes comes before those that name what it is made of.
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


def _published(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
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


def _sent(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _queue_key(parameters, world, because, ("GenerateDataKey", "Decrypt"))


def _received(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _queue_key(parameters, world, because, ("Decrypt",))


def _queue_key(parameters: Mapping[str, Any], world: World, because: str, actions: tuple[str, ...]) -> Iterator[Need]:
    queue = queue_arn(world, parameters.get("QueueUrl", ""))
    if key := world.key_of(queue):
        yield from key_use(key, actions, world=world, because=because, via="sqs", encrypting={"aws:sqs:arn": queue})


def _object_written(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("Bucket", ""))
    encryption = parameters.get("ServerSideEncryption")
    key = parameters.get("SSEKMSKeyId") or (world.key_of(bucket) if encryption in (None, "aws:kms") else None)
    if key:
        yield from object_key_use(world, key, bucket, parameters.get("Key", ""), ("GenerateDataKey",), because)


def _object_assembled(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("Bucket", ""))
    if key := parameters.get("SSEKMSKeyId") or world.key_of(bucket):
        actions = ("GenerateDataKey", "Decrypt")
        yield from object_key_use(world, key, bucket, parameters.get("Key", ""), actions, because)


def _object_read(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("Bucket", ""))
    if key := world.key_of(bucket):
        yield from object_key_use(world, key, bucket, parameters.get("Key", ""), ("Decrypt",), because)


def _object_copied(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    source = parameters.get("CopySource", "")
    bucket, _, key = str(source).lstrip("/").partition("/")
    if isinstance(source, Mapping):
        bucket, key = source.get("Bucket", ""), source.get("Key", "")
    yield from _object_read({"Bucket": bucket, "Key": key}, world, because)
    yield from _object_written(parameters, world, because)


def object_key_use(
    world: World, key: str, bucket: str, name: str, actions: tuple[str, ...], because: str
) -> Iterator[Need]:
    """S3's encryption context is the object's ARN, and the bucket's with an S3 bucket key, which the CDK turns on with
    a customer key only when asked: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    context = {"aws:s3:arn": f"{bucket}/{name}"}
    yield from key_use(key, actions, world=world, because=because, via="s3", encrypting=context)


def _table_used(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
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


def _table_created(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
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


def _exported(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    bucket = bucket_arn(world, parameters.get("S3Bucket", ""))
    prefix = parameters.get("S3Prefix", "")
    key = f"{prefix.rstrip('/')}/AWSDynamoDB/data" if prefix else "AWSDynamoDB/data"
    owner = parameters.get("S3BucketOwner") or account_of(bucket, world)
    for action in ("AbortMultipartUpload", "PutObject", "PutObjectAcl"):
        yield Need(action=f"s3:{action}", resource=f"{bucket}/{key}", resource_account=owner, because=because)
    if kms := parameters.get("S3SseKmsKeyId") or world.key_of(bucket):
        yield from object_key_use(world, kms, bucket, key, ("GenerateDataKey", "Decrypt"), because)


def _secret_read(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _secret_key(parameters, world, because, ("Decrypt",))


def _secret_written(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    yield from _secret_key(parameters, world, because, ("GenerateDataKey", "Decrypt"))


def _secret_key(parameters: Mapping[str, Any], world: World, because: str, actions: tuple[str, ...]) -> Iterator[Need]:
    secret = secret_arn(world, parameters.get("SecretId") or parameters.get("Name", ""))
    if key := parameters.get("KmsKeyId") or world.key_of(secret):
        yield from key_use(
            key, actions, world=world, because=because, via="secretsmanager", encrypting={"SecretARN": secret}
        )


def _parameter_read(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if not parameters.get("WithDecryption"):
        return
    for name in parameters.get("Names") or [parameters.get("Name", "")]:
        yield from _parameter_key(parameter_arn(world, name), None, world, because, ("Decrypt",))


def _parameter_written(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if parameters.get("Type") == "SecureString":
        whole = parameter_arn(world, parameters.get("Name", ""))
        action = "GenerateDataKey" if parameters.get("Tier") == "Advanced" else "Encrypt"
        yield from _parameter_key(whole, parameters.get("KeyId"), world, because, (action,))


def _parameter_key(whole: str, key: str | None, world: World, because: str, actions: tuple[str, ...]) -> Iterator[Need]:
    if key := key or world.key_of(whole):
        yield from key_use(key, actions, world=world, because=because, via="ssm", encrypting={"PARAMETER_ARN": whole})


def _function_with_key(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if key := parameters.get("KMSKeyArn"):
        context = {"aws:lambda:FunctionArn": function_arn(world, parameters.get("FunctionName", ""))}
        yield from key_use(key, ("Encrypt", "Decrypt"), world=world, because=because, via="lambda", encrypting=context)
        yield from key_use(key, ("CreateGrant",), world=world, because=because, via="lambda")


def _log_group_with_key(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    if key := parameters.get("kmsKeyId"):
        yield from key_use(key, ("DescribeKey",), world=world, because=because, via="logs")


_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+([\w.\"`]+)", re.IGNORECASE)
_NAMED_PART = re.compile(r"(?:\bWITH|,)\s+(\w+)\s+AS\s*\(", re.IGNORECASE)
_UNLOADED_TO = re.compile(r"\bTO\s+'(s3://[^']+)'", re.IGNORECASE)


def _query_catalog(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    """The catalog and `default` of the region are asked for by every query; databases and tables by those it reads."""
    for resource in ("catalog", "database/default"):
        yield _glue("GetDatabase", resource, world, because)
    database = (parameters.get("QueryExecutionContext") or {}).get("Database", "default")
    query = parameters.get("QueryString", "")
    named = set(_NAMED_PART.findall(query))  # `WITH part AS (…)`: a name within the query
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


def _query_results(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
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
            # What lies in the place: UNLOAD wants it empty.
            context=MappingProxyType({"s3:prefix": prefix}),
            because=because,
        )
        yield Need(action="s3:ListBucketMultipartUploads", resource=bucket, resource_account=owner, because=because)
        if key := world.key_of(bucket):
            yield from object_key_use(world, key, bucket, f"{prefix}result", ("GenerateDataKey", "Decrypt"), because)


def _scaled_resource(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    """On the resource itself: an endpoint's variant, or a service."""
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


def _tracking_alarms(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
    """The alarms of a target tracking policy, which Application Auto Scaling names after its resource."""
    if "TargetTrackingScalingPolicyConfiguration" not in parameters:
        return
    name = arn(world, "cloudwatch", f"alarm:TargetTracking-{parameters.get('ResourceId', '')}-AlarmHigh-0")
    for action in ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"):
        yield Need(action=action, resource=name, resource_account=world.account, because=because)


def _service_linked_role(parameters: Mapping[str, Any], world: World, because: str) -> Iterator[Need]:
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
_CHECKED = date(2026, 11, 26)
_ITEM_CALLS = (
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
)

EXTRA_NEEDS = (
    ExtraNeed(
        checked=_CHECKED,
        service="sagemaker",
        operations=("CreateEndpoint", "UpdateEndpoint"),
        sentence="an endpoint whose configuration has a KmsKeyId: the caller grants SageMaker the use of the key",
        source="https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html",
        find=_deployed_volume,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sagemaker",
        operations=("CreateTrainingJob", "CreateTransformJob", "CreateProcessingJob"),
        sentence="a job with a VolumeKmsKeyId: the caller, or else the job's role, grants SageMaker the use of the key",
        source="https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html",
        find=_job_volume,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sagemaker",
        operations=(
            "CreateEndpoint",
            "CreateEndpointConfig",
            "CreateFeatureGroup",
            "CreateHyperParameterTuningJob",
            "CreateInferenceComponent",
            "CreateLabelingJob",
            "CreateModel",
            "CreateModelPackageGroup",
            "CreateMonitoringSchedule",
            "CreatePipeline",
            "CreateProcessingJob",
            "CreateTrainingJob",
            "CreateTransformJob",
        ),
        sentence="tags that are given at creation need leave to tag",
        source="https://docs.aws.amazon.com/sagemaker/latest/dg/security_iam_id-based-policy-examples.html",
        find=_job_tags,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sns",
        operations=("Publish", "PublishBatch"),
        sentence="the publisher to an encrypted topic uses the topic's key",
        source="https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
        find=_published,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sqs",
        operations=("SendMessage", "SendMessageBatch"),
        sentence="the producer of an encrypted queue uses the queue's key",
        source="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
        find=_sent,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sqs",
        operations=("ReceiveMessage",),
        sentence="the consumer of an encrypted queue uses the queue's key",
        source="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
        find=_received,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("PutObject",),
        sentence="whoever writes an object that S3 encrypts with a KMS key has S3 make a data key of it",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        find=_object_written,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
        sentence="a multipart upload that S3 encrypts with a KMS key is decrypted to be put together",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html",
        find=_object_assembled,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("GetObject", "HeadObject"),
        sentence="whoever reads an object that S3 encrypted with a KMS key has S3 decrypt it",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        find=_object_read,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("CopyObject", "UploadPartCopy"),
        sentence="a copy is read with the key of its source and written with the key of its bucket",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        find=_object_copied,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=_ITEM_CALLS,
        sentence="whoever uses a table with a customer key has DynamoDB decrypt the table's key",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html",
        find=_table_used,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=("CreateTable", "UpdateTable"),
        sentence="whoever gives a table a customer key has DynamoDB use it, and grants it what needs no caller",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html",
        find=_table_created,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=("ExportTableToPointInTime",),
        sentence="an export writes to S3 with the permissions of its caller",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html",
        find=_exported,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=("ExportTableToPointInTime",),
        sentence="an export of a table with a customer key decrypts the table's key",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html",
        find=_table_used,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="secretsmanager",
        operations=("GetSecretValue", "BatchGetSecretValue"),
        sentence="whoever reads a secret with a customer key has Secrets Manager decrypt it",
        source="https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
        find=_secret_read,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="secretsmanager",
        operations=("CreateSecret", "PutSecretValue", "UpdateSecret"),
        sentence="whoever writes a secret with a customer key has Secrets Manager make a data key of it",
        source="https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
        find=_secret_written,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="ssm",
        operations=("GetParameter", "GetParameters", "GetParameterHistory"),
        sentence="whoever reads a SecureString decrypted uses its key",
        source="https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html",
        find=_parameter_read,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="ssm",
        operations=("PutParameter",),
        sentence="whoever writes a SecureString uses its key",
        source="https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html",
        find=_parameter_written,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="lambda",
        operations=("CreateFunction", "UpdateFunctionConfiguration"),
        sentence="whoever gives a function's environment a customer key encrypts with it and grants Lambda its use",
        source="https://docs.aws.amazon.com/lambda/latest/dg/security-encryption-at-rest.html",
        find=_function_with_key,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="logs",
        operations=("CreateLogGroup", "AssociateKmsKey"),
        sentence="whoever gives a log group a customer key has CloudWatch Logs look at the key",
        source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
        find=_log_group_with_key,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="athena",
        operations=("StartQueryExecution",),
        sentence="a query reads the Glue catalog with its caller's permissions, the database default always",
        source="https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html",
        find=_query_catalog,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="athena",
        operations=("StartQueryExecution",),
        sentence="a query writes its results, and what it unloads, to S3 with its caller's permissions",
        source="https://docs.aws.amazon.com/athena/latest/ug/security-iam-athena.html",
        find=_query_results,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="application-autoscaling",
        operations=("RegisterScalableTarget",),
        sentence="Application Auto Scaling looks whether the caller may describe and change what it shall scale",
        source="https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html",
        find=_scaled_resource,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="application-autoscaling",
        operations=("PutScalingPolicy",),
        sentence="a target tracking policy makes, changes and deletes its alarms with its caller's permissions",
        source="https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html",
        find=_tracking_alarms,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="application-autoscaling",
        operations=("RegisterScalableTarget",),
        sentence="the first target of a namespace has the service-linked role made",
        source="https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html",
        find=_service_linked_role,
    ),
)
_BY_CALL: dict[tuple[str, str], tuple[ExtraNeed, ...]] = {}
for _row in EXTRA_NEEDS:
    for _operation in _row.operations:
        _BY_CALL[_row.service, _operation] = (*_BY_CALL.get((_row.service, _operation), ()), _row)
