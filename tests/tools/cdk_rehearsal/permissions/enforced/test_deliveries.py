"""What EventBridge, CloudWatch, SNS and Lambda hand on needs permission, and is otherwise lost in silence or kept."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import allow, make_queue, make_role, policy
from tests.denied_calls import DeniedCalls

Eventually = Callable[..., Any]
FAILING = "def handler(event, context):\n    raise RuntimeError('no')\n"


@pytest.fixture(scope="module", autouse=True)
def these_services_are_denied(denied_calls: DeniedCalls) -> None:
    for service in ("cloudwatch", "events", "sns"):
        denied_calls.expect(f"{service}.amazonaws.com", "*", "arn:aws:*:us-east-1:123456789012:*enforced-*")
        denied_calls.expect(f"{service}.amazonaws.com", "kms:*")


@pytest.fixture
def received(embedded_aws: EmbeddedAws) -> Callable[[str], list[Any]]:
    """The bodies of the messages in a queue, which it then has no more."""

    def take(url: str) -> list[Any]:
        sqs = embedded_aws.client("sqs")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return take


class Topic:
    """One whose messages arrive in a queue, encrypted with a key of a policy of the test's own where it has one."""

    def __init__(self, aws: EmbeddedAws, deployed: Any, unique: str, key_statements: list[Any] | None = None) -> None:
        self._aws, self._deployed, self._unique = aws, deployed, unique
        self.arn = self._deploy(key_statements)
        self.queue, arn = make_queue(aws, f"{unique}-heard", takes_from=self.arn)
        aws.client("sns").subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=arn)

    def _deploy(self, key_statements: list[Any] | None) -> str:
        topic: dict[str, Any] = {"TopicName": self._unique}
        if key_statements is None:
            made = self._deployed(Topic=("AWS::SNS::Topic", topic))
        else:
            document = json.loads(policy(*key_statements))
            key = ("AWS::KMS::Key", {"KeyPolicy": document})
            encrypted = {**topic, "KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}
            made = self._deployed(Key=key, Topic=("AWS::SNS::Topic", encrypted))
        arn: str = made["Topic"]
        return arn

    def lets_in(self, *services: str) -> None:
        """Replaces the policy that SNS gave it."""
        statements = [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": self.arn}
            for service in services
        ]
        self._aws.client("sns").set_topic_attributes(
            TopicArn=self.arn, AttributeName="Policy", AttributeValue=policy(*statements)
        )


def key_for(*services: str) -> list[Any]:
    return [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "kms:*", "Resource": "*"}
        for service in services
    ]


@pytest.fixture
def topic(embedded_aws: EmbeddedAws, deployed: Any, unique: str) -> Callable[..., Topic]:
    return lambda key_statements=None: Topic(embedded_aws, deployed, unique, key_statements)


@pytest.fixture
def told_by_alarm(
    embedded_aws: EmbeddedAws, unique: str, judged: Any, eventually: Eventually, received: Any
) -> Callable[[Topic], list[str]]:
    """The states that a queue hears of when the topic's alarm goes on, once CloudWatch has tried to publish."""

    def fire(topic: Topic) -> list[str]:
        cloudwatch = embedded_aws.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=unique,
            Namespace="Enforced",
            MetricName=unique,
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
            AlarmActions=[topic.arn],
        )
        before = sum(call["times"] for call in judged("sns:Publish", topic.arn))
        cloudwatch.set_alarm_state(AlarmName=unique, StateValue="OK", StateReason="test")
        cloudwatch.set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason="test")
        eventually(lambda: sum(call["times"] for call in judged("sns:Publish", topic.arn)) > before)
        return [json.loads(message["Message"])["NewStateValue"] for message in received(topic.queue)]

    return fire


def test_an_alarm_is_told_until_the_topics_policy_leaves_cloudwatch_out(topic: Any, told_by_alarm: Any) -> None:
    alerts = topic()
    # The policy that SNS gives a topic lets in the account's alarms.
    assert told_by_alarm(alerts) == ["ALARM"]
    # One for EventBridge alone replaces it.
    alerts.lets_in("events.amazonaws.com")
    assert told_by_alarm(alerts) == []
    alerts.lets_in("events.amazonaws.com", "cloudwatch.amazonaws.com")
    assert told_by_alarm(alerts) == ["ALARM"]


@pytest.mark.parametrize(("users", "told"), [(["sns.amazonaws.com"], []), (["cloudwatch.amazonaws.com"], ["ALARM"])])
def test_an_alarm_is_told_by_an_encrypted_topic_whose_key_cloudwatch_may_use(
    topic: Any, told_by_alarm: Any, users: list[str], told: list[str]
) -> None:
    alerts = topic(key_for(*users))
    alerts.lets_in("cloudwatch.amazonaws.com")
    assert told_by_alarm(alerts) == told


@pytest.fixture
def rule(embedded_aws: EmbeddedAws, unique: str) -> Callable[..., Callable[[], None]]:
    """Makes a rule with a target; what it returns puts an event that matches: `rule(Arn=topic, DeadLetterConfig=…)`."""

    def make(**target: Any) -> Callable[[], None]:
        events = embedded_aws.client("events")
        events.put_rule(Name=unique, EventPattern=json.dumps({"source": [unique]}))
        events.put_targets(Rule=unique, Targets=[{"Id": "target", **target}])
        entry = {"Source": unique, "DetailType": "test", "Detail": '{"a": 1}'}
        return lambda: events.put_events(Entries=[entry])

    return make


def test_an_event_that_a_topic_does_not_let_in_goes_to_the_rules_dead_letter_queue(
    embedded_aws: EmbeddedAws, topic: Any, rule: Any, unique: str, received: Any, eventually: Eventually
) -> None:
    alerts = topic()
    lost, lost_arn = make_queue(
        embedded_aws, f"{unique}-lost", takes_from=f"arn:aws:events:us-east-1:123456789012:rule/{unique}"
    )
    happens = rule(Arn=alerts.arn, DeadLetterConfig={"Arn": lost_arn})
    # SNS's own policy lets the account's alarms in, and no events.
    happens()
    (event,) = eventually(lambda: received(lost))
    assert event["detail"] == {"a": 1}
    assert received(alerts.queue) == []
    alerts.lets_in("events.amazonaws.com")
    happens()
    (message,) = eventually(lambda: received(alerts.queue))
    assert json.loads(message["Message"])["detail"] == {"a": 1}
    assert received(lost) == []


def test_an_event_is_lost_where_the_key_or_the_dead_letter_queue_does_not_let_it_in(
    embedded_aws: EmbeddedAws, topic: Any, rule: Any, unique: str, received: Any, judged: Any, eventually: Eventually
) -> None:
    alerts = topic(key_for("cloudwatch.amazonaws.com"))
    alerts.lets_in("events.amazonaws.com")
    lost, lost_arn = make_queue(embedded_aws, f"{unique}-lost")
    rule(Arn=alerts.arn, DeadLetterConfig={"Arn": lost_arn})()
    (call,) = eventually(lambda: judged("sqs:SendMessage", lost_arn))
    assert (call["caller"], call["allowed"]) == ("events.amazonaws.com", False)
    assert call["missing"]["Principal"] == {"Service": "events.amazonaws.com"}
    assert received(alerts.queue) == received(lost) == []


def test_a_rule_starts_a_machine_only_in_a_role_that_trusts_it_and_may(
    embedded_aws: EmbeddedAws, rule: Any, unique: str, judged: Any, eventually: Eventually
) -> None:
    machines = embedded_aws.client("stepfunctions")
    machine = machines.create_state_machine(
        name=unique,
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/workflow",
    )["stateMachineArn"]
    role = make_role(embedded_aws, unique, allow("states:StartExecution", on=machine), trusts="lambda.amazonaws.com")
    happens = rule(Arn=machine, RoleArn=role)

    def started() -> int:
        return len(machines.list_executions(stateMachineArn=machine)["executions"])

    happens()
    (call,) = eventually(lambda: judged("sts:AssumeRole", role))
    assert (call["caller"], call["allowed"]) == ("events.amazonaws.com", False)
    make_role(embedded_aws, unique, trusts="events.amazonaws.com")
    happens()
    (call,) = eventually(lambda: judged("states:StartExecution", machine))
    assert (call["caller"], call["allowed"], started()) == (role, False, 0)
    make_role(embedded_aws, unique, allow("states:StartExecution", on=machine), trusts="events.amazonaws.com")
    happens()
    eventually(lambda: started() == 1)


def test_a_message_that_a_queue_does_not_let_in_goes_to_the_subscriptions_queue(
    embedded_aws: EmbeddedAws, unique: str, received: Any, eventually: Eventually
) -> None:
    sns = embedded_aws.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    closed, closed_arn = make_queue(embedded_aws, f"{unique}-closed")
    lost, lost_arn = make_queue(embedded_aws, f"{unique}-lost", takes_from=topic)
    redrive = json.dumps({"deadLetterTargetArn": lost_arn})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=closed_arn, Attributes={"RedrivePolicy": redrive})
    sns.publish(TopicArn=topic, Message="to nobody")
    (kept,) = eventually(lambda: received(lost))
    assert kept["Message"] == "to nobody"
    assert received(closed) == []


@pytest.fixture
def function(embedded_aws: EmbeddedAws, unique: str, role_for: Callable[..., str]) -> str:
    """One that fails, and whose role may write its log."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", FAILING)
    role_for("lambda", allow("logs:CreateLogStream", "logs:PutLogEvents"))
    made = embedded_aws.client("lambda").create_function(
        FunctionName=unique,
        Code={"ZipFile": archive.getvalue()},
        Handler="index.handler",
        Runtime="python3.13",
        Role=f"arn:aws:iam::123456789012:role/{unique}",
    )
    arn: str = made["FunctionArn"]
    return arn


def test_a_message_that_a_function_does_not_let_in_goes_to_the_subscriptions_queue(
    embedded_aws: EmbeddedAws, unique: str, received: Any, eventually: Eventually, function: str, judged: Any
) -> None:
    sns = embedded_aws.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    lost, lost_arn = make_queue(embedded_aws, f"{unique}-lost", takes_from=topic)
    redrive = json.dumps({"deadLetterTargetArn": lost_arn})
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function, Attributes={"RedrivePolicy": redrive})
    sns.publish(TopicArn=topic, Message="to nobody")
    (kept,) = eventually(lambda: received(lost))
    assert kept["Message"] == "to nobody"
    embedded_aws.client("lambda").add_permission(
        FunctionName=unique,
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.publish(TopicArn=topic, Message="to the function")
    eventually(lambda: any(call["allowed"] for call in judged("lambda:InvokeFunction", function)))


@pytest.mark.parametrize("kind", ["dead-letter queue", "destination"])
def test_an_event_that_a_function_failed_at_is_kept_only_where_its_role_may_send(
    embedded_aws: EmbeddedAws,
    unique: str,
    function: str,
    received: Any,
    judged: Any,
    eventually: Eventually,
    role_for: Callable[..., str],
    kind: str,
) -> None:
    functions = embedded_aws.client("lambda")
    url, arn = make_queue(embedded_aws, unique)
    if kind == "destination":
        functions.put_function_event_invoke_config(
            FunctionName=unique, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
        )
    else:
        functions.put_function_event_invoke_config(FunctionName=unique, MaximumRetryAttempts=0)
        functions.update_function_configuration(FunctionName=unique, DeadLetterConfig={"TargetArn": arn})

    def fails() -> None:
        functions.invoke(FunctionName=unique, InvocationType="Event", Payload=b'{"a": 1}')

    fails()
    (call,) = eventually(lambda: judged("sqs:SendMessage", arn))
    assert (call["caller"], call["allowed"]) == (f"arn:aws:iam::123456789012:role/{unique}", False)
    assert received(url) == []
    role_for("lambda", allow("logs:CreateLogStream", "logs:PutLogEvents"), allow("sqs:SendMessage", on=arn))
    fails()
    (kept,) = eventually(lambda: received(url))
    assert kept.get("requestPayload", kept) == {"a": 1}
