"""What of the data's bucket no stage grants: the copy of a model, and what serves it."""

from aws_cdk import aws_iam as iam

from ..._allow import allow
from ..._resource_policy import open_to_account
from ..stages.release_binding import ReleaseBinding
from ..workflow._later_names import OBJECTS_OF_LATER

# What the workflow's roles do with the data's bucket, where it is of another account.
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
    """Lets `files` keep the copy of a model, and the endpoint's role read it, and what else the stages asked for."""
    bucket = binding.data_bucket
    # Tags are replaced by none, as it would take further permissions to copy them. More than 5 GiB go in parts.
    allow(
        files,
        ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"],
        bucket.arn_for_objects("models/*"),
        wildcard_reason=OBJECTS_OF_LATER,
    )
    binding.allow_endpoint_data()
    # Which prefixes, each role's own policy says.
    role = binding.endpoint_role
    open_to_account(bucket, bucket.bucket_arn, role, _OF_OBJECTS, bucket.arn_for_objects("*"))
    open_to_account(bucket, bucket.bucket_arn, role, _OF_BUCKET, bucket.bucket_arn)
