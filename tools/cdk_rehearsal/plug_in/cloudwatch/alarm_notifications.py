"""The message that CloudWatch publishes to an alarm's topics, with the members of AWS's message.

ministack omits the alarm's ARN, by which a reader identifies the alarm's account:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html and, for composite alarms,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudwatch, responses, sns

_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_OF_A_METRIC = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Unit",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "ComparisonOperator",
    "Threshold",
    "TreatMissingData",
    "Metrics",
)


def install() -> None:
    cloudwatch.dispatch_alarm_actions = _publish


def _publish(alarm: Mapping[str, Any], old: str, new: str, reason: str) -> None:
    if not alarm.get("ActionsEnabled", True):
        return
    subject = f'{new}: "{alarm["AlarmName"]}" in {responses.get_region()}'[:100]
    for topic in filter(cloudwatch.is_sns_action_arn, alarm.get(_ACTIONS[new]) or ()):
        sns.fan_out(topic, str(uuid.uuid4()), json.dumps(_message(alarm, old, new, reason)), subject)


def _message(alarm: Mapping[str, Any], old: str, new: str, reason: str) -> dict[str, Any]:
    message = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": responses.get_account_id(),
        "NewStateValue": new,
        "NewStateReason": reason,
        "StateChangeTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000",
        "Region": responses.get_region(),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": old,
        **{name: list(alarm.get(name) or ()) for name in _ACTIONS.values()},
    }
    if "AlarmRule" in alarm:
        return {**message, "AlarmRule": alarm["AlarmRule"]}
    dimensions = [{"name": each["Name"], "value": each["Value"]} for each in alarm.get("Dimensions") or ()]
    trigger = {name: alarm[name] for name in _OF_A_METRIC if alarm.get(name) is not None}
    return {**message, "Trigger": {**trigger, "Dimensions": dimensions}}
