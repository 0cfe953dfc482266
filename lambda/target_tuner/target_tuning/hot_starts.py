"""Whether a guardrail fires only for the CPU maximum, as when a deployment starts tasks that are hot at first."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from .surroundings import Clients, Surroundings

# A rule contains ALARM(name), ALARM("name") or the alarm's ARN.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
_NAMED_IN_RULE = re.compile(r"""\b(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*["']?([^"')]+?)["']?\s*\)""")


def fires_for_cpu_alone(clients: Clients, surroundings: Surroundings, fired: Collection[str]) -> bool:
    """Whether each alarm in `fired`, or for a composite alarm each alarm that triggers it, watches the hottest task's
    CPU.

    False if no alarm of a composite alarm is in ALARM any more: then the cause is unknown.
    """
    metric_alarms, composites = _described(clients, fired)
    for composite in composites:
        children, nested = _described(clients, _named_in(composite["AlarmRule"]))
        firing = [each for each in [*children, *nested] if each["StateValue"] == "ALARM"]
        if not firing or any(each in nested for each in firing):
            return False
        metric_alarms += firing
    return bool(metric_alarms) and all(_is_cpu_maximum(alarm, surroundings) for alarm in metric_alarms)


def _described(clients: Clients, names: Collection[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if not names:
        return [], []
    answer = clients.metrics.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return list(answer.get("MetricAlarms", [])), list(answer.get("CompositeAlarms", []))


def _named_in(rule: str) -> list[str]:
    """The distinct names in a composite alarm's rule."""
    return list(dict.fromkeys(each.partition(":alarm:")[2] or each for each in _NAMED_IN_RULE.findall(rule)))


def _is_cpu_maximum(alarm: Mapping[str, Any], surroundings: Surroundings) -> bool:
    dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
    return (
        (alarm.get("Namespace"), alarm.get("MetricName"), alarm.get("Statistic"))
        == ("AWS/ECS", "CPUUtilization", "Maximum")
    ) and dimensions == {"ClusterName": surroundings.cluster, "ServiceName": surroundings.service}
