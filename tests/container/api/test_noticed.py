"""Each way in which the API can be wrong, and what notices it: docs/what-each-alert-means.md has the table.

The real API, against the embedded AWS; its log becomes metrics, metrics raise the alarms as the constructs declare
them, and the topic is notified. The minutes that an alarm looks back at are written into the data, not waited for.
"""

import json
import socket
import time
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.fargate import RetryQueue
from cdk_fargate_sagemaker.monitoring import FallbackAlarms
from tests.access import allow, make_queue, make_role
from tests.container.api.conftest import Api, Runtime
from tests.waiting import until

GROUP = "/noticed/api"


class Watch:
    """The deployed alarms, and what they notified a topic of."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        app = cdk.App()
        synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
        name = f"noticed-{uuid.uuid4().hex[:8]}"
        stack = cdk.Stack(app, name, synthesizer=synthesizer)
        topic = sns.Topic(stack, "Alerts")
        self.service_name = name
        FallbackAlarms(stack, "Fallbacks", namespace="Moderation/Api", service_name=name, alerts_topic=topic)
        queue = RetryQueue(stack, "Unscored", alerts_topic=topic)
        cdk.CfnOutput(stack, "Topic", value=topic.topic_arn)
        cdk.CfnOutput(stack, "Queue", value=queue.queue.queue_url)
        aws.client("cloudformation").create_stack(
            StackName=name, TemplateBody=json.dumps(Template.from_stack(stack).to_json())
        )
        until(lambda: self._stack(name)["StackStatus"] == "CREATE_COMPLETE")
        outputs = {each["OutputKey"]: each["OutputValue"] for each in self._stack(name)["Outputs"]}
        self.queue_url = outputs["Queue"]
        self._inbox, arn = make_queue(aws, f"{name}-inbox", takes_from=outputs["Topic"])
        aws.client("sns").subscribe(TopicArn=outputs["Topic"], Protocol="sqs", Endpoint=arn)
        logs = aws.client("logs")
        self._stream = name
        if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)

    def _stack(self, name: str) -> dict[str, Any]:
        stack: dict[str, Any]
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        assert "ROLLBACK" not in stack["StackStatus"], stack
        return stack

    def log(self, lines: list[dict[str, Any]], *, minutes: int) -> None:
        """Write metric lines of the API to its log group, as if they had come in each of the latest minutes."""
        now = int(time.time() * 1000)
        events = [
            {
                "timestamp": now,
                "message": json.dumps({**line, "_aws": {**line["_aws"], "Timestamp": now - back * 60_000}}),
            }
            for back in range(minutes)
            for line in lines
        ]
        self.aws.client("logs").put_log_events(logGroupName=GROUP, logStreamName=self._stream, logEvents=events)

    def measure_queue(self, *, minutes: int, deleted: int = 0) -> None:
        """Publish what SQS does of the queue as it stands, for each of the latest minutes."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        values = {f"{name}Visible" if name == names[0] else name: int(asked["Attributes"][name]) for name in names}
        dimensions = [{"Name": "QueueName", "Value": self.queue_url.rpartition("/")[2]}]
        now = time.time()
        for name, value in {**values, "NumberOfMessagesDeleted": deleted}.items():
            self.aws.client("cloudwatch").put_metric_data(
                Namespace="AWS/SQS",
                MetricData=[
                    {"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": now - back * 60}
                    for back in range(minutes)
                ],
            )

    def state(self, alarm: str) -> str:
        pages = self.aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
        found = [each for page in pages for each in page["MetricAlarms"] if self._is_own(each)]
        (state,) = [each["StateValue"] for each in found if each["AlarmName"].endswith(f"-{alarm}")]
        return str(state)

    def _is_own(self, alarm: dict[str, Any]) -> bool:
        # Its name begins with the stack's, without hyphens or with.
        return str(alarm["AlarmName"]).replace("-", "").startswith(self.service_name.replace("-", ""))

    def notified(self, alarm: str, state: str) -> bool:
        """Whether the topic was, looking at what came since."""
        received = self.aws.client("sqs").receive_message(
            QueueUrl=self._inbox, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        messages = [json.loads(json.loads(each["Body"])["Message"]) for each in received.get("Messages", [])]
        return any(each["AlarmName"].endswith(f"-{alarm}") and each["NewStateValue"] == state for each in messages)


@pytest.fixture
def watch(embedded_aws: Any) -> Watch:
    return Watch(embedded_aws)


def answered(api: Any, posts: int) -> list[dict[str, Any]]:
    """The API's own metric lines of so many posts."""
    for number in range(posts):
        assert api.moderate(f"post {number}").status_code == 200
    # A request's lines are written after its answer.
    deadline = time.monotonic() + 20
    found: list[dict[str, Any]] = []
    while len(found) < posts and time.monotonic() < deadline:
        lines = [json.loads(line) for line in api.log_text().splitlines() if line.endswith("}")]
        found = [line for line in lines if "Decisions" in line]
        time.sleep(0.05)
    assert len(found) == posts
    return found


def nowhere() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.mark.parametrize("wrong", ["endpoint gone", "wrong name", "permission lost", "region down"])
def test_an_api_without_its_endpoint_is_noticed_by_the_share_of_fallbacks(
    start_api: Callable[..., Api], embedded_aws: Any, denied_calls: Any, watch: Watch, wrong: str
) -> None:
    settings = {"ENDPOINT_NAME": "moderation-noticed" if wrong == "endpoint gone" else "moderatoin"}
    url = embedded_aws.endpoint_url
    if wrong == "permission lost":
        role = make_role(embedded_aws, "noticed", allow("logs:PutLogEvents"), trusts="ecs-tasks.amazonaws.com")
        keys = embedded_aws.client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
        settings["AWS_ACCESS_KEY_ID"] = keys["AccessKeyId"]
        settings["AWS_SECRET_ACCESS_KEY"] = keys["SecretAccessKey"]
        settings["AWS_SESSION_TOKEN"] = keys["SessionToken"]
        denied_calls.expect("*noticed*", "sagemaker:InvokeEndpoint")
    if wrong == "region down":
        url = nowhere()
    api = start_api(url, SERVICE_NAME=watch.service_name, DEADLINE_MS="2000", BREAKER_FAILURES="1", **settings)
    lines = answered(api, 6)
    assert [line["Fallbacks"] for line in lines] == [1] * 6
    watch.log(lines, minutes=2)
    assert watch.state("Fallbacks") != "ALARM", "two minutes are not three"
    watch.log(lines, minutes=3)
    until(lambda: watch.notified("Fallbacks", "ALARM"))
    assert watch.state("BreakerOpen") == "ALARM"


def test_few_fallbacks_are_no_alarm_and_many_answers_end_one(
    start_api: Callable[..., Api], runtime: Runtime, watch: Watch
) -> None:
    api = start_api(runtime.url, SERVICE_NAME=watch.service_name)
    good = answered(api, 4)
    watch.log(good * 5, minutes=5)
    until(lambda: watch.state("Fallbacks") == "OK")
    bad = [{**line, "Fallbacks": 1} for line in good[:2]]
    watch.log(bad, minutes=5)
    until(lambda: watch.notified("Fallbacks", "ALARM"))
    watch.log(good * 20, minutes=5)
    until(lambda: watch.notified("Fallbacks", "OK"))


def test_posts_that_were_lost_are_noticed(api_module: Callable[[str], ModuleType], watch: Watch) -> None:
    assert watch.state("LostPosts") != "ALARM"
    watch.log(
        [api_module("observability.embedded_metrics").count_line("LostPosts", 3, service=watch.service_name)], minutes=1
    )
    until(lambda: watch.notified("LostPosts", "ALARM"))


def test_a_queue_of_which_nothing_is_finished_is_noticed(embedded_aws: Any, watch: Watch) -> None:
    watch.measure_queue(minutes=31)
    until(lambda: watch.state("Stuck") == "OK")
    embedded_aws.client("sqs").send_message(QueueUrl=watch.queue_url, MessageBody="unfinished")
    watch.measure_queue(minutes=29)
    assert watch.state("Stuck") == "OK"
    # Somebody has it, and does not finish it either.
    received = embedded_aws.client("sqs").receive_message(QueueUrl=watch.queue_url, VisibilityTimeout=600)["Messages"]
    watch.measure_queue(minutes=31)
    until(lambda: watch.notified("Stuck", "ALARM"))
    embedded_aws.client("sqs").delete_message(QueueUrl=watch.queue_url, ReceiptHandle=received[0]["ReceiptHandle"])
    watch.measure_queue(minutes=1, deleted=1)
    until(lambda: watch.notified("Stuck", "OK"))
