"""Permissions for the logs and metrics that SageMaker writes with the role of a job or an endpoint."""

from aws_cdk import ArnFormat
from aws_cdk import aws_iam as iam

from ..._allow import allow
from ..._construct_tree import stack_of


def allow_logs(role: iam.Role, writers: str, streams: str) -> None:
    """Allows `role` to write log streams in SageMaker's log group for `writers`: `TrainingJobs`, `Endpoints/<name>`.

    `streams` is the name of the streams or a pattern. CloudWatch Logs matches a log group by an ARN with a suffix, so a
    policy must write it with `:*`:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    group = stack_of(role).format_arn(
        service="logs",
        resource="log-group",
        resource_name=f"/aws/sagemaker/{writers}",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    allow(
        role,
        ["logs:CreateLogGroup", "logs:DescribeLogStreams"],
        f"{group}:*",
        wildcard_reason="CloudWatch Logs takes a log group's ARN in this form alone.",
    )
    allow(
        role,
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        f"{group}:log-stream:{streams}",
        wildcard_reason="SageMaker names a log stream after the instance, which is not known before it runs.",
    )


def allow_metrics(role: iam.Role) -> None:
    """Allows `role` to write metrics in SageMaker's namespaces."""
    allow(
        role,
        ["cloudwatch:PutMetricData"],
        "*",
        conditions={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*", "AWS/SageMaker"]}},
        wildcard_reason="cloudwatch:PutMetricData, ecr:GetAuthorizationToken and the descriptions of networks take no "
        "resource; metrics are limited to SageMaker's namespaces by a condition.",
    )
