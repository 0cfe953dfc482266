import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct


class AccessLogsBucket(s3.Bucket):
    """Holds a year of access logs. SSE-S3, since load balancers write with no other encryption."""

    def __init__(self, scope: Construct, id: str, *, removal_policy: cdk.RemovalPolicy) -> None:
        super().__init__(
            scope,
            id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(365))],
            removal_policy=removal_policy,
        )
        cdk.Validations.of(self).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-S1",
                reason="This bucket holds the access logs; logging its own access would never end.",
            )
        )
