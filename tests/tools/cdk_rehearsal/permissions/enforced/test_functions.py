"""Functions act as their role, which Lambda assumes, and Lambda writes their log in it."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import allow, make_queue

LOG = allow("logs:CreateLogStream", "logs:PutLogEvents")
CODE = """
import boto3
def handler(event, context):
    print("asked to send")
    try:
        boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody="m")
    except Exception as error:
        return str(error)
    return "sent"
"""


@pytest.fixture
def function(embedded_aws: EmbeddedAws, unique: str) -> Callable[..., Any]:
    """Makes the test's function; what it returns invokes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", CODE)
    functions = embedded_aws.client("lambda")
    functions.create_function(
        FunctionName=unique,
        Code={"ZipFile": archive.getvalue()},
        Handler="index.handler",
        Runtime="python3.13",
        Timeout=30,
        Role=f"arn:aws:iam::123456789012:role/{unique}",
    )

    def invoke(**event: Any) -> Any:
        answer = functions.invoke(FunctionName=unique, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    return invoke


def test_what_a_function_calls_is_judged_as_its_role(
    embedded_aws: EmbeddedAws, role_for: Callable[..., str], function: Any, unique: str
) -> None:
    url, arn = make_queue(embedded_aws, unique)
    role_for("lambda", LOG)
    said = function(queue=url)
    assert "(AccessDenied) when calling the SendMessage operation: User: " in said
    assert f"assumed-role/{unique}/{unique} is not authorized to perform: sqs:SendMessage" in said
    role_for("lambda", LOG, allow("sqs:SendMessage", on=arn))
    assert function(queue=url) == "sent"


def test_a_function_whose_role_may_not_write_its_log_runs_without_one(
    embedded_aws: EmbeddedAws, role_for: Callable[..., str], function: Any, unique: str
) -> None:
    url, arn = make_queue(embedded_aws, unique)
    logs = embedded_aws.client("logs")

    def lines() -> list[str]:
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{unique}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].strip() for event in events]

    send = allow("sqs:SendMessage", on=arn)
    role_for("lambda", send)
    assert function(queue=url) == "sent"
    assert "asked to send" not in lines()
    role_for("lambda", send, LOG)
    function(queue=url)
    assert "asked to send" in lines()


def test_a_function_whose_role_does_not_trust_lambda_does_not_start(
    role_for: Callable[..., str], function: Any
) -> None:
    role_for("states", LOG)
    said = function(queue="none")["errorMessage"]
    assert said.startswith("User: lambda.amazonaws.com is not authorized to perform: sts:AssumeRole")
