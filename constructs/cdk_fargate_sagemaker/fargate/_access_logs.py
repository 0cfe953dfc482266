"""The access logs of a load balancer."""

from functools import cache
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct, IDependable

from .._acknowledgment import Acknowledgment, acknowledge
from .._checkov_skips import skip_checkov
from .._checks import plain, refusal
from .._construct_tree import account_of
from .._interfaces import check_bucket
from .._lives import kept_from_the_start
from .._resource_policy import add_statement
from ..storage import BucketEmptier


def check_access_logs_bucket(bucket: Any) -> None:
    """Refuses a bucket that a load balancer cannot write to.

    Raises:
        InvalidArgumentError: a value that is not a bucket, or a bucket with a KMS key, which load balancers cannot use.
    """
    if bucket is None:
        return
    check_bucket("access_logs_bucket", bucket)
    if bucket.encryption_key is not None:
        raise refusal(
            "access_logs_bucket",
            plain("one with a KMS key"),
            "one encrypted by S3 itself",
            "load balancers cannot write to the other",
        )


def log_access(
    scope: Construct,
    load_balancer: elbv2.ApplicationLoadBalancer,
    *,
    given: s3.IBucket | None,
    removal_policy: RemovalPolicy,
    log_encryption_key: kms.IKey,
) -> s3.IBucket:
    """Turns access logs on, to the bucket given or to a new `AccessLogs`; returns the bucket."""
    bucket = given or _bucket(scope, removal_policy, log_encryption_key)
    # The CDK's log_access_logs needs the region at synthesis; this principal is the same in all regions.
    statement = iam.PolicyStatement(
        principals=[_log_delivery()],
        actions=["s3:PutObject"],
        resources=[bucket.arn_for_objects(f"AWSLogs/{account_of(scope)}/*")],
    )
    if given is not None:
        add_statement(given, given.bucket_arn, statement)
        policy: IDependable | None = given.policy
    else:
        policy = bucket.add_to_resource_policy(statement).policy_dependable
    load_balancer.set_attribute("access_logs.s3.enabled", "true")
    load_balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
    if policy is not None:
        # ELB writes a test object when it turns access logs on.
        load_balancer.node.add_dependency(policy)
    if given is not None or removal_policy is RemovalPolicy.DESTROY:
        for child in bucket.node.children:
            if isinstance(child, BucketEmptier):
                # ELB writes until the load balancer is deleted, so the bucket is emptied after that.
                load_balancer.node.add_dependency(child)
    return bucket


# One principal serves every service; each new one would be a call to the JavaScript process.
@cache
def _log_delivery() -> iam.IPrincipal:
    return iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")


@cache
def _block_all() -> s3.BlockPublicAccess:
    return s3.BlockPublicAccess.BLOCK_ALL


@cache
def _kept_90_days() -> s3.LifecycleRule:
    return s3.LifecycleRule(expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(1))


def _bucket(scope: Construct, removal_policy: RemovalPolicy, log_encryption_key: kms.IKey) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=_block_all(),
        enforce_ssl=True,
        versioned=True,
        lifecycle_rules=[_kept_90_days()],
        removal_policy=kept_from_the_start(removal_policy),
    )
    if removal_policy is RemovalPolicy.DESTROY:
        BucketEmptier(bucket, "Emptier", bucket=bucket, log_encryption_key=log_encryption_key)
    unending = "It holds access logs; logging their delivery would never end."
    acknowledge(
        bucket,
        Acknowledgment(id="AwsSolutions-S1", reason=unending),
        Acknowledgment(id="NIST.800.53.R5-S3BucketLoggingEnabled", reason=unending),
        Acknowledgment(
            id="NIST.800.53.R5-S3BucketReplicationEnabled",
            reason="Access logs are kept for 90 days and read in their own region; another bucket can be passed.",
        ),
        Acknowledgment(
            id="NIST.800.53.R5-S3DefaultEncryptionKMS",
            reason="Load balancers can write only to buckets that S3 encrypts with its own keys (SSE-S3).",
        ),
    )
    skip_checkov(bucket, {"CKV_AWS_18": unending})
    return bucket
