"""A template's alarms on metric math are made, with what they are of, and stay in INSUFFICIENT_DATA.

ministack refuses them, and with them every stack that has one. They are not judged: nothing here computes metric math.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import provisioners

_REASON = "Unchecked: the embedded AWS does not compute metric math"


def install() -> None:
    ministacks = provisioners._cw_metric_alarm_record

    def record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        metrics = properties.get("Metrics")
        if not metrics:
            alarm: dict[str, Any] = ministacks(name, properties)
            return alarm
        of_one_metric = {key: value for key, value in properties.items() if key != "Metrics"}
        # Required there, and not what this alarm is of.
        alarm = ministacks(name, {**of_one_metric, "MetricName": "-", "Namespace": "-"})
        return {**alarm, "MetricName": None, "Namespace": None, "Metrics": metrics, "StateReason": _REASON}

    provisioners._cw_metric_alarm_record = record
