"""Exports of tables in the embedded AWS, as AWS makes them."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws


@pytest.fixture
def table(embedded_aws: EmbeddedAws) -> Callable[..., str]:
    """Makes a table as a template does and returns its ARN: `table("posts", recovery=False)`."""

    def make(name: str, *, recovery: bool = True) -> str:
        formation = embedded_aws.client("cloudformation")
        properties: dict[str, Any] = {
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        if recovery:
            properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
        template = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}}
        formation.create_stack(StackName=f"of-{name}", TemplateBody=json.dumps(template))
        formation.get_waiter("stack_create_complete").wait(StackName=f"of-{name}", WaiterConfig={"Delay": 1})
        return str(embedded_aws.client("dynamodb").describe_table(TableName=name)["Table"]["TableArn"])

    return make


def ended(dynamodb: Any, arn: str) -> dict[str, Any]:
    give_up = time.monotonic() + 60
    while (described := dynamodb.describe_export(ExportArn=arn)["ExportDescription"])["ExportStatus"] == "IN_PROGRESS":
        assert time.monotonic() < give_up
        time.sleep(0.02)
    found: dict[str, Any] = described
    return found


def test_an_export_holds_the_items_as_they_were_when_it_began(
    embedded_aws: EmbeddedAws, table: Callable[..., str]
) -> None:
    dynamodb, s3 = embedded_aws.client("dynamodb"), embedded_aws.client("s3")
    arn = table("exported")
    s3.create_bucket(Bucket="exports")
    items = [{"id": {"S": f"投稿 {number}"}, "label": {"N": str(number % 2)}} for number in range(5)]
    for item in items:
        dynamodb.put_item(TableName="exported", Item=item)
    request = {"TableArn": arn, "S3Bucket": "exports", "S3Prefix": "runs/x", "ClientToken": "x"}
    started = dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]
    dynamodb.put_item(TableName="exported", Item={"id": {"S": "too late"}})
    assert dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"] == started["ExportArn"]
    export = ended(dynamodb, started["ExportArn"])
    assert (export["ExportStatus"], export["ItemCount"]) == ("COMPLETED", 5)

    folder = f"runs/x/AWSDynamoDB/{started['ExportArn'].rpartition('/')[2]}/"
    bodies = {
        entry["Key"].removeprefix(folder): s3.get_object(Bucket="exports", Key=entry["Key"])["Body"].read()
        for entry in s3.list_objects_v2(Bucket="exports")["Contents"]
    }
    data = {name: body for name, body in bodies.items() if name.startswith("data/")}
    assert set(bodies) - set(data) == {
        "_started",
        "manifest-files.checksum",
        "manifest-files.json",
        "manifest-summary.checksum",
        "manifest-summary.json",
    }
    assert all(name.endswith(".json.gz") for name in data)
    lines = [line for body in data.values() for line in gzip.decompress(body).decode().splitlines()]
    assert sorted(json.loads(line)["Item"]["id"]["S"] for line in lines) == [f"投稿 {number}" for number in range(5)]
    summary = json.loads(bodies["manifest-summary.json"])
    assert (summary["itemCount"], summary["tableArn"], summary["exportArn"]) == (5, arn, started["ExportArn"])
    assert summary["exportTime"].endswith("Z")
    files = [json.loads(line) for line in bodies["manifest-files.json"].splitlines()]
    assert {file["dataFileS3Key"].removeprefix(folder) for file in files} == set(data)

    with pytest.raises(ClientError, match="ExportConflictException"):
        dynamodb.export_table_to_point_in_time(**request | {"S3Prefix": "elsewhere"})
    failed = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket="nowhere")["ExportDescription"]
    failed = ended(dynamodb, failed["ExportArn"])
    assert (failed["ExportStatus"], failed["FailureCode"]) == ("FAILED", "S3NoSuchBucket")


def test_a_table_without_point_in_time_recovery_is_not_exported(
    embedded_aws: EmbeddedAws, table: Callable[..., str]
) -> None:
    arn = table("forgetful", recovery=False)
    with pytest.raises(ClientError, match="Point in time recovery is not enabled for table 'forgetful'"):
        embedded_aws.client("dynamodb").export_table_to_point_in_time(TableArn=arn, S3Bucket="exports")
