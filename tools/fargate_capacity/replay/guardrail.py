"""The guardrail: a latency limit, and the alarms on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from fargate_capacity.scaling_decisions import Comparison, MissingData
from fargate_capacity.scaling_decisions.alarm_window import MOST_PERIODS


class GuardedMetric(IntEnum):
    """The metrics of guardrail alarms that a replay can compute."""

    # Mean of a minute, in seconds; a percentile is converted to a mean.
    LATENCY = 0
    CPU_MAXIMUM = 1
    CPU_AVERAGE = 2
    # A minute's failed requests.
    FAILED_PERCENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailAlarm:
    """An alarm of the guardrail.

    Args:
        metric: the watched metric.
        threshold: in the metric's unit.
        comparison: the comparison by which a data point breaches.
        periods: number of evaluated periods.
        datapoints: number of breaching periods that trigger it.
        period_minutes: length of a period; a maximum is its highest minute, any other statistic the mean of its
            minutes.
        missing_data: how a period without data points counts.
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
        """A short description."""
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
    """An alarm of the guardrail as plain numbers, with its state from minute to minute."""

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
    """A latency limit and its alarms.

    Args:
        latency_seconds: a minute breaches if the mean latency at the hottest task is above it, or if requests fail.
        periods: number of minutes that its alarm evaluates.
        datapoints: number of breaching periods that trigger it.
        alarms: the deployed alarms, which replace that alarm; any of them triggers the guardrail.
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
        """The alarms in their initial state."""
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
