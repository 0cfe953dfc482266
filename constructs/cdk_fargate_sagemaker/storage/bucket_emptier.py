"""Empties a bucket when its stack is deleted."""

from aws_cdk import CustomResource, Duration, Stack, Tags
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .._allow import allow
from .._checks import check_kind
from .._construct_tree import stack_of
from .._interfaces import AnyKey, check_key
from .._packaged_function import PackagedFunction
from .._readable_help import CallSignature

_TAG = "cdk-fargate-sagemaker:ends-with-its-stack"


class BucketEmptier(Construct):
    """Deletes every object version of a bucket when its stack is deleted.

    CloudFormation deletes only empty buckets, also with `RemovalPolicy.DESTROY`. Create the emptier as a child of the
    bucket: then resources that depend on the bucket, as its writers should, are deleted first. Once emptied, the bucket
    accepts no more objects. One function empties all buckets of a stack.

    It is a Python function, unlike that of `auto_delete_objects=True`.

    Args:
        bucket: the bucket. If a later deployment is to keep the bucket, remove the emptier in the same deployment: the
            contents stay.
        log_encryption_key: encrypts the logs of the function; the first that is given in a stack. Default: a new key,
            which is deleted with the stack too.

    Raises:
        InvalidArgumentError: a bucket that this app does not make, or a value that is not a key.

    Example:
        ```python
        logs_bucket = s3.Bucket(self, "Logs", removal_policy=cdk.RemovalPolicy.DESTROY)
        BucketEmptier(logs_bucket, "Emptier", bucket=logs_bucket)
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self, scope: Construct, id: str, *, bucket: s3.Bucket, log_encryption_key: AnyKey | None = None
    ) -> None:
        super().__init__(scope, id)
        check_kind("bucket", bucket, s3.Bucket, "an s3.Bucket of this app", "CloudFormation deletes no other bucket")
        if log_encryption_key is not None:
            check_key("log_encryption_key", log_encryption_key)
        packaged = _emptying_function(stack_of(self), log_encryption_key)
        Tags.of(bucket).add(_TAG, "true", include_resource_types=["AWS::S3::Bucket"])
        allow(
            packaged.role,
            ["s3:GetBucketPolicy", "s3:GetBucketTagging", "s3:ListBucketVersions", "s3:PutBucketPolicy"],
            bucket.bucket_arn,
        )
        allow(
            packaged.role,
            ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            bucket.arn_for_objects("*"),
            wildcard_reason="The bucket and everything in it are deleted with its stack.",
        )
        emptied = CustomResource(
            self,
            "Emptied",
            resource_type="Custom::EmptiedBucket",
            service_token=packaged.function.function_arn,
            properties={"BucketName": bucket.bucket_name},
            service_timeout=Duration.minutes(16),
        )
        # Both are deleted after the bucket is emptied: the function's own policy, without which it can do nothing, and
        # the bucket's policy, whose deletion would allow writes again.
        emptied.node.add_dependency(packaged)
        if bucket.policy is not None:
            emptied.node.add_dependency(bucket.policy)


def _emptying_function(stack: Stack, log_encryption_key: kms.IKey | None) -> PackagedFunction:
    existing = stack.node.try_find_child("BucketEmptier")
    if isinstance(existing, PackagedFunction):
        return existing
    return PackagedFunction(
        stack,
        "BucketEmptier",
        name="bucket_emptier",
        description="Empties the buckets that are deleted with their stack",
        timeout=Duration.minutes(15),
        log_encryption_key=log_encryption_key,
    )
