from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws

TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "fault"),
    [
        ("ssm", "put_parameter", {"Name": "/x", "Value": "1", "Type": "Text"}, "enum value set"),
        ("dynamodb", "create_table", {**TABLE, "TableName": "t" * 1025}, "length less than or equal to 1024"),
        (
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": "arn:x", "name": "n" * 81},
            "less than or equal to 80",
        ),
        ("secretsmanager", "get_secret_value", {"SecretId": "s" * 2049}, "length less than or equal to 2048"),
        (
            "athena",
            "start_query_execution",
            {"QueryString": "SELECT 1", "ClientRequestToken": "t" * 129},
            "equal to 128",
        ),
    ],
)
def test_what_aws_would_refuse_is_refused(
    embedded_aws: EmbeddedAws, service: str, operation: str, request_: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ClientError, match=fault) as refused:
        getattr(embedded_aws.client(service), operation)(**request_)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_what_is_right_goes_through(embedded_aws: EmbeddedAws) -> None:
    systems = embedded_aws.client("ssm")
    systems.put_parameter(Name="/checked", Value="1", Type="String", Overwrite=True)
    assert systems.get_parameter(Name="/checked")["Parameter"]["Value"] == "1"
