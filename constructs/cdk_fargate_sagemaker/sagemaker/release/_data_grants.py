"""The permissions on the data bucket that no stage grants: to copy a model, and to serve it."""

from aws_cdk import aws_iam as iam

from ..._allow import allow
from ..._resource_policy import open_to_account
from ..stages.release_binding import ReleaseBinding
from ..workflow._later_names import OBJECTS_OF_LATER

# The actions of the workflow's roles on a data bucket that belongs to another account.
_OF_OBJECTS = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
]
_OF_BUCKET = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]


def grant_data(binding: ReleaseBinding, *, files: iam.Role) -> None:
    """Allows `files` to write the copy of a model, and the endpoint's role to read it and what the stages asked for."""
    bucket = binding.data_bucket
    # The copy gets no tags: to copy them would need further permissions. Over 5 GiB, an object is copied in parts.
    allow(
        files,
        ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"],
        bucket.arn_for_objects("models/*"),
        wildcard_reason=OBJECTS_OF_LATER,
    )
    binding.allow_endpoint_data()
    # The policy of each role limits the prefixes.
    role = binding.endpoint_role
    open_to_account(bucket, bucket.bucket_arn, role, _OF_OBJECTS, bucket.arn_for_objects("*"))
    open_to_account(bucket, bucket.bucket_arn, role, _OF_BUCKET, bucket.bucket_arn)
