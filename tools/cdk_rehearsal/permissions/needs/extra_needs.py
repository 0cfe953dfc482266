"""The permissions that a call needs besides its own action: one row per rule of AWS's documentation.

The permissions of services and their roles (a job's role, an alarm, a topic) are in `acting`. Passed roles are in
`passed_roles`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cdk_rehearsal.permissions.needs import extra_need_finders as finders
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.world import World

Finder = Callable[[Mapping[str, Any], World, str], Iterator[Need]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraNeed:
    """A row: the caller of `operations` needs what `find` returns."""

    checked: date  # the date when the source was last read
    service: str
    operations: tuple[str, ...]
    sentence: str  # the source's rule, in one sentence
    source: str  # a page of AWS's documentation
    find: Finder


def extra_needs(service: str, operation: str, parameters: Mapping[str, Any], *, world: World) -> Iterator[Need]:
    for row in _rows(service, operation):
        yield from row.find(parameters, world, row.sentence)


def _rows(service: str, operation: str) -> tuple[ExtraNeed, ...]:
    return _BY_CALL.get((service, operation), ())


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
        find=finders.deployed_volume,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sagemaker",
        operations=("CreateTrainingJob", "CreateTransformJob", "CreateProcessingJob"),
        sentence="a job with a VolumeKmsKeyId: the caller, or else the job's role, grants SageMaker the use of the key",
        source="https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html",
        find=finders.job_volume,
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
        find=finders.job_tags,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sns",
        operations=("Publish", "PublishBatch"),
        sentence="the publisher to an encrypted topic uses the topic's key",
        source="https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
        find=finders.published,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sqs",
        operations=("SendMessage", "SendMessageBatch"),
        sentence="the producer of an encrypted queue uses the queue's key",
        source="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
        find=finders.sent,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="sqs",
        operations=("ReceiveMessage",),
        sentence="the consumer of an encrypted queue uses the queue's key",
        source="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
        find=finders.received,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("PutObject",),
        sentence="whoever writes an object that S3 encrypts with a KMS key has S3 make a data key of it",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        find=finders.object_written,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
        sentence="a multipart upload that S3 encrypts with a KMS key is decrypted to be put together",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html",
        find=finders.object_assembled,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("GetObject", "HeadObject"),
        sentence="whoever reads an object that S3 encrypted with a KMS key has S3 decrypt it",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        find=finders.object_read,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="s3",
        operations=("CopyObject", "UploadPartCopy"),
        sentence="a copy is read with the key of its source and written with the key of its bucket",
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        find=finders.object_copied,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=_ITEM_CALLS,
        sentence="whoever uses a table with a customer key has DynamoDB decrypt the table's key",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html",
        find=finders.table_used,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=("CreateTable", "UpdateTable"),
        sentence="whoever gives a table a customer key has DynamoDB use it, and grants it what needs no caller",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html",
        find=finders.table_created,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=("ExportTableToPointInTime",),
        sentence="an export writes to S3 with the permissions of its caller",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html",
        find=finders.exported,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="dynamodb",
        operations=("ExportTableToPointInTime",),
        sentence="an export of a table with a customer key decrypts the table's key",
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html",
        find=finders.table_used,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="secretsmanager",
        operations=("GetSecretValue", "BatchGetSecretValue"),
        sentence="whoever reads a secret with a customer key has Secrets Manager decrypt it",
        source="https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
        find=finders.secret_read,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="secretsmanager",
        operations=("CreateSecret", "PutSecretValue", "UpdateSecret"),
        sentence="whoever writes a secret with a customer key has Secrets Manager make a data key of it",
        source="https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
        find=finders.secret_written,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="ssm",
        operations=("GetParameter", "GetParameters", "GetParameterHistory"),
        sentence="whoever reads a SecureString decrypted uses its key",
        source="https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html",
        find=finders.parameter_read,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="ssm",
        operations=("PutParameter",),
        sentence="whoever writes a SecureString uses its key",
        source="https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html",
        find=finders.parameter_written,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="lambda",
        operations=("CreateFunction", "UpdateFunctionConfiguration"),
        sentence="whoever gives a function's environment a customer key encrypts with it and grants Lambda its use",
        source="https://docs.aws.amazon.com/lambda/latest/dg/security-encryption-at-rest.html",
        find=finders.function_with_key,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="logs",
        operations=("CreateLogGroup", "AssociateKmsKey"),
        sentence="whoever gives a log group a customer key has CloudWatch Logs look at the key",
        source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
        find=finders.log_group_with_key,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="athena",
        operations=("StartQueryExecution",),
        sentence="a query reads the Glue catalog with its caller's permissions, the database default always",
        source="https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html",
        find=finders.query_catalog,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="athena",
        operations=("StartQueryExecution",),
        sentence="a query writes its results, and what it unloads, to S3 with its caller's permissions",
        source="https://docs.aws.amazon.com/athena/latest/ug/security-iam-athena.html",
        find=finders.query_results,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="application-autoscaling",
        operations=("RegisterScalableTarget",),
        sentence="Application Auto Scaling looks whether the caller may describe and change what it shall scale",
        source="https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html",
        find=finders.scaled_resource,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="application-autoscaling",
        operations=("PutScalingPolicy",),
        sentence="a target tracking policy makes, changes and deletes its alarms with its caller's permissions",
        source="https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html",
        find=finders.tracking_alarms,
    ),
    ExtraNeed(
        checked=_CHECKED,
        service="application-autoscaling",
        operations=("RegisterScalableTarget",),
        sentence="the first target of a namespace has the service-linked role made",
        source="https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html",
        find=finders.service_linked_role,
    ),
)
_BY_CALL: dict[tuple[str, str], tuple[ExtraNeed, ...]] = {}
for _row in EXTRA_NEEDS:
    for _operation in _row.operations:
        _BY_CALL[_row.service, _operation] = (*_BY_CALL.get((_row.service, _operation), ()), _row)
