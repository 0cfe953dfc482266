"""Empties a bucket that is deleted with its stack: CloudFormation can delete only an empty bucket.

CloudFormation calls it for a custom resource that stands between the bucket and whatever writes to it. Only a bucket
that still has the tag `cdk-fargate-sagemaker:ends-with-its-stack` is emptied. A deployment that keeps the bucket from
then on takes the tag away before it takes this resource away, and the bucket's contents stay.
"""

import contextlib
import json
import logging
import urllib.request
from typing import Any

import boto3
from botocore.exceptions import ClientError

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

TAG = "cdk-fargate-sagemaker:ends-with-its-stack"
ANSWERING_RESERVE_MS = 15_000
_GONE = ("NoSuchBucket", "NoSuchTagSet", "NoSuchBucketPolicy")


class StillFullError(Exception):
    """The bucket holds more than one call of the function can delete, or an object that S3 refuses to delete."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Always answers CloudFormation, which would otherwise wait for an hour."""
    bucket = event["ResourceProperties"]["BucketName"]
    try:
        if event["RequestType"] == "Delete":
            empty(boto3.client("s3"), bucket, context)
    except Exception as error:
        LOGGER.exception("%s could not be emptied", bucket)
        answer(event, "FAILED", f"{type(error).__name__}: {error}")
    else:
        answer(event, "SUCCESS", "")


def empty(s3: Any, bucket: str, context: Any) -> None:
    """Deletes every version and every delete marker, if the bucket exists and still has the tag.

    Raises:
        StillFullError: the function's time limit is near, or S3 refuses to delete an object.
    """
    if not _ends_with_its_stack(s3, bucket):
        LOGGER.info("%s is gone or is kept: nothing is deleted", bucket)
        return
    _deny_writes(s3, bucket)
    deleted = 0
    # The denial takes effect a little later, and what is written meanwhile may sort before the page that is listed.
    while (further := _delete_versions(s3, bucket, context, deleted)) > 0:
        deleted += further
    LOGGER.info("%s: %d versions deleted", bucket, deleted)


def _delete_versions(s3: Any, bucket: str, context: Any, before: int) -> int:
    """Deletes all versions that one listing has; returns their number."""
    deleted = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not versions:
            continue
        if context.get_remaining_time_in_millis() < ANSWERING_RESERVE_MS:
            done = before + deleted
            raise StillFullError(f"{bucket}: {done} versions are deleted, more are left: delete the stack again")
        listed = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": listed, "Quiet": True}).get("Errors", [])
        if refused:
            first = refused[0]
            raise StillFullError(f"{bucket}: S3 keeps {first['Key']} ({first['Code']}: {first['Message']})")
        deleted += len(listed)
    return deleted


def _ends_with_its_stack(s3: Any, bucket: str) -> bool:
    tags: list[dict[str, str]] = []
    with _unless_gone():
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    return {"Key": TAG, "Value": "true"} in tags


def _deny_writes(s3: Any, bucket: str) -> None:
    """Load balancers and S3 deliver logs for some minutes after the logged resource is deleted."""
    policy: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
    with _unless_gone():
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    denial = {
        "Sid": "EndsWithItsStack",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:{_partition(s3)}:s3:::{bucket}/*",
    }
    if denial not in policy["Statement"]:
        policy["Statement"].append(denial)
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def _partition(s3: Any) -> str:
    return str(s3.meta.partition)


@contextlib.contextmanager
def _unless_gone() -> Any:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Reports the result to the URL that CloudFormation gave."""
    body = {
        "Status": status,
        "Reason": reason,
        # Another bucket is another resource: CloudFormation then calls this function for the former one, and deletes
        # it.
        "PhysicalResourceId": event.get("PhysicalResourceId")
        if event["RequestType"] == "Delete"
        else event["ResourceProperties"]["BucketName"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The URL is signed for a request without a content type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=20):  # nosec B310  # CloudFormation's answer address
        pass
