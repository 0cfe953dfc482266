"""Posts each alert of an SNS topic to Slack.

An alert is the JSON of the release or the rollback workflow, an EventBridge event, a CloudWatch alarm, or plain text.
INSUFFICIENT_DATA → OK is an alert only if the alarm was in ALARM before, as its history shows. While Slack is busy or
down the function retries within this invocation's time. After that it raises, and Lambda retries and then keeps the
alert in the dead-letter queue. The webhook's URL is a secret: no log line and no error contains it.
"""

import http.client
import json
import logging
import os
import random
import re
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

# Slack's limits, in characters
HEADER_LIMIT = 150
FIELD_LIMIT = 2000
SECTION_LIMIT = 3000
FALLBACK_LIMIT = 4000

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 16.0
TELLING_BUDGET_S = 45.0
REPORTING_RESERVE_S = 3.0  # time that the runtime needs to report an error before the time limit
REQUEST_TIMEOUT_S = 10.0

ENDED_FROM_OUTSIDE = frozenset({"ABORTED", "TIMED_OUT", "FAILED"})
# By partition: the pattern of its regions' names and the domain of its console, from botocore's data of partitions and
# of the service signin, whose hosts have the same domains.
CONSOLES = {
    "aws": (r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]{1,2}", "console.aws.amazon.com"),
    "aws-cn": (r"cn-[a-z]+-[0-9]{1,2}", "console.amazonaws.cn"),
    "aws-eusc": (r"eusc-[a-z]+-[a-z]+-[0-9]{1,2}", "console.amazonaws-eusc.eu"),
    "aws-iso": (r"us-iso-[a-z]+-[0-9]{1,2}", "console.c2shome.ic.gov"),
    "aws-iso-b": (r"us-isob-[a-z]+-[0-9]{1,2}", "console.sc2shome.sgov.gov"),
    "aws-us-gov": (r"us-gov-[a-z]+-[0-9]{1,2}", "console.amazonaws-us-gov.com"),
}
NO_DATA = "INSUFFICIENT_DATA"
MOST_HISTORY = 100
# A slow look-up must not use up the time for Slack.
HISTORY_CONFIG = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_webhooks: dict[str, "Webhook"] = {}


class InvalidWebhookError(Exception):
    """The secret does not hold the URL of a webhook."""


class SlackRefusedError(Exception):
    """Slack rejects this message; retries cannot help."""


class SlackUnavailableError(Exception):
    """Slack was busy, down or not reachable until the time limit."""


class _RetryableError(Exception):
    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert's content: a title, a few named values, the full reason, and a link."""

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    link: str = ""
    link_name: str = "Open in the console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The URL that accepts messages. Its repr does not show the path, which is the secret."""

    secure: bool
    host: str
    port: int | None
    path: str = field(repr=False)


def handler(event: dict[str, Any], context: Any) -> None:
    """Posts each record of an SNS event to Slack. Raises if one could not be posted, so that Lambda retries and keeps
    it.
    """
    budget_s = min(TELLING_BUDGET_S, context.get_remaining_time_in_millis() / 1000 - REPORTING_RESERVE_S)
    deadline = time.monotonic() + budget_s
    secret_arn = os.environ["SLACK_WEBHOOK_SECRET_ARN"]
    for record in event["Records"]:
        content = _json_object(record["Sns"]["Message"]) or {}
        if is_ok_after_no_data(content) and not may_have_been_in_alarm(content, context.invoked_function_arn):
            LOGGER.info("no notification: the alarm is OK after INSUFFICIENT_DATA and was not in ALARM before")
            continue
        alert = read_alert(record["Sns"]["Message"], record["Sns"].get("Subject"))
        try:
            partition = context.invoked_function_arn.split(":")[1]
            tell(_webhook(secret_arn), slack_message(alert, partition), deadline)
        except SlackRefusedError:
            # The webhook may have been replaced: the next attempt reads the secret again.
            _webhooks.pop(secret_arn, None)
            raise
        LOGGER.info("posted to Slack: %s", alert.title)


def is_ok_after_no_data(content: dict[str, Any]) -> bool:
    """Whether an alarm changed from INSUFFICIENT_DATA to OK, as every new alarm does after its deployment."""
    return (content.get("OldStateValue"), content.get("NewStateValue")) == (NO_DATA, "OK")


def may_have_been_in_alarm(content: dict[str, Any], function_arn: str) -> bool:
    """Whether an alarm was in ALARM before it had no data, so that people have to be notified of its end.

    The message has only the previous state; the alarm's history, which CloudWatch keeps for weeks, has the earlier
    ones. If the history cannot be read, the result is True: an unnecessary alert is better than a lost one.
    """
    alarm = _text(content, "AlarmArn").split(":")
    if len(alarm) < 7 or alarm[4] != function_arn.split(":")[4]:
        LOGGER.info("the alarm belongs to another account, so its history cannot be read")
        return True
    asked: dict[str, Any] = {}
    changed = _time(_text(content, "StateChangeTime"))
    if changed is not None:
        # Transitions after this alert, before it was delivered again, belong to other alerts.
        asked["EndDate"] = changed + timedelta(seconds=1)
    try:
        history = boto3.client("cloudwatch", region_name=alarm[3], config=HISTORY_CONFIG)
        pages = history.get_paginator("describe_alarm_history").paginate(
            AlarmName=_text(content, "AlarmName"),
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            HistoryItemType="StateUpdate",
            ScanBy="TimestampDescending",
            PaginationConfig={"MaxItems": MOST_HISTORY},
            **asked,
        )
        transitions = [_transition(item) for page in pages for item in page.get("AlarmHistoryItems", [])]
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as failure:
        LOGGER.warning("the alarm's history cannot be read (%s)", type(failure).__name__)
        return True
    if transitions[:1] == [(NO_DATA, "OK")]:
        del transitions[0]  # the transition of this alert
    for old, new in transitions:
        before = old if new == NO_DATA else new
        if before != NO_DATA:
            return before != "OK"
    return False


def _transition(item: Mapping[str, Any]) -> tuple[str, str]:
    data = _json_object(item.get("HistoryData") or "") or {}
    old, new = data.get("oldState") or {}, data.get("newState") or {}
    return _text(old, "stateValue"), _text(new, "stateValue")


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def read_alert(message: str, subject: str | None = None) -> Alert:
    """The alert in an SNS message of any kind that the topic receives."""
    content = _json_object(message)
    if content is None:
        return Alert(title=subject or "Alert", reason=message)
    if content.get("kind") == "workflow_failure":
        return _workflow_failure(content)
    if content.get("kind") == "rollback":
        return _rollback(content)
    if "detail-type" in content and isinstance(content.get("detail"), dict):
        return _event(content)
    if "AlarmName" in content and "NewStateValue" in content:
        return _alarm(content)
    return Alert(title=subject or "Alert", reason=json.dumps(content, ensure_ascii=False, indent=1))


def slack_message(alert: Alert, partition: str | None = None) -> dict[str, Any]:
    """The alert as Slack's blocks, each text escaped and within its limit.

    A publisher of the topic controls the alert's text. So Slack must not turn it into links and mentions, and the only
    link leads to the console of `partition`, or of any partition if none is given.
    """
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": escaped(alert.title, HEADER_LIMIT)}}
    ]
    if alert.facts:
        blocks.append(
            {
                "type": "section",
                "fields": [
                    _markdown(f"*{name}*\n{escaped(value or '-', FIELD_LIMIT - 100)}")
                    for name, value in alert.facts.items()
                ],
            }
        )
    if alert.reason.strip():
        reason = escaped(alert.reason.replace("```", "'''"), SECTION_LIMIT - 6)
        blocks.append({"type": "section", "text": _markdown(f"```{reason}```")})
    if is_console_link(alert.link, partition) and len(alert.link) < SECTION_LIMIT // 2:
        target = urllib.parse.quote(alert.link, safe=":/?#[]@!$&'()*+,;=%")
        link = f"<{escaped(target, SECTION_LIMIT - 100)}|{alert.link_name}>"
        blocks.append({"type": "section", "text": _markdown(link)})
    return {"text": escaped(": ".join(filter(None, (alert.title, alert.reason))), FALLBACK_LIMIT), "blocks": blocks}


def _markdown(text: str) -> dict[str, Any]:
    # verbatim: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def is_console_link(link: str, partition: str | None = None) -> bool:
    """Whether a link leads to the console of a region of `partition`, or of any partition if none is given."""
    consoles = CONSOLES.values() if partition is None else filter(None, [CONSOLES.get(partition)])
    # The pattern rejects links that a browser might read in another way.
    return any(
        re.fullmatch(rf"https://{region}\.{re.escape(host)}/[^\s\\\x00-\x20\x7f]*", link) for region, host in consoles
    )


def escaped(text: str, limit: int) -> str:
    """`text` with Slack's three control characters escaped, cut to `limit` characters with … and never inside one."""
    parts: list[str] = []
    length = 0
    for character in text:
        part = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        if length + len(part) > limit:
            while length + 1 > limit:
                length -= len(parts.pop())
            return "".join(parts) + "…"
        parts.append(part)
        length += len(part)
    return "".join(parts)


def tell(webhook: Webhook, message: dict[str, Any], deadline: float) -> None:
    """Posts `message`, with retries while Slack is busy or down, until `deadline` (by `time.monotonic`).

    Raises SlackRefusedError at once if retries cannot help, SlackUnavailableError at the deadline.
    """
    body = json.dumps(message).encode()
    attempt, ceiling_s = 0, FIRST_DELAY_S
    while True:
        attempt += 1
        try:
            return _post(webhook, body, timeout_s=deadline - time.monotonic())
        except _RetryableError as failure:
            delay_s = failure.retry_after_s
            if delay_s is None:
                # Full jitter: alerts that failed at the same time are not retried at the same time.
                delay_s = random.uniform(0, ceiling_s)  # nosec B311  # a pause
            if time.monotonic() + delay_s >= deadline:
                raise SlackUnavailableError(f"not posted after {attempt} attempts: {failure}") from None
            LOGGER.warning("attempt %d: %s; again in %.1f s", attempt, failure, delay_s)
        time.sleep(delay_s)
        ceiling_s = min(ceiling_s * 2, LONGEST_DELAY_S)


def parse_webhook(url: str) -> Webhook:
    """The parts of a webhook's URL.

    Raises:
        InvalidWebhookError: it is not https (or http on loopback); the message does not hold the URL.
    """
    text = url.strip()
    fault = InvalidWebhookError(
        "the secret's value is not a webhook's URL: store https://… as a plain string (http is allowed on loopback)"
    )
    if not text.isascii() or not text.isprintable() or " " in text:
        raise fault
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError:
        raise fault from None
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    if not host or parts.username is not None or not (secure or (parts.scheme == "http" and host in LOOPBACK_HOSTS)):
        raise fault
    return Webhook(
        secure=secure, host=host, port=port, path=(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    )


def _post(webhook: Webhook, body: bytes, *, timeout_s: float) -> None:
    timeout_s = max(0.1, min(REQUEST_TIMEOUT_S, timeout_s))
    connection: http.client.HTTPConnection
    if webhook.secure:
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(webhook.host, webhook.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(webhook.host, webhook.port, timeout=timeout_s)
    try:
        connection.request("POST", webhook.path, body, {"Content-Type": "application/json; charset=utf-8"})
        response = connection.getresponse()
        answer = response.read(200).decode("utf-8", "replace")
        status, retry_after = response.status, response.getheader("Retry-After")
    except (OSError, http.client.HTTPException) as failure:
        # Only the kind of the error: its text may contain the URL.
        raise _RetryableError(f"no connection to Slack ({type(failure).__name__})") from None
    finally:
        connection.close()
    if 200 <= status < 300:
        return
    if status == 429:
        raise _RetryableError("Slack answered 429", _seconds(retry_after))
    if status >= 500:
        raise _RetryableError(f"Slack answered {status}")
    raise SlackRefusedError(
        f"Slack answered {status}: {answer.splitlines()[0][:80] if answer.strip() else 'no reason given'}"
    )


def _seconds(retry_after: str | None) -> float | None:
    if retry_after is None or not retry_after.strip().isdigit():
        return None
    return float(retry_after)


def _webhook(secret_arn: str) -> Webhook:
    if secret_arn not in _webhooks:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=secret_arn)
        _webhooks[secret_arn] = parse_webhook(answer.get("SecretString", ""))
    return _webhooks[secret_arn]


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _workflow_failure(content: dict[str, Any]) -> Alert:
    workflow, state = _text(content, "workflow"), _text(content, "state")
    facts = {
        "State": state,
        "Error": _text(content, "error"),
        "Execution": _execution_name(_text(content, "execution")),
    }
    for key, name in (("rolled_back_to", "Rolled back to"), ("rollback_failure", "Rollback failed")):
        if content.get(key) is not None:
            facts[name] = readable_cause(_text(content, key))
    return Alert(
        # An execution that was stopped does not say in which state it was.
        title=f"{workflow} ended as {state}" if state in ENDED_FROM_OUTSIDE else f"{workflow} failed in {state}",
        facts=facts,
        reason=readable_cause(_text(content, "cause")),
        link=_text(content, "console"),
        link_name="Open the execution",
    )


def _rollback(content: dict[str, Any]) -> Alert:
    return Alert(
        title=f"{_text(content, 'workflow')} rolled back to {_text(content, 'to')}",
        facts={
            "From": _text(content, "from"),
            "To": _text(content, "to"),
            "Execution": _execution_name(_text(content, "execution")),
        },
        reason=_text(content, "note"),
        link=_text(content, "console"),
        link_name="Open the execution",
    )


def _event(content: dict[str, Any]) -> Alert:
    detail = content["detail"]
    if content.get("detail-type") == "SageMaker Endpoint State Change" and "EndpointStatus" in detail:
        return _endpoint(content, detail)
    if content.get("source") != "aws.states" or "executionArn" not in detail:
        resources = content.get("resources") or []
        return Alert(
            title=_text(content, "detail-type"),
            facts={"Source": _text(content, "source"), "Resource": ", ".join(map(str, resources))},
            reason=json.dumps(detail, ensure_ascii=False, indent=1),
        )
    execution = _text(detail, "executionArn")
    status = _text(detail, "status")
    facts = {"Status": status, "Error": _text(detail, "error"), "Execution": _execution_name(execution)}
    stopped = (_json_object(_text(detail, "input")) or {}).get("stopped")
    if isinstance(stopped, dict):
        # A rollback that should report a release: nothing else reports it.
        facts["Release"] = f"{_execution_name(_text(stopped, 'executionArn'))} ended as {_text(stopped, 'status')}"
    return Alert(
        title=f"{_text(detail, 'stateMachineArn').rsplit(':', 1)[-1]} ended as {status}",
        facts=facts,
        reason=readable_cause(_text(detail, "cause")),
        link=_execution_link(execution),
        link_name="Open the execution",
    )


def _endpoint(content: dict[str, Any], detail: dict[str, Any]) -> Alert:
    name = _text(detail, "EndpointName")
    # arn:aws:sagemaker:<region>:<account>:endpoint/<name>
    parts = "".join(map(str, (content.get("resources") or [])[:1])).split(":")
    region = parts[3] if len(parts) > 3 else ""
    console = _console(parts[1], region) if region else ""
    return Alert(
        title=f"endpoint {name}: {_text(detail, 'EndpointStatus')}",
        facts={"Configuration": _text(detail, "EndpointConfigName"), "At": _text(content, "time")},
        reason="\n".join(
            filter(
                None,
                [
                    _text(detail, "FailureReason"),
                    f"If nobody is changing it on purpose, start {name}-rollback with {{}}. If no endpoint serves, "
                    "that restores the current release and marks no release as bad; an older one needs its name.",
                ],
            )
        ),
        link=f"{console}/sagemaker/home?region={region}#/endpoints/{name}" if console else "",
        link_name="Open the endpoint",
    )


def _alarm(content: dict[str, Any]) -> Alert:
    name = _text(content, "AlarmName")
    # arn:aws:cloudwatch:<region>:<account>:alarm:<name>
    parts = _text(content, "AlarmArn").split(":")
    region = parts[3] if len(parts) > 3 else ""
    console = _console(parts[1], region) if region else ""
    quoted = urllib.parse.quote(name, safe="")
    return Alert(
        title=f"{name}: {_text(content, 'NewStateValue')}",
        facts={
            key: value
            for key, value in {
                "Before": _text(content, "OldStateValue"),
                "At": _text(content, "StateChangeTime"),
                "About": _text(content, "AlarmDescription"),
            }.items()
            if value
        },
        reason=_text(content, "NewStateReason"),
        link=f"{console}/cloudwatch/home?region={region}#alarmsV2:alarm/{quoted}" if console else "",
        link_name="Open the alarm",
    )


def readable_cause(cause: str) -> str:
    """The sentence in a cause that Step Functions gives as JSON: a function's error, or a job's description."""
    content = _json_object(cause)
    if content is None:
        return cause
    for key in ("errorMessage", "FailureReason", "ErrorMessage", "message"):
        if isinstance(content.get(key), str) and content[key]:
            return str(content[key])
    return cause


def _execution_name(execution: str) -> str:
    return execution.rsplit(":", 1)[-1]


def _execution_link(execution: str) -> str:
    # arn:aws:states:<region>:<account>:execution:<machine>:<name>
    parts = execution.split(":")
    if len(parts) < 8:
        return ""
    region, console = parts[3], _console(parts[1], parts[3])
    if not console:
        return ""
    return f"{console}/states/home?region={region}#/v2/executions/details/{execution}"


def _console(partition: str, region: str) -> str:
    """The console of a region; empty if the partition has no such region."""
    regions, host = CONSOLES.get(partition, ("", ""))
    return f"https://{region}.{host}" if host and re.fullmatch(regions, region) else ""


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    return "" if value is None else str(value)
