"""The permissions of a release's roles on the objects of the data bucket."""

from typing import Any

from aws_cdk import Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from ..._allow import allow
from ..._checks import check_kind, refusal
from ..._key_use import ENVELOPE_KEY_USE, allow_key
from ..workflow._later_names import OBJECTS_OF_LATER


def check_prefix(prefix: Any) -> None:
    """Refuses a prefix below which the workflow writes, and a value that is not a prefix.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind("prefix", prefix, str, "text")
    if Token.is_unresolved(prefix):
        return
    if not prefix.endswith("/") or prefix.startswith(("/", "runs/", "models/", "sides/")):
        raise refusal(
            "prefix",
            prefix,
            "a prefix that ends with a slash and begins with none, not below runs/, models/ or sides/",
            "the workflow writes there",
        )


def allow_reading(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    """Lets `role` read the objects of these patterns, and see that an object does not exist."""
    objects = [bucket.arn_for_objects(prefix) for prefix in prefixes]
    allow(role, ["s3:GetObject"], *objects, wildcard_reason=OBJECTS_OF_LATER)
    # Without this permission, S3 answers "access denied" if an object does not exist.
    allow_listing(role, bucket, *prefixes)


def allow_writing(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    """Lets `role` write objects of these patterns."""
    objects = [bucket.arn_for_objects(prefix) for prefix in prefixes]
    allow(role, ["s3:PutObject"], *objects, wildcard_reason=OBJECTS_OF_LATER)


def allow_listing(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    """Lets `role` list the objects of these patterns."""
    allow(role, ["s3:ListBucket"], bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": list(prefixes)}})


def allow_bucket_key(role: iam.Role, bucket: s3.IBucket, *further: str) -> None:
    """Lets `role` use the bucket's key, if it has one, to read and write, and for the actions `further`."""
    if bucket.encryption_key is not None:
        allow_key(role, bucket.encryption_key, [*ENVELOPE_KEY_USE, *further])
