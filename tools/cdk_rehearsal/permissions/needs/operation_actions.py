"""The IAM actions of an operation: its own name, unless the Service Authorization Reference uses another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cdk_rehearsal.permissions.api_request.service_index import service_index
from cdk_rehearsal.permissions.needs.authorization_data import has_service

# Where a service's prefix in policies is not its signing name.
_PREFIXES = MappingProxyType(
    {
        "applicationcostprofiler": "application-cost-profiler",
        "cloudcontrol": "cloudformation",
        "cloudwatch": "cloudwatch",
        "iot-data": "iot",
        "iotsecuretunneling": "iot",
        "resourcegroupstaggingapi": "tag",
    }
)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3 = {
    "CompleteMultipartUpload": "PutObject",
    "CreateBucketMetadataConfiguration": "CreateBucketMetadataTableConfiguration",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetricsConfiguration": "PutMetricsConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
    "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
    "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketMetricsConfiguration": "PutMetricsConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
}
_EXCEPTIONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{("s3", operation): f"s3:{action}" for operation, action in _S3.items()},
        ("s3", "CreateSession"): "s3express:CreateSession",
        ("s3", "ListDirectoryBuckets"): "s3express:ListAllMyDirectoryBuckets",
        ("s3", "RenameObject"): "s3express:CreateSession",
        ("s3", "WriteGetObjectResponse"): "s3-object-lambda:WriteGetObjectResponse",
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
        ("lambda", "GetLayerVersionByArn"): "lambda:GetLayerVersion",
        ("lambda", "Invoke"): "lambda:InvokeFunction",
        ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
        ("sqs", "ChangeMessageVisibilityBatch"): "sqs:ChangeMessageVisibility",
        ("sqs", "DeleteMessageBatch"): "sqs:DeleteMessage",
        ("sqs", "SendMessageBatch"): "sqs:SendMessage",
        # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
        ("sns", "PublishBatch"): "sns:Publish",
    }
)


def service_prefix(service: str) -> str:
    """The prefix of a service's actions in policies."""
    signing_name = service_index().signing_names.get(service, service)
    if known := _PREFIXES.get(service):
        return known
    return signing_name if has_service(signing_name) else service


def own_action(service: str, operation: str) -> str:
    return _EXCEPTIONS.get((service, operation)) or f"{service_prefix(service)}:{operation}"
