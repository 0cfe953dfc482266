"""Policies as rows of plain numbers, with the state that each keeps from minute to minute.

A sweep makes a decision per minute of a year and candidate. A compiler for numeric Python takes the rows as records of
an array, and the plain interpreter takes these objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .step_scaling import StepScaling
from .target_tracking import TargetTracking

Policy: TypeAlias = TargetTracking | StepScaling


@dataclass(slots=True, kw_only=True)
class TrackingRow:
    """A target tracking policy, its two alarms and its cooldown.

    `high` and `low` are alarm windows; `base` is the capacity at the start of the current scale-out cooldown.
    """

    metric: int
    target: float
    low_threshold: float
    out_cooldown_s: int
    in_cooldown_s: int
    scales_in: int
    high_periods: int
    low_periods: int
    high: int = 0
    high_absent: int = 0
    low: int = 0
    low_absent: int = 0
    out_until_s: int = 0
    base: int = 0


@dataclass(slots=True, kw_only=True)
class StepRow:
    """A step policy, its alarm and its cooldown; its bands are those from `first_band` to before `end_band`.

    `gathered`, `gathered_minutes` and `latest` are for alarms with periods longer than a minute.
    """

    metric: int
    threshold: float
    comparison: int
    adjustment: int
    periods: int
    datapoints: int
    period_minutes: int
    cooldown_s: int
    minimum_magnitude: int
    missing_data: int
    first_band: int
    end_band: int
    window: int = 0
    absent: int = 0
    gathered: float = 0.0
    gathered_minutes: int = 0
    latest: float = math.nan
    out_until_s: int = 0
    base: int = 0


@dataclass(slots=True, kw_only=True)
class BandRow:
    """A band of a step policy."""

    lower: float
    upper: float
    change: int


@dataclass(slots=True, kw_only=True)
class TargetRow:
    """A scalable target: its bounds, its desired count, and the end of its scale-in cooldown.

    `reading` is a `CountReading`; `trigger` is the `Trigger` of the latest decision.
    """

    minimum: int
    maximum: int
    desired: int
    in_until_s: int = 0
    is_scale_in_suspended: int = 0
    reading: int = 0
    trigger: int = 0


@dataclass(slots=True, kw_only=True)
class PolicyRows:
    """All policies of a scalable target, in their initial state."""

    tracking: list[TrackingRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)
    bands: list[BandRow] = field(default_factory=list)


def rows_of(policies: Sequence[Policy]) -> PolicyRows:
    """The rows of `policies`, whose order does not affect a decision."""
    rows = PolicyRows()
    for policy in policies:
        if isinstance(policy, TargetTracking):
            rows.tracking.append(
                TrackingRow(
                    metric=int(policy.metric),
                    target=float(policy.target),
                    low_threshold=float(policy.target * policy.scale_in_fraction),
                    out_cooldown_s=policy.scale_out_cooldown_s,
                    in_cooldown_s=policy.scale_in_cooldown_s,
                    scales_in=int(not policy.disable_scale_in),
                    high_periods=policy.high_periods,
                    low_periods=policy.low_periods,
                )
            )
            continue
        rows.steps.append(
            StepRow(
                metric=int(policy.metric),
                threshold=float(policy.threshold),
                comparison=int(policy.comparison),
                adjustment=int(policy.adjustment),
                periods=policy.periods,
                datapoints=policy.datapoints or policy.periods,
                period_minutes=policy.period_minutes,
                cooldown_s=policy.cooldown_s,
                minimum_magnitude=policy.minimum_magnitude,
                missing_data=int(policy.missing_data),
                first_band=len(rows.bands),
                end_band=len(rows.bands) + len(policy.bands),
            )
        )
        for band in policy.bands:
            rows.bands.append(BandRow(lower=float(band.lower), upper=float(band.upper), change=band.change))
    return rows
