"""Policies as columns of numbers, and what is remembered of them from minute to minute.

A decision is made for every minute of a year and for every candidate of a sweep: numbers in columns are what a compiler
of numeric Python can take, and what a plain interpreter takes just as well.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import NamedTuple, TypeAlias

from .step_scaling import StepScaling
from .target_tracking import TargetTracking

Policy: TypeAlias = TargetTracking | StepScaling


class PolicyTables(NamedTuple):
    """One column a property.

    Bands of all step policies lie one after the other; `step_first_band` says where each policy's begin.
    """

    tracking_metric: Sequence[int]
    tracking_target: Sequence[float]
    tracking_low: Sequence[float]
    tracking_out_cooldown_s: Sequence[int]
    tracking_in_cooldown_s: Sequence[int]
    tracking_scales_in: Sequence[int]
    tracking_high_periods: Sequence[int]
    tracking_low_periods: Sequence[int]
    step_metric: Sequence[int]
    step_threshold: Sequence[float]
    step_comparison: Sequence[int]
    step_adjustment: Sequence[int]
    step_periods: Sequence[int]
    step_datapoints: Sequence[int]
    step_period_minutes: Sequence[int]
    step_cooldown_s: Sequence[int]
    step_minimum_magnitude: Sequence[int]
    step_missing_data: Sequence[int]
    step_first_band: Sequence[int]
    band_lower: Sequence[float]
    band_upper: Sequence[float]
    band_change: Sequence[int]


class PolicyMemory(NamedTuple):
    """What the alarms and cooldowns remember; changed in place.

    `high`, `low` and `step` are alarm windows. `out_until_s` and `base` have the tracking policies first, then the step
    policies: until when a scale-out cooldown runs, and the capacity it started from. `in_until_s` has one item.
    """

    high: MutableSequence[int]
    high_absent: MutableSequence[int]
    low: MutableSequence[int]
    low_absent: MutableSequence[int]
    step: MutableSequence[int]
    step_absent: MutableSequence[int]
    step_value: MutableSequence[float]
    step_gathered: MutableSequence[float]
    step_count: MutableSequence[int]
    out_until_s: MutableSequence[int]
    base: MutableSequence[int]
    in_until_s: MutableSequence[int]


def tables_of(policies: Sequence[Policy]) -> PolicyTables:
    """The columns of `policies`, whose order does not matter to a decision."""
    tracking = [policy for policy in policies if isinstance(policy, TargetTracking)]
    steps = [policy for policy in policies if isinstance(policy, StepScaling)]
    first_band = [0]
    for policy in steps:
        first_band.append(first_band[-1] + len(policy.bands))
    bands = [band for policy in steps for band in policy.bands]
    return PolicyTables(
        tracking_metric=[int(policy.metric) for policy in tracking],
        tracking_target=[float(policy.target) for policy in tracking],
        tracking_low=[policy.target * policy.scale_in_fraction for policy in tracking],
        tracking_out_cooldown_s=[policy.scale_out_cooldown_s for policy in tracking],
        tracking_in_cooldown_s=[policy.scale_in_cooldown_s for policy in tracking],
        tracking_scales_in=[int(not policy.disable_scale_in) for policy in tracking],
        tracking_high_periods=[policy.high_periods for policy in tracking],
        tracking_low_periods=[policy.low_periods for policy in tracking],
        step_metric=[int(policy.metric) for policy in steps],
        step_threshold=[float(policy.threshold) for policy in steps],
        step_comparison=[int(policy.comparison) for policy in steps],
        step_adjustment=[int(policy.adjustment) for policy in steps],
        step_periods=[policy.periods for policy in steps],
        step_datapoints=[policy.datapoints or policy.periods for policy in steps],
        step_period_minutes=[policy.period_minutes for policy in steps],
        step_cooldown_s=[policy.cooldown_s for policy in steps],
        step_minimum_magnitude=[policy.minimum_magnitude for policy in steps],
        step_missing_data=[int(policy.missing_data) for policy in steps],
        step_first_band=first_band,
        band_lower=[float(band.lower) for band in bands],
        band_upper=[float(band.upper) for band in bands],
        band_change=[band.change for band in bands],
    )


def fresh_memory(tables: PolicyTables) -> PolicyMemory:
    """Memory of policies that have seen nothing yet."""
    tracking, steps = len(tables.tracking_metric), len(tables.step_metric)
    return PolicyMemory(
        high=[0] * tracking,
        high_absent=[0] * tracking,
        low=[0] * tracking,
        low_absent=[0] * tracking,
        step=[0] * steps,
        step_absent=[0] * steps,
        step_value=[math.nan] * steps,
        step_gathered=[0.0] * steps,
        step_count=[0] * steps,
        out_until_s=[0] * (tracking + steps),
        base=[0] * (tracking + steps),
        in_until_s=[0],
    )
