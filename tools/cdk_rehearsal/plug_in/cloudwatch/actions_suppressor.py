"""Composite alarms that take no action while another alarm, their suppressor, is in ALARM.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudwatch, concurrency

_SETTINGS = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
_JUDGE_SECONDS = 2.0

Act = Callable[[dict[str, Any], str, str, str], None]
"""Runs an alarm's actions; gets the alarm, the old state, the new state and the reason."""


class ActionSuppression:
    """Suppresses the actions of alarms with a suppressor in ALARM; other alarms' actions run at once.

    Args:
        act: runs the actions.
        wait_scale: factor by which the wait and extension periods are multiplied.
    """

    def __init__(self, act: Act, *, wait_scale: float) -> None:
        self._act = act
        self._wait_scale = wait_scale
        self._lock = threading.Lock()
        self._changes: collections.Counter[str] = collections.Counter()
        self._held: dict[str, tuple[dict[str, Any], str, str]] = {}

    def install(self) -> None:
        cloudwatch.put_composite_alarm = _keeping_the_suppressor(cloudwatch.put_composite_alarm)

    def changed(self, alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
        """Runs the actions now, or when the suppression ends: then those of the alarm's state at that time."""
        if not alarm.get("ActionsSuppressor"):
            self._act(alarm, old, new, reason)
        else:
            with self._lock:
                self._held[alarm["AlarmArn"]] = (alarm, old, reason)
                self._changes[alarm["AlarmArn"]] += 1
            self._act_after(alarm, "ActionsSuppressorWaitPeriod")
        suppressed = [other for other in list(cloudwatch.composite_alarms.values()) if _is_suppressor(alarm, other)]
        if suppressed and new == "ALARM":
            concurrency.spawn_background(_judge_until_over, alarm, thread_name="suppressor")
        for other in suppressed if old == "ALARM" else ():
            self._act_after(other, "ActionsSuppressorExtensionPeriod")

    def _act_after(self, alarm: dict[str, Any], period: str) -> None:
        with self._lock:
            if alarm["AlarmArn"] in self._held:
                seconds = float(alarm.get(period) or 0) * self._wait_scale
                change = self._changes[alarm["AlarmArn"]]
                concurrency.spawn_background(self._act_later, alarm, change, seconds, thread_name="alarm-action")

    def _act_later(self, alarm: dict[str, Any], change: int, seconds: float) -> None:
        time.sleep(seconds)
        with self._lock:
            if self._changes[alarm["AlarmArn"]] != change or _suppressed(alarm):
                return
            held = self._held.pop(alarm["AlarmArn"], None)
        if held is not None:
            _, old, reason = held
            self._act(alarm, old, alarm["StateValue"], reason)


def _judge_until_over(alarm: dict[str, Any]) -> None:
    """Evaluates the alarm repeatedly until it is over.

    Alarms are otherwise evaluated only when data arrive, so the end of an alarm without new data would not be noticed.
    """
    while alarm["StateValue"] == "ALARM" and cloudwatch.alarms.get(alarm["AlarmName"]) is alarm:
        time.sleep(_JUDGE_SECONDS)
        if alarm["StateValue"] == "ALARM":  # otherwise SetAlarmState has ended it already
            cloudwatch.evaluate_alarm(alarm)


def _is_suppressor(alarm: dict[str, Any], of: dict[str, Any]) -> bool:
    return of.get("ActionsSuppressor") in (alarm["AlarmName"], alarm["AlarmArn"])


def _suppressed(alarm: dict[str, Any]) -> bool:
    known = [*list(cloudwatch.alarms.values()), *list(cloudwatch.composite_alarms.values())]
    return any(other["StateValue"] == "ALARM" and _is_suppressor(other, alarm) for other in known)


def _keeping_the_suppressor(put: Callable[..., Any]) -> Callable[..., Any]:
    def put_composite_alarm(params: Any, body: Any, *protocol: Any, **more: Any) -> Any:
        answer = put(params, body, *protocol, **more)
        given = body or {}
        name = given.get("AlarmName") or cloudwatch.request_parameter(params, "AlarmName")
        alarm = cloudwatch.composite_alarms.get(name)
        if alarm is not None:
            settings = {key: given.get(key) or cloudwatch.request_parameter(params, key) for key in _SETTINGS}
            alarm.update({key: value for key, value in settings.items() if value})
        return answer

    return put_composite_alarm
