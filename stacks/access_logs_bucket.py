from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker.storage import BucketEmptier


class AccessLogsBucket(s3.Bucket):
    """Holds a year of access logs, with SSE-S3: load balancers and S3 support no other encryption for access logs."""

    def __init__(
        self, scope: Construct, id: str, *, removal_policy: cdk.RemovalPolicy, log_encryption_key: kms.IKey
    ) -> None:
        super().__init__(
            scope,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=cdk.Duration.days(365), noncurrent_version_expiration=cdk.Duration.days(1))
            ],
            # Logs may exist before a first deployment fails, and a rollback cannot delete a bucket that is not empty.
            removal_policy=removal_policy if removal_policy is cdk.RemovalPolicy.DESTROY else cdk.RemovalPolicy.RETAIN,
        )
        if removal_policy is cdk.RemovalPolicy.DESTROY:
            BucketEmptier(self, "Emptier", bucket=self, log_encryption_key=log_encryption_key)
        unending = "This bucket holds the access logs; logging its own access would never end."
        cdk.Validations.of(self).acknowledge(
            cdk.Acknowledgment(id="AwsSolutions-S1", reason=unending),
            cdk.Acknowledgment(id="NIST.800.53.R5-S3BucketLoggingEnabled", reason=unending),
            cdk.Acknowledgment(
                id="NIST.800.53.R5-S3BucketReplicationEnabled",
                reason="Access logs are kept for a year and read in their own region; nothing depends on them.",
            ),
            cdk.Acknowledgment(
                id="NIST.800.53.R5-S3DefaultEncryptionKMS",
                reason="Access logs can be delivered only to buckets that S3 encrypts with its own keys (SSE-S3).",
            ),
        )
        resource = cast(cdk.CfnResource, self.node.default_child)
        resource.add_metadata("checkov", {"skip": [{"id": "CKV_AWS_18", "comment": unending}]})
