"""The settings with which the tuner raises a target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

LARGEST_STEP = 10
"""The largest step, in percentage points."""


class ObservationPeriod(StrEnum):
    """How long a target is observed before the next step, and which earlier hours its latency is compared with."""

    TWO_DAYS = "two_days"
    SEVEN_DAYS = "seven_days"
    # Two days long, compared with the same hours of the same weekdays, a week before.
    MATCHING_WEEKDAYS = "matching_weekdays"

    @property
    def length(self) -> timedelta:
        """How long a target is observed."""
        return timedelta(days=7 if self is ObservationPeriod.SEVEN_DAYS else 2)

    @property
    def compared_with(self) -> timedelta:
        """How far back the compared hours of latency are: whole days, so that they are the same hours of a day."""
        return timedelta(days=2 if self is ObservationPeriod.TWO_DAYS else 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerSettings:
    """The limits, the speed and the caution of tuning.

    Args:
        ceiling: the target never goes above it, percent.
        step: percentage points that one step adds.
        observation: how long each target is observed.
        incident: an alarm within this time after a revert is the same incident, because the restored target needs time
            to take effect.
        cool_off: after a revert, no step for this long. A further alarm within it reverts twice as much as the one
            before.
        final_margin: points below the highest target that held, at which the tuner settles once a target has failed
            `attempts` times.
        attempts: how often a target may fail before it is given up.
        spike_threshold: the CPU of the hottest task at which a spike scaling adds tasks, percent. The target stays
            below this threshold / the observed ratio of the hottest task to the average. None: no spike scaling.
        patience: how long after a step the tuner waits for enough hours to compare. After that, only the guardrail
            alarms watch latency.
        longest_hold: how long the tuner waits before it reports that it waits.
        max_latency_ratio: the maximum of latency / that of the same hours before. More is a slow drift, and the step is
            reverted. None: only the guardrail alarms watch latency.

    Raises:
        ValueError: a value out of its range.
    """

    ceiling: float
    step: float = 1
    observation: ObservationPeriod = ObservationPeriod.TWO_DAYS
    incident: timedelta = timedelta(hours=1)
    cool_off: timedelta = timedelta(days=7)
    final_margin: float = 2
    attempts: int = 2
    max_latency_ratio: float | None = 1.25
    spike_threshold: float | None = None
    patience: timedelta = timedelta(days=14)
    longest_hold: timedelta = timedelta(days=3)

    def __post_init__(self) -> None:
        if not 0 < self.ceiling <= 100:
            raise ValueError(f"ceiling: got {self.ceiling}, allowed: above 0, at most 100 percent")
        if not 0 < self.step <= LARGEST_STEP:
            raise ValueError(f"step: got {self.step}, allowed: above 0, at most {LARGEST_STEP} points")
        if not timedelta() <= self.incident <= self.cool_off:
            raise ValueError(f"incident: got {self.incident}, allowed: 0 to the cool-off ({self.cool_off})")
        if not 0 <= self.final_margin < math.inf:
            raise ValueError(f"final_margin: got {self.final_margin}, allowed: 0 or more points")
        if self.attempts < 1:
            raise ValueError(f"attempts: got {self.attempts}, allowed: 1 or more")
        if self.max_latency_ratio is not None and not self.max_latency_ratio > 1:
            raise ValueError(f"max_latency_ratio: got {self.max_latency_ratio}, allowed: above 1")
