import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import make_queue

FUNCTION = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody="attempt")
    raise RuntimeError("Slack is gone for good")
"""


def _received(aws: EmbeddedAws, url: str) -> list[Any]:
    answer = aws.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    messages: list[Any] = answer.get("Messages", [])
    return messages


def _template(code: str, *, seen_url: str, lost_arn: str | None) -> str:
    lost = {"DeadLetterConfig": {"TargetArn": lost_arn}} if lost_arn else {}
    function = {
        "Code": {"ZipFile": code},
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::123456789012:role/notifier",
        "Timeout": 20,
        "Environment": {"Variables": {"SEEN": seen_url}},
        **lost,
    }
    resources = {
        "Notifier": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "LetsTheTopicIn": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Notifier"},
                "Principal": "sns.amazonaws.com",
                "SourceArn": {"Ref": "Topic"},
            },
        },
        "Told": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "lambda",
                "Endpoint": {"Fn::GetAtt": ["Notifier", "Arn"]},
            },
        },
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("Notifier", "Topic")}
    return json.dumps({"Resources": resources, "Outputs": outputs})


@pytest.fixture
def deploy(embedded_aws: EmbeddedAws, eventually: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    cloudformation = embedded_aws.client("cloudformation")
    stack = f"alerts-{uuid.uuid4().hex[:6]}"
    made: list[str] = []

    def run(template: str) -> dict[str, str]:
        call = cloudformation.update_stack if made else cloudformation.create_stack
        call(StackName=stack, TemplateBody=template)
        made.append(stack)
        done = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        described = eventually(
            lambda: (now := cloudformation.describe_stacks(StackName=stack)["Stacks"][0])["StackStatus"] in done and now
        )
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    return run


def test_an_alert_whose_function_fails_is_tried_three_times_and_kept(
    embedded_aws: EmbeddedAws, deploy: Callable[..., dict[str, str]], eventually: Callable[..., Any]
) -> None:
    name = uuid.uuid4().hex[:6]
    seen, _ = make_queue(embedded_aws, f"seen-{name}")
    lost, lost_arn = make_queue(embedded_aws, f"lost-{name}")
    outputs = deploy(_template(FUNCTION, seen_url=seen, lost_arn=lost_arn))
    embedded_aws.client("sns").publish(TopicArn=outputs["Topic"], Message="nobody hears this")
    (kept,) = eventually(lambda: _received(embedded_aws, lost), seconds=60)
    # As Lambda puts it there: the event itself, ready to be sent again, and the reason beside it.
    assert json.loads(kept["Body"])["Records"][0]["Sns"]["Message"] == "nobody hears this"
    assert kept["MessageAttributes"]["ErrorMessage"]["StringValue"] == "Slack is gone for good"
    assert len(_received(embedded_aws, seen)) == 3


def test_a_functions_queue_follows_its_template(
    embedded_aws: EmbeddedAws, deploy: Callable[..., dict[str, str]]
) -> None:
    name = uuid.uuid4().hex[:6]
    functions = embedded_aws.client("lambda")
    arns = [make_queue(embedded_aws, f"lost-{name}-{number}")[1] for number in (1, 2)]
    for arn in (*arns, None):
        outputs = deploy(_template(FUNCTION, seen_url="none", lost_arn=arn))
        configuration = functions.get_function_configuration(FunctionName=outputs["Notifier"])
        assert configuration.get("DeadLetterConfig", {}).get("TargetArn") == arn


def test_an_alert_whose_function_is_gone_is_kept_by_the_subscription(
    embedded_aws: EmbeddedAws, eventually: Callable[..., Any]
) -> None:
    name = uuid.uuid4().hex[:6]
    lost, lost_arn = make_queue(embedded_aws, f"undelivered-{name}", takes_from="arn:aws:sns:*:*:alerts-*")
    functions, sns = embedded_aws.client("lambda"), embedded_aws.client("sns")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", FUNCTION)
    function = functions.create_function(
        FunctionName=f"gone-{name}",
        Code={"ZipFile": archive.getvalue()},
        Handler="index.handler",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/notifier",
    )["FunctionArn"]
    topic = sns.create_topic(Name=f"alerts-{name}")["TopicArn"]
    redrive = json.dumps({"deadLetterTargetArn": lost_arn})
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function, Attributes={"RedrivePolicy": redrive})
    functions.delete_function(FunctionName=f"gone-{name}")
    sns.publish(TopicArn=topic, Message="nobody is there")
    (kept,) = eventually(lambda: _received(embedded_aws, lost))
    assert json.loads(kept["Body"])["Message"] == "nobody is there"


def test_a_destination_gets_the_record_of_the_invocation(
    embedded_aws: EmbeddedAws, deploy: Callable[..., dict[str, str]], eventually: Callable[..., Any]
) -> None:
    name = uuid.uuid4().hex[:6]
    failed, failed_arn = make_queue(embedded_aws, f"failed-{name}")
    function = deploy(_template(FUNCTION, seen_url="none", lost_arn=None))["Notifier"]
    functions = embedded_aws.client("lambda")
    functions.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": failed_arn}}
    )
    functions.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"a": 1}')
    (kept,) = eventually(lambda: _received(embedded_aws, failed), seconds=30)
    assert json.loads(kept["Body"])["requestPayload"] == {"a": 1}
