"""Metric alarms by their own dimensions, periods and missing-data rule.

ministack evaluates an alarm on all data points of the metric's name, whatever their dimensions, and on one average over
all periods. The CPU of one service would raise the alarm of another, and one bad minute would raise an alarm that needs
three.
"""

from __future__ import annotations

import math
import operator
import threading
import time
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.cloudwatch import metric_math_alarms
from cdk_rehearsal.plug_in.cloudwatch.actions_suppressor import ActionSuppression
from cdk_rehearsal.plug_in.events.state_change_events import put_alarm_state_change
from cdk_rehearsal.plug_in.ministack_adapter import cloudwatch, concurrency

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_REPEAT_SECONDS = 60.0

AlarmAction = Callable[[str, dict[str, Any], float], None]
"""Called with the action's ARN, the alarm and the metric's newest value; on a separate thread."""


class AlarmEvaluation:
    """Replaces ministack's evaluation. Actions other than SNS's go to `act`, repeated every minute while in ALARM.

    A composite alarm's wait and extension periods are multiplied by `wait_scale`.
    """

    def __init__(self, act: AlarmAction, *, wait_scale: float) -> None:
        self._act = act
        self._suppression = ActionSuppression(self._take_actions, wait_scale=wait_scale)
        self._ministacks = cloudwatch.evaluate_alarm
        self._dispatch = cloudwatch.dispatch_alarm_actions
        self._acted: dict[str, float] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        cloudwatch.evaluate_alarm = self._evaluate
        cloudwatch.dispatch_alarm_actions = self._state_changed
        cloudwatch.evict_old_metrics = _at_most_once_a_minute(cloudwatch.evict_old_metrics)
        self._suppression.install()

    def _evaluate(self, alarm: dict[str, Any]) -> None:
        values: list[float | None] | None = None
        if alarm.get("ComparisonOperator") in _OPERATORS:
            if alarm.get("MetricName"):
                values = datapoints(alarm, now=time.time())
            elif alarm.get("Metrics"):
                values = metric_math_alarms.values_of(alarm, statistics_of, now=time.time())
        if values is None:
            self._ministacks(alarm)
            return
        with self._lock:
            state, reason = judge(alarm, values)
            old, now = alarm["StateValue"], int(time.time())
            if state != old:
                alarm.update(
                    StateValue=state, StateReason=reason, StateUpdatedTimestamp=now, StateTransitionedTimestamp=now
                )
        if state == old:
            if state == "ALARM":
                self._run_actions(alarm, alarm.get("AlarmActions") or [], repeated=True)
            return
        cloudwatch.record_history(alarm["AlarmName"], old, state, reason)
        cloudwatch.dispatch_alarm_actions(alarm, old, state, reason)
        cloudwatch.evaluate_parent_alarms(alarm)

    def _state_changed(self, alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
        self._suppression.changed(alarm, old, new, reason)
        put_alarm_state_change(alarm, old, new, reason)

    def _take_actions(self, alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
        self._dispatch(alarm, old, new, reason)
        if alarm.get("ActionsEnabled", True) and new == "ALARM":
            self._run_actions(alarm, alarm.get("AlarmActions") or [], repeated=False)

    def _run_actions(self, alarm: dict[str, Any], actions: list[str], *, repeated: bool) -> None:
        ours = [action for action in actions if not cloudwatch.is_sns_action_arn(action)]
        if not ours:
            return
        with self._lock:
            last = self._acted.get(alarm["AlarmArn"], -math.inf)
            if repeated and time.monotonic() - last < _REPEAT_SECONDS:
                return
            self._acted[alarm["AlarmArn"]] = time.monotonic()
        of_one = datapoints(alarm, now=time.time()) if alarm.get("MetricName") else []
        known = [value for value in of_one if value is not None]
        value = known[-1] if known else float(alarm.get("Threshold", 0))  # a state set by SetAlarmState has no data
        for action in ours:
            concurrency.spawn_background(self._act, action, dict(alarm), value, thread_name="alarm-action")


def _at_most_once_a_minute(evict: Callable[[], None]) -> Callable[[], None]:
    """ministack scans every data point of every metric at each request."""
    last = -math.inf

    def evict_seldom() -> None:
        nonlocal last
        if time.monotonic() - last >= _REPEAT_SECONDS:
            last = time.monotonic()
            evict()

    return evict_seldom


def datapoints(alarm: dict[str, Any], *, now: float) -> list[float | None]:
    """The alarm's statistic for each of its periods, oldest first; None where a period has no data.

    An unfinished period counts as soon as it has data, so that new data points are evaluated at once.
    """
    period = int(alarm.get("Period") or 60)
    count = int(alarm.get("EvaluationPeriods") or 1)
    wanted = {item["Name"]: item["Value"] for item in alarm.get("Dimensions") or []}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    newest = int(now // period)
    since = (newest - count) * period
    by_period: dict[int, list[dict[str, Any]]] = {}
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch.dimensions_key(wanted))
    for point in cloudwatch.metrics.get(key) or ():
        if point["Timestamp"] >= since:
            by_period.setdefault(int(point["Timestamp"] // period), []).append(point)
    if newest not in by_period:
        newest -= 1
    values: list[float | None] = []
    for index in range(newest - count + 1, newest + 1):
        points = by_period.get(index, [])
        statistics = cloudwatch.calculate_statistics(points)
        value = cloudwatch.statistic_value(statistics, statistic, points) if statistics else None
        values.append(None if value is None else float(value))
    return values


def statistics_of(measured: dict[str, Any], since: int, until: int) -> dict[int, float]:
    """The values of a metric in metric math (`MetricStat`), by the start of each period from `since` to `until`."""
    metric, period = measured["Metric"], int(measured["Period"])
    dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions") or []}
    by_period: dict[int, list[dict[str, Any]]] = {}
    key = (metric["Namespace"], metric["MetricName"], cloudwatch.dimensions_key(dimensions))
    for point in cloudwatch.metrics.get(key) or ():
        if since <= point["Timestamp"] < until:
            by_period.setdefault(int(point["Timestamp"] // period) * period, []).append(point)
    found = {}
    for start, points in by_period.items():
        value = cloudwatch.statistic_value(cloudwatch.calculate_statistics(points), measured["Stat"], points)
        if value is not None:
            found[start] = float(value)
    return found


def judge(alarm: dict[str, Any], values: list[float | None]) -> tuple[str, str]:
    """The alarm's state with these data points, and the reason."""
    needed = int(alarm.get("DatapointsToAlarm") or len(values))
    missing_rule = alarm.get("TreatMissingData") or "missing"
    threshold = float(alarm["Threshold"])
    breaches = _OPERATORS[alarm["ComparisonOperator"]]
    known = [value for value in values if value is not None]
    if not known and missing_rule in ("missing", "ignore"):
        if missing_rule == "ignore":
            return alarm["StateValue"], alarm.get("StateReason", "")
        return "INSUFFICIENT_DATA", "Insufficient Data: no datapoints were received"
    breaching = sum(breaches(value, threshold) for value in known)
    if missing_rule == "breaching":
        breaching += len(values) - len(known)
    shown = ", ".join(f"{value:g}" for value in known) or "no datapoint"
    comparison = f"the threshold ({alarm['ComparisonOperator']} {threshold:g})"
    if breaching >= needed:
        return (
            "ALARM",
            f"Threshold Crossed: {breaching} out of the last {len(values)} datapoints [{shown}] passed {comparison}",
        )
    return "OK", f"Threshold Crossed: [{shown}] was not breaching {comparison} {needed} times"
