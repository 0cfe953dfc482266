import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import botocore.exceptions
import pytest

SECRET_PATH = "/services/T0/B0/very-secret"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:notifier"


@pytest.fixture
def notifier(load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_function("slack_notifier")
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_DELAY_S", 0.05)
    return module


@pytest.fixture
def webhook_secret(aws: Any, http_server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    answer = aws.client("secretsmanager").create_secret(
        Name=f"webhook-{uuid.uuid4().hex}", SecretString=http_server.url + SECRET_PATH
    )
    monkeypatch.setenv("SLACK_WEBHOOK_SECRET_ARN", answer["ARN"])
    return str(answer["ARN"])


def sns_event(message: str, subject: str | None = None) -> dict[str, Any]:
    return {"Records": [{"Sns": {"Message": message, "Subject": subject}}]}


def context(seconds: float = 60) -> SimpleNamespace:
    return SimpleNamespace(get_remaining_time_in_millis=lambda: int(seconds * 1000), invoked_function_arn=FUNCTION)


def texts(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False)


CONSOLE = "https://us-east-1.console.aws.amazon.com/"
WORKFLOW_FAILURE = {
    "kind": "workflow_failure",
    "workflow": "moderation-dev-release",
    "execution": "arn:aws:states:us-east-1:123456789012:execution:moderation-dev-release:monday",
    "state": "Train",
    "error": "States.TaskFailed",
    "cause": json.dumps({"TrainingJobName": "x", "FailureReason": "AlgorithmError: the posts hold no violation"}),
    "console": "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/"
    "arn:aws:states:us-east-1:123456789012:execution:moderation-dev-release:monday",
}


def test_tells_what_failed_where_why_and_where_to_look(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(200)]
    notifier.handler(sns_event(json.dumps(WORKFLOW_FAILURE)), context())
    ((path, body),) = http_server.requests
    assert path == SECRET_PATH
    message = json.loads(body)
    assert message["blocks"][0]["text"]["text"] == "moderation-dev-release failed in Train"
    facts = [field["text"] for field in message["blocks"][1]["fields"]]
    assert facts == ["*State*\nTrain", "*Error*\nStates.TaskFailed", "*Execution*\nmonday"]
    assert message["blocks"][2]["text"]["text"] == "```AlgorithmError: the posts hold no violation```"
    assert message["blocks"][3]["text"]["text"] == f"<{WORKFLOW_FAILURE['console']}|Open the execution>"
    assert message["text"].startswith("moderation-dev-release failed in Train: AlgorithmError")


def test_a_failure_says_what_became_of_the_endpoint(notifier: ModuleType) -> None:
    told = {"rolled_back_to": "moderation-dev-sunday", "rollback_failure": None}
    message = notifier.slack_message(notifier.read_alert(json.dumps(WORKFLOW_FAILURE | told)))
    facts = [field["text"] for field in message["blocks"][1]["fields"]]
    assert facts[3:] == ["*Rolled back to*\nmoderation-dev-sunday"]

    told = {"rollback_failure": json.dumps({"errorMessage": "the endpoint is still Updating"})}
    message = notifier.slack_message(notifier.read_alert(json.dumps(WORKFLOW_FAILURE | told)))
    facts = [field["text"] for field in message["blocks"][1]["fields"]]
    assert facts[3:] == ["*Rollback failed*\nthe endpoint is still Updating"]


def test_a_release_that_was_stopped_is_told_as_such(notifier: ModuleType) -> None:
    stopped = {"state": "ABORTED", "error": "Mistake", "cause": "the wrong posts"}
    message = notifier.slack_message(notifier.read_alert(json.dumps(WORKFLOW_FAILURE | stopped)))
    assert message["text"] == "moderation-dev-release ended as ABORTED: the wrong posts"


def test_a_rollback_by_hand_is_told_with_where_it_went(notifier: ModuleType) -> None:
    rollback = {
        "kind": "rollback",
        "workflow": "moderation-dev-rollback",
        "execution": "arn:aws:states:us-east-1:123456789012:execution:moderation-dev-rollback:night",
        "from": "moderation-dev-monday",
        "to": "moderation-dev-sunday",
        "console": "https://us-east-1.console.aws.amazon.com/states/home",
    }
    message = notifier.slack_message(notifier.read_alert(json.dumps(rollback)))
    assert message["text"] == "moderation-dev-rollback rolled back to moderation-dev-sunday"
    facts = [field["text"] for field in message["blocks"][1]["fields"]]
    assert facts == ["*From*\nmoderation-dev-monday", "*To*\nmoderation-dev-sunday", "*Execution*\nnight"]
    assert message["blocks"][2]["text"]["text"] == f"<{rollback['console']}|Open the execution>"
    noted = notifier.slack_message(notifier.read_alert(json.dumps(rollback | {"note": "its archive was not checked"})))
    assert noted["text"] == "moderation-dev-rollback rolled back to moderation-dev-sunday: its archive was not checked"
    assert noted["blocks"][2]["text"]["text"] == "```its archive was not checked```"
    unnoted = notifier.slack_message(notifier.read_alert(json.dumps(rollback | {"note": None})))
    assert unnoted == message


def test_a_busy_slack_is_waited_for_as_long_as_it_asks(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(429, headers={"Retry-After": "1"}), answer(200)]
    started = time.monotonic()
    notifier.handler(sns_event("plain"), context())
    assert time.monotonic() - started >= 1
    assert len(http_server.requests) == 2


def test_fails_when_slack_asks_for_more_time_than_there_is(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(429, headers={"Retry-After": "3600"})]
    with pytest.raises(notifier.SlackUnavailableError, match="not posted after 1 attempts: Slack answered 429"):
        notifier.handler(sns_event("plain"), context())


def test_a_slack_that_comes_back_is_told(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(500), answer(503), answer(200)]
    notifier.handler(sns_event("plain"), context())
    assert len(http_server.requests) == 3


def test_fails_when_slack_stays_down(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_server.answers = [answer(500)]
    # Only waiting takes time here, so that what a busy machine takes does not count.
    slept: list[float] = []
    monkeypatch.setattr(notifier, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))
    with pytest.raises(notifier.SlackUnavailableError, match=r"not posted after \d+ attempts: Slack answered 500"):
        notifier.handler(sns_event("plain"), context(seconds=notifier.REPORTING_RESERVE_S + 0.5))
    # Waits of at most 0.05 s fill the half second that there is, less the one that would have been too long.
    assert 0.45 <= sum(slept) < 0.5
    assert len(http_server.requests) == len(slept) + 1


def test_fails_at_once_when_slack_refuses(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(404, b"no_service")]
    with pytest.raises(notifier.SlackRefusedError, match="Slack answered 404: no_service"):
        notifier.handler(sns_event("plain"), context())
    assert len(http_server.requests) == 1


def test_a_replaced_webhook_is_read_again_after_a_refusal(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any, aws: Any
) -> None:
    http_server.answers = [answer(404), answer(200)]
    with pytest.raises(notifier.SlackRefusedError):
        notifier.handler(sns_event("plain"), context())
    aws.client("secretsmanager").put_secret_value(SecretId=webhook_secret, SecretString=http_server.url + "/new")
    notifier.handler(sns_event("plain"), context())
    assert http_server.requests[-1][0] == "/new"


def test_the_webhook_is_in_no_log_and_no_error(
    notifier: ModuleType,
    webhook_secret: str,
    http_server: Any,
    answer: Any,
    aws: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger=notifier.__name__)
    http_server.answers = [answer(500), answer(404)]
    with pytest.raises(notifier.SlackRefusedError) as refused:
        notifier.handler(sns_event("plain"), context())
    aws.client("secretsmanager").put_secret_value(
        SecretId=webhook_secret, SecretString="http://127.0.0.1:1/services/T0/B0/very-secret"
    )
    with pytest.raises(notifier.SlackUnavailableError) as unavailable:
        notifier.handler(sns_event("plain"), context(seconds=notifier.REPORTING_RESERVE_S + 0.2))
    assert "very-secret" not in caplog.text + str(refused.value) + str(unavailable.value)
    assert "ConnectionRefusedError" in str(unavailable.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/very-secret",
        "https:///very-secret",
        "ftp://127.0.0.1/very-secret",
        "https://user:very-secret@hooks.slack.com/",
        "https://hooks.slack.com:very-secret/",
        "https://[very-secret/",
        "https://hooks.slack.com/very secret",
        "https://hooks.slack.com/very\nsecret",
        '{"url": "https://hooks.slack.com/very-secret"}',
        "",
    ],
)
def test_fails_when_the_secret_is_no_webhook(notifier: ModuleType, url: str) -> None:
    with pytest.raises(notifier.InvalidWebhookError, match="store https") as fault:
        notifier.parse_webhook(url)
    assert "secret-" not in str(fault.value)
    assert "very" not in str(fault.value)
    assert fault.value.__suppress_context__ or fault.value.__context__ is None


def test_takes_https_and_loopback_webhooks(notifier: ModuleType) -> None:
    assert notifier.parse_webhook("https://hooks.slack.com/services/a?b=c\n").path == "/services/a?b=c"
    assert notifier.parse_webhook("http://[::1]:8080/x").host == "::1"
    assert "services" not in repr(notifier.parse_webhook("https://hooks.slack.com/services/a"))


def test_an_aborted_execution_is_told_with_a_link_to_it(notifier: ModuleType) -> None:
    execution = WORKFLOW_FAILURE["execution"]
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "executionArn": execution,
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:moderation-dev-release",
            "status": "ABORTED",
            "error": None,
            "cause": None,
        },
    }
    message = notifier.slack_message(notifier.read_alert(json.dumps(event)))
    assert message["blocks"][0]["text"]["text"] == "moderation-dev-release ended as ABORTED"
    assert message["blocks"][-1]["text"]["text"] == f"<{WORKFLOW_FAILURE['console']}|Open the execution>"


def test_a_rollback_that_could_not_tell_of_a_stopped_release_names_it(notifier: ModuleType) -> None:
    stopped = {"executionArn": WORKFLOW_FAILURE["execution"], "status": "ABORTED"}
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "executionArn": "arn:aws:states:us-east-1:123456789012:execution:moderation-dev-rollback:5f0c",
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:moderation-dev-rollback",
            "status": "TIMED_OUT",
            "input": json.dumps({"stopped": stopped}),
        },
    }
    message = notifier.slack_message(notifier.read_alert(json.dumps(event)))
    assert message["blocks"][0]["text"]["text"] == "moderation-dev-rollback ended as TIMED_OUT"
    assert message["blocks"][1]["fields"][-1]["text"] == "*Release*\nmonday ended as ABORTED"


def test_other_events_are_told_by_their_detail(notifier: ModuleType) -> None:
    event = {
        "source": "aws.health",
        "detail-type": "AWS Health Event",
        "resources": ["arn:a"],
        "detail": {"eventTypeCode": "X"},
    }
    message = notifier.slack_message(notifier.read_alert(json.dumps(event)))
    assert message["blocks"][0]["text"]["text"] == "AWS Health Event"
    assert "arn:a" in texts(message)
    assert "eventTypeCode" in texts(message)


def test_an_alarm_is_told_with_a_link_to_it(notifier: ModuleType) -> None:
    alarm = {
        "AlarmName": "cpu/max",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu/max",
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed: 93 > 80",
    }
    message = notifier.slack_message(notifier.read_alert(json.dumps(alarm)))
    assert message["blocks"][0]["text"]["text"] == "cpu/max: ALARM"
    assert "```Threshold Crossed: 93 &gt; 80```" in texts(message)
    assert (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/cpu%2Fmax"
        in texts(message)
    )


@pytest.mark.parametrize("message", ["plain", '"json text"', "[1, 2]", '{"some": "object"}', "{broken", ""])
def test_anything_else_is_told_as_it_is(notifier: ModuleType, message: str) -> None:
    alert = notifier.read_alert(message, "Subject")
    assert alert.title == "Subject"
    assert json.loads(alert.reason) == {"some": "object"} if "some" in message else alert.reason == message


def test_slacks_control_characters_are_escaped(notifier: ModuleType) -> None:
    message = notifier.slack_message(notifier.Alert(title="<!channel> & co", reason="a```b", facts={"State": "<@U1>"}))
    assert message["blocks"][0]["text"]["text"] == "&lt;!channel&gt; &amp; co"
    assert message["blocks"][1]["fields"][0]["text"] == "*State*\n&lt;@U1&gt;"
    assert message["blocks"][2]["text"]["text"] == "```a'''b```"


def test_long_texts_keep_to_slacks_limits(notifier: ModuleType) -> None:
    long = "&" * 10_000
    message = notifier.slack_message(
        notifier.Alert(title=long, reason=long, facts={"State": long}, link=CONSOLE + long)
    )
    assert len(message["text"]) <= 4000
    assert len(message["blocks"]) == 3
    assert len(message["blocks"][0]["text"]["text"]) <= 150
    assert len(message["blocks"][1]["fields"][0]["text"]) <= 2000
    reason = message["blocks"][2]["text"]["text"]
    assert len(reason) <= 3000
    assert reason.removeprefix("```").removesuffix("…```").replace("&amp;", "") == ""


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://us-east-1.console.aws.amazon.com/states",
        "https://attacker.example/",
        "https://us-east-1.console.aws.amazon.com.attacker.example/",
        "https://us-east-1.console.aws.amazon.com@attacker.example/",
        "https://us-east-1.console.aws.amazon.com:80@attacker.example/",
        "https://attacker.example/us-east-1.console.aws.amazon.com/",
        "https://attacker.example#.console.aws.amazon.com/",
        "https://attacker.example\\.console.aws.amazon.com/",
        "https://us-east-1.console.aws.amazon.com\\@attacker.example/",
        "https://us-east-1.console.aws.amazon.com/\\attacker.example",
        "https://attacker.console.aws.amazon.com/",
        "https://us-east-1-console.aws.amazon.com/",
        "https://us-east-1.console.aws.amazon.com",
        "https://us-east-1.console.aws.amazon.com/ |attacker",
        "https://us-east-1.console.aws.amazon.com/\n<!channel>",
        "https://cn-north-1.console.amazonaws.cn/states",
        "https://us-gov-west-1.console.aws.amazon.com/states",
    ],
)
def test_a_link_to_elsewhere_than_the_partitions_console_is_left_out(notifier: ModuleType, link: str) -> None:
    (only,) = notifier.slack_message(notifier.Alert(title="t", link=link), "aws")["blocks"]
    assert only["type"] == "header"


@pytest.mark.parametrize(
    "region",
    ["attacker.example/#", "attacker.example", "us-east-1.attacker.example/", "us-east-1/", "", "US-EAST-1", "*"],
)
@pytest.mark.parametrize("partition", ["aws", "aws-nowhere"])
def test_a_region_that_is_none_makes_no_link(notifier: ModuleType, region: str, partition: str) -> None:
    alarm = {"AlarmName": "a", "AlarmArn": f"arn:{partition}:cloudwatch:{region}:1:alarm:a", "NewStateValue": "ALARM"}
    execution = f"arn:{partition}:states:{region}:123456789012:execution:release:monday"
    event = {"detail-type": "Execution", "source": "aws.states", "detail": {"executionArn": execution}}
    for content in (alarm, event):
        assert notifier.read_alert(json.dumps(content)).link == ""


# What whoever can publish to the topic writes into an alert.
WORDS = {
    "a call to everybody": "<!channel>",
    "a person": "<@U012AB3CD>",
    "a group": "<!subteam^SAZ94GDB8>",
    "a channel": "<#C123ABC456>",
    "a link under another name": "<https://attacker.example|https://us-east-1.console.aws.amazon.com/>",
    "a link that is escaped already": "&lt;https://attacker.example&gt;",
    "a mail": "<mailto:a@attacker.example|support>",
    "the end of a quotation": "``` <!here> ```",
    "the end of a name": "*\n<!everyone>",
    "a date": "<!date^1392734382^{date}^https://attacker.example|a>",
}


@pytest.mark.parametrize("words", WORDS)
def test_an_alerts_words_are_words(notifier: ModuleType, words: str) -> None:
    claimed = WORDS[words]
    failure = {name: value if name in ("kind", "console") else claimed for name, value in WORKFLOW_FAILURE.items()}
    alarm = {"AlarmName": claimed, "NewStateValue": "ALARM", "NewStateReason": claimed, "AlarmDescription": claimed}
    event = {"detail-type": claimed, "source": claimed, "detail": {claimed: claimed}}
    for content in (json.dumps(failure), json.dumps(alarm), json.dumps(event), claimed):
        message = notifier.slack_message(notifier.read_alert(content, claimed), "aws")
        sections = [block for block in message["blocks"] if block["type"] == "section"]
        parts = [part for block in sections for part in [*block.get("fields", []), block.get("text")] if part]
        written = [part["text"] for part in parts] + [message["text"], message["blocks"][0]["text"]["text"]]
        linked = [found for text in written for found in re.findall("<[^>]*>", text)]
        assert linked == ([f"<{WORKFLOW_FAILURE['console']}|Open the execution>"] if "kind" in content else [])
        # A quotation is ended by the one who begins it.
        assert all(part["text"].count("```") in (0, 2) for part in parts)


def test_slack_makes_nothing_of_what_only_looks_like_a_link_or_a_name(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(200)]
    claimed = {"error": "@channel #general https://attacker.example", "cause": "<https://attacker.example|console>"}
    notifier.handler(sns_event(json.dumps({**WORKFLOW_FAILURE, **claimed})), context())
    ((_, body),) = http_server.requests
    header, facts, reason, link = json.loads(body)["blocks"]
    assert header["text"]["type"] == "plain_text"
    parts = [*facts["fields"], reason["text"], link["text"]]
    assert [(part["type"], part["verbatim"]) for part in parts] == [("mrkdwn", True)] * len(parts)
    # The one link there is.
    linked = [url for part in parts for url in re.findall("<([^|>]*)", part["text"])]
    assert linked == [WORKFLOW_FAILURE["console"]]


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_links_lead_to_the_console_of_the_alarms_partition(
    notifier: ModuleType, partition: str, region: str, host: str
) -> None:
    alarm = {
        "AlarmName": "cpu",
        "AlarmArn": f"arn:{partition}:cloudwatch:{region}:123456789012:alarm:cpu",
        "NewStateValue": "ALARM",
    }
    assert notifier.read_alert(json.dumps(alarm)).link == (
        f"https://{region}.{host}/cloudwatch/home?region={region}#alarmsV2:alarm/cpu"
    )
    execution = f"arn:{partition}:states:{region}:123456789012:execution:release:monday"
    event = {"detail-type": "Execution", "source": "aws.states", "detail": {"executionArn": execution}}
    assert notifier.read_alert(json.dumps(event)).link == (
        f"https://{region}.{host}/states/home?region={region}#/v2/executions/details/{execution}"
    )


@pytest.mark.parametrize(("old", "new"), [("ALARM", "OK"), ("OK", "ALARM"), ("INSUFFICIENT_DATA", "ALARM")])
def test_an_alarm_that_begins_or_ends_is_told(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any, old: str, new: str
) -> None:
    http_server.answers = [answer(200)]
    notifier.handler(sns_event(json.dumps(state_change("latency", old, new))), context())
    assert len(http_server.requests) == 1


def state_change(name: str, old: str, new: str, *, account: str = "000000000000", **further: str) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{account}:alarm:{name}",
        "AWSAccountId": account,
        "OldStateValue": old,
        "NewStateValue": new,
        "NewStateReason": "…",
        "StateChangeTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
        **further,
    }


def told(notifier: ModuleType, server: Any, change: dict[str, Any]) -> int:
    server.requests.clear()
    notifier.handler(sns_event(json.dumps(change)), context())
    return len(server.requests)


@pytest.fixture
def alarm(aws: Any) -> str:
    """A new metric alarm."""
    name = f"latency-{uuid.uuid4().hex[:8]}"
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=80,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


@pytest.fixture
def composite(aws: Any, alarm: str) -> str:
    """A new composite alarm."""
    name = f"degraded-{uuid.uuid4().hex[:8]}"
    aws.client("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{alarm}")')
    return name


@pytest.mark.parametrize("kind", ["alarm", "composite"])
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["OK"], 0),
        (["OK", "INSUFFICIENT_DATA", "OK"], 0),
        (["ALARM", "INSUFFICIENT_DATA", "OK"], 1),
        (["OK", "ALARM", "INSUFFICIENT_DATA", "OK"], 1),
        (["ALARM", "OK", "INSUFFICIENT_DATA", "OK"], 0),
        # The end was told once; with no alarm between, it is no news.
        (["ALARM", "INSUFFICIENT_DATA", "OK", "INSUFFICIENT_DATA", "OK"], 0),
    ],
)
def test_an_alarm_that_is_ok_after_no_data_is_news_where_it_was_in_alarm_before(
    notifier: ModuleType,
    aws: Any,
    webhook_secret: str,
    http_server: Any,
    answer: Any,
    request: pytest.FixtureRequest,
    kind: str,
    states: list[str],
    expected: int,
) -> None:
    http_server.answers = [answer(200)]
    name = request.getfixturevalue(kind)
    cloudwatch = aws.client("cloudwatch")
    # A new alarm of the embedded AWS may have been evaluated already.
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="INSUFFICIENT_DATA", StateReason="new")
    for state in states:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
    assert told(notifier, http_server, state_change(name, "INSUFFICIENT_DATA", "OK")) == expected


class History:
    """CloudWatch that answers with these transitions, newest first, or fails; it keeps what it was asked."""

    def __init__(self, *transitions: tuple[str, str], fails: Exception | None = None) -> None:
        self.items = [
            {"HistoryData": json.dumps({"oldState": {"stateValue": old}, "newState": {"stateValue": new}})}
            for old, new in transitions
        ]
        self.fails = fails
        self.asked: dict[str, Any] = {}

    def get_paginator(self, operation: str) -> "History":
        assert operation == "describe_alarm_history"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        if self.fails:
            raise self.fails
        return [{}, {"AlarmHistoryItems": self.items[:1]}, {"AlarmHistoryItems": self.items[1:]}]


@pytest.fixture
def history_is(notifier: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[History], None]:
    client = boto3.client

    def replace(history: History) -> None:
        monkeypatch.setattr(
            notifier.boto3,
            "client",
            lambda service, **further: history if service == "cloudwatch" else client(service, **further),
        )

    return replace


DENIED = botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeAlarmHistory")
OWN, FROM_ALARM, FROM_OK = ("INSUFFICIENT_DATA", "OK"), ("ALARM", "INSUFFICIENT_DATA"), ("OK", "INSUFFICIENT_DATA")


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (History(fails=DENIED), 1),
        (History(fails=botocore.exceptions.ReadTimeoutError(endpoint_url="https://monitoring")), 1),
        (History(OWN, FROM_ALARM), 1),
        # It takes a moment until the history has an alert's own transition.
        (History(FROM_ALARM), 1),
        (History(FROM_OK), 0),
        (History(), 0),
        # Made anew while its predecessor was in alarm.
        (History(OWN, ("OK", "ALARM")), 1),
        (History(OWN, ("ALARM", "OK")), 0),
        # An entry that cannot be read.
        (History(OWN, ("", "")), 1),
    ],
)
def test_an_end_is_never_lost_for_want_of_history(
    notifier: ModuleType,
    webhook_secret: str,
    http_server: Any,
    answer: Any,
    history_is: Callable[[History], None],
    history: History,
    expected: int,
) -> None:
    http_server.answers = [answer(200)]
    history_is(history)
    assert told(notifier, http_server, state_change("latency", "INSUFFICIENT_DATA", "OK")) == expected


def test_what_came_after_the_alert_is_not_asked_for(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any, history_is: Callable[[History], None]
) -> None:
    http_server.answers = [answer(200)]
    history = History(OWN, FROM_ALARM)
    history_is(history)
    change = state_change("latency", "INSUFFICIENT_DATA", "OK", StateChangeTime="2026-11-24T10:00:00.500+0000")
    told(notifier, http_server, change)
    assert history.asked["EndDate"] == datetime(2026, 11, 24, 10, 0, 1, 500000, tzinfo=UTC)
    assert history.asked["AlarmTypes"] == ["MetricAlarm", "CompositeAlarm"]
    told(notifier, http_server, {**change, "StateChangeTime": "yesterday"})
    assert "EndDate" not in history.asked


def test_an_alarm_of_another_account_is_told_since_its_history_cannot_be_asked(
    notifier: ModuleType, webhook_secret: str, http_server: Any, answer: Any, history_is: Callable[[History], None]
) -> None:
    http_server.answers = [answer(200)]
    history_is(History())
    change = state_change("latency", "INSUFFICIENT_DATA", "OK", account="444455556666")
    assert told(notifier, http_server, change) == 1


def test_an_endpoint_that_is_gone_is_told_by_its_name(notifier: ModuleType) -> None:
    event = {
        "version": "0",
        "id": "1",
        "detail-type": "SageMaker Endpoint State Change",
        "source": "aws.sagemaker",
        "account": "123456789012",
        "time": "2026-11-26T03:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:sagemaker:us-east-1:123456789012:endpoint/moderation"],
        "detail": {"EndpointName": "moderation", "EndpointConfigName": "moderation-7", "EndpointStatus": "DELETING"},
    }
    alert = notifier.read_alert(json.dumps(event))
    assert alert.title == "endpoint moderation: DELETING"
    assert alert.facts == {"Configuration": "moderation-7", "At": "2026-11-26T03:00:00Z"}
    assert alert.reason == (
        "If nobody is changing it on purpose, start moderation-rollback with {}. If no endpoint serves, that restores "
        "the current release and marks no release as bad; an older one needs its name."
    )
    event["detail"] = {"EndpointName": "moderation", "EndpointStatus": "FAILED", "FailureReason": "no capacity"}
    assert notifier.read_alert(json.dumps(event)).reason.startswith("no capacity\nIf nobody")
    assert alert.link == (
        "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/endpoints/moderation"
    )
