"""The key with which CloudWatch Logs encrypts logs."""

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from ._construct_tree import once, path_of, stack_of
from ._resource_policy import add_statement


def log_key(scope: Construct, *, given: kms.IKey | None, removal_policy: RemovalPolicy) -> kms.IKey:
    """Returns the key given, or a new `LogKey`, and allows CloudWatch Logs to use it for log groups of this account.

    The owner of an imported key must allow it; the app warns with the statement to add.
    """
    statement = _statement(stack_of(scope))
    if given is not None:
        add_statement(given, given.key_arn, statement)
        return given
    key = kms.Key(
        scope,
        "LogKey",
        description=f"Logs of {path_of(scope)}",
        enable_key_rotation=True,
        removal_policy=removal_policy,
    )
    key.add_to_resource_policy(statement)
    return key


@once
def _statement(stack: Stack) -> iam.PolicyStatement:
    log_groups = stack.format_arn(
        service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    # The service principal contains the region and, unlike most, the partition's suffix:
    # logs.cn-north-1.amazonaws.com.cn.
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"logs.{stack.region}.{stack.url_suffix}")],
        actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
    )
