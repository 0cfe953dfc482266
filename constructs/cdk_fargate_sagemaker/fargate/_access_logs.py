"""The access logs of a load balancer."""

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .._checkov_skips import skip_checkov
from .._resource_policy import add_statement

_KEPT = Duration.days(90)


def log_access(
    scope: Construct,
    load_balancer: elbv2.ApplicationLoadBalancer,
    *,
    given: s3.IBucket | None,
    removal_policy: RemovalPolicy,
) -> s3.IBucket:
    """Switches access logs on, into the bucket given or into one made as `AccessLogs`; returns the bucket.

    Raises:
        ValueError: the bucket is encrypted with a KMS key, which load balancers cannot use.
    """
    if given is not None and given.encryption_key is not None:
        raise ValueError(
            "access_logs_bucket: got one with a KMS key, allowed: one encrypted by S3 itself; "
            "load balancers cannot write to the other"
        )
    bucket = given or _bucket(scope, removal_policy)
    # log_access_logs of the CDK needs to know the region at synthesis; this principal serves all of them.
    add_statement(
        bucket,
        bucket.bucket_arn,
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
            actions=["s3:PutObject"],
            resources=[bucket.arn_for_objects(f"AWSLogs/{Stack.of(scope).account}/*")],
        ),
    )
    load_balancer.set_attribute("access_logs.s3.enabled", "true")
    load_balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
    if bucket.policy is not None:
        # ELB tries the bucket as it switches the logs on.
        load_balancer.node.add_dependency(bucket.policy)
    return bucket


def _bucket(scope: Construct, removal_policy: RemovalPolicy) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        versioned=True,
        lifecycle_rules=[s3.LifecycleRule(expiration=_KEPT, noncurrent_version_expiration=Duration.days(1))],
        removal_policy=removal_policy,
    )
    unending = "It holds access logs; logging their delivery would never end."
    Validations.of(bucket).acknowledge(
        Acknowledgment(id="AwsSolutions-S1", reason=unending),
        Acknowledgment(id="NIST.800.53.R5-S3BucketLoggingEnabled", reason=unending),
        Acknowledgment(
            id="NIST.800.53.R5-S3BucketReplicationEnabled",
            reason="Access logs are kept for 90 days and read in their own region; another bucket can be passed.",
        ),
        Acknowledgment(
            id="NIST.800.53.R5-S3DefaultEncryptionKMS",
            reason="Load balancers can write to buckets encrypted by S3 itself only.",
        ),
    )
    skip_checkov(bucket, {"CKV_AWS_18": unending})
    return bucket
