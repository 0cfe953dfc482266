"""Whether S3 answers "not found" or "access denied" for a missing object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cdk_rehearsal.permissions.needs.arns import account_of, bucket_arn
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.world import World


def absent_object_need(parameters: Mapping[str, Any], *, world: World) -> Need:
    """The permission with which S3 answers 404 for a missing object; without it, S3 answers 403.

    "If you have the s3:ListBucket permission on the bucket, Amazon S3 returns an HTTP status code 404 error. If you
    don't, Amazon S3 returns an HTTP status code 403 (access denied) error":
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html. The object's name is the value of s3:prefix
    (https://github.com/ceph/ceph/pull/68577 follows AWS in this), so a statement with a condition on a prefix is
    enough.

    Args:
        parameters: of GetObject or HeadObject.
        world: look-ups in the account's state.
    """
    bucket = bucket_arn(world, parameters["Bucket"])
    return Need(
        action="s3:ListBucket",
        resource=bucket,
        resource_account=account_of(bucket, world),
        context=MappingProxyType({"s3:prefix": parameters["Key"]}),
        because="a caller that may not list a bucket gets access denied for a missing object",
    )
