import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb

from cdk_fargate_sagemaker.sagemaker import DynamoDbExport


def test_fails_when_no_export_could_end_in_time() -> None:
    table = dynamodb.Table.from_table_name(cdk.Stack(), "Posts", "posts")
    with pytest.raises(
        ValueError, match="max_runtime: got 30 seconds, allowed: a Duration of whole seconds, at least 1 minute"
    ):
        DynamoDbExport(table=table, max_runtime=cdk.Duration.seconds(30))
