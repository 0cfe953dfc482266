"""What must not happen: latency above a limit, and the alarms that watch for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from fargate_capacity.scaling_decisions import Comparison, MissingData
from fargate_capacity.scaling_decisions.alarm_window import MOST_PERIODS


class GuardedMetric(IntEnum):
    """What an alarm of a guardrail watches, of what a replay knows."""

    # Mean of a minute, in seconds; of a percentile the mean that it stands for.
    LATENCY = 0
    CPU_MAXIMUM = 1
    CPU_AVERAGE = 2
    # Of a minute's requests, those that nobody answered.
    FAILED_PERCENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailAlarm:
    """An alarm of the guardrail.

    Args:
        metric: what it watches.
        threshold: in the metric's unit.
        comparison: how a datapoint breaches.
        periods: how many of its periods it looks at.
        datapoints: how many of them have to breach for it to fire.
        period_minutes: of one period; a maximum is its highest minute, anything else the mean of its minutes.
        missing_data: what a period without a datapoint counts as.
    """

    threshold: float
    metric: GuardedMetric = GuardedMetric.LATENCY
    comparison: Comparison = Comparison.GREATER
    periods: int = 1
    datapoints: int = 1
    period_minutes: int = 1
    missing_data: MissingData = MissingData.MISSING

    def __post_init__(self) -> None:
        if not 1 <= self.datapoints <= self.periods <= MOST_PERIODS:
            raise ValueError(
                f"datapoints: got {self.datapoints} of {self.periods} periods, allowed: 1 to the periods, at most "
                f"{MOST_PERIODS}"
            )
        if self.period_minutes < 1:
            raise ValueError(f"period_minutes: got {self.period_minutes}, allowed: 1 or more")

    def described(self) -> str:
        """In a few words."""
        named = {
            GuardedMetric.LATENCY: f"mean latency {1000 * self.threshold:g} ms",
            GuardedMetric.CPU_MAXIMUM: f"CPU maximum {self.threshold:g} %",
            GuardedMetric.CPU_AVERAGE: f"CPU average {self.threshold:g} %",
            GuardedMetric.FAILED_PERCENT: f"{self.threshold:g} % failed requests",
        }[self.metric]
        minutes = "" if self.period_minutes == 1 else f" of {self.period_minutes} minutes"
        return f"{named} in {self.datapoints} of {self.periods}{minutes}"


@dataclass(slots=True, kw_only=True)
class AlarmRow:
    """An alarm of the guardrail as plain numbers, with what is remembered of it from minute to minute."""

    metric: int
    threshold: float
    comparison: int
    periods: int
    datapoints: int
    period_minutes: int
    missing_data: int
    window: int = 0
    absent: int = 0
    gathered: float = 0.0
    gathered_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A latency limit, and the alarms that fire for it.

    Args:
        latency_seconds: a minute breaches where the mean latency at the hottest task is above it, or where requests
            fail.
        periods: minutes the alarm on it looks at.
        datapoints: how many of them have to breach for it to fire.
        alarms: those that are deployed, in place of that one; any of them fires the guardrail.
    """

    latency_seconds: float
    periods: int = 1
    datapoints: int = 1
    alarms: tuple[GuardrailAlarm, ...] = ()

    def __post_init__(self) -> None:
        if not self.latency_seconds > 0:
            raise ValueError(f"latency_seconds: got {self.latency_seconds}, allowed: above 0")
        self.rows()

    def rows(self) -> list[AlarmRow]:
        """The alarms, fresh."""
        alarms = self.alarms or (
            GuardrailAlarm(threshold=self.latency_seconds, periods=self.periods, datapoints=self.datapoints),
        )
        return [
            AlarmRow(
                metric=int(alarm.metric),
                threshold=float(alarm.threshold),
                comparison=int(alarm.comparison),
                periods=alarm.periods,
                datapoints=alarm.datapoints,
                period_minutes=alarm.period_minutes,
                missing_data=int(alarm.missing_data),
            )
            for alarm in alarms
            if math.isfinite(alarm.threshold)
        ]
