from collections.abc import Mapping
from functools import cache

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from ._acknowledgment import Acknowledgment, acknowledge
from ._checkov_skips import skip_checkov
from ._construct_tree import stack_of
from ._function_code import function_code
from ._inline_policy import acknowledge_inline_policy
from ._log_key import log_key


# The same for every function; each is a call to the JavaScript process.
@cache
def _lambda_service() -> iam.IPrincipal:
    return iam.ServicePrincipal("lambda.amazonaws.com")


@cache
def _python() -> lambda_.Runtime:
    return lambda_.Runtime.PYTHON_3_13


@cache
def _arm_64() -> lambda_.Architecture:
    return lambda_.Architecture.ARM_64


class PackagedFunction(Construct):
    """One of this library's own Lambda functions: Python 3.13 on ARM64, with a role and a log group of its own.

    The role may write to that log group and trace to X-Ray, nothing else; the construct that makes the function grants
    what else it needs. The logs are encrypted with `log_encryption_key`, which CloudWatch Logs is allowed to use, or
    with a key made here. Without `dead_letter_queue` the function must be invoked synchronously: its caller waits for
    the result.

    `name` is the function's folder in `lambda/`, whose module of the same name has `handler(event, context)`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        description: str,
        timeout: Duration,
        memory_mib: int = 256,
        ephemeral_storage_mib: int = 512,
        environment: Mapping[str, str] | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        log_encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        self._log_group = logs.LogGroup(
            self,
            "Logs",
            retention=log_retention,
            encryption_key=log_key(self, given=log_encryption_key, removal_policy=RemovalPolicy.DESTROY),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._role = iam.Role(
            self,
            "Role",
            description=f"{stack_of(self).stack_name} {name}",
            assumed_by=_lambda_service(),
        )
        self._log_group.grant_write(self._role).assert_success()
        self._function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=function_code(name),
            handler=f"{name}.handler",
            runtime=_python(),
            architecture=_arm_64(),
            timeout=timeout,
            memory_size=memory_mib,
            ephemeral_storage_size=Size.mebibytes(ephemeral_storage_mib),
            environment=dict(environment or {}),
            role=self._role,
            log_group=self._log_group,
            dead_letter_queue=dead_letter_queue,
            tracing=lambda_.Tracing.ACTIVE,
        )
        acknowledge_inline_policy(
            self._role,
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="The actions for X-Ray traces support no resource-level permissions.",
            ),
        )
        not_reserved = (
            "It runs for an alert, a release or by a schedule, one at a time. Reserved concurrency would take from the "
            "account's other functions, and cannot be set in an account that still has the initial quota of 10."
        )
        outside = "It calls public endpoints over TLS and nothing in a VPC."
        tested_version = "The functions are tested on Python 3.13, which Lambda supports until 2029."
        acknowledge(
            self._function,
            Acknowledgment(id="AwsSolutions-L1", reason=tested_version),
            Acknowledgment(id="Serverless-LambdaLatestVersion", reason=tested_version),
            Acknowledgment(id="NIST.800.53.R5-LambdaConcurrency", reason=not_reserved),
            Acknowledgment(id="NIST.800.53.R5-LambdaInsideVPC", reason=outside),
        )
        reasons = {"CKV_AWS_115": not_reserved, "CKV_AWS_117": outside}
        if environment:
            reasons["CKV_AWS_173"] = (
                "It holds names and settings, no secret; Lambda encrypts it with a key that it manages. With a "
                "customer key, whoever disables that key stops the function."
            )
        if dead_letter_queue is None:
            answered = (
                "Its callers wait for the result; Lambda sends such (synchronous) invocations to no dead-letter queue."
            )
            acknowledge(
                self._function,
                Acknowledgment(id="NIST.800.53.R5-LambdaDLQ", reason=answered),
                Acknowledgment(id="Serverless-LambdaDLQ", reason=answered),
            )
            reasons["CKV_AWS_116"] = answered
        skip_checkov(self._function, reasons)

    @property
    def function(self) -> lambda_.Function:
        """The function."""
        return self._function

    @property
    def role(self) -> iam.Role:
        """The role of the function."""
        return self._role

    @property
    def log_group(self) -> logs.LogGroup:
        """The function's log group."""
        return self._log_group
