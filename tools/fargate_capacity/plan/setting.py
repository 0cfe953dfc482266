"""A setting of a service's scaling, and the values that a plan varies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.schedule import Schedule
from fargate_capacity.scaling_decisions import (
    Adjustment,
    CapacityBounds,
    Metric,
    Policy,
    ScheduledAction,
    StepScaling,
    TargetTracking,
)
from fargate_capacity.scaling_decisions.target_tracking import HIGH_PERIODS, HIGH_RESOLUTION_HIGH_PERIODS

_CPU_AVERAGES = (Metric.CPU_AVERAGE, Metric.CPU_AVERAGE_HIGH_RESOLUTION)

# Cron expressions with one minute of one hour, on all days or named weekdays.
_DAILY = re.compile(r"cron\((\d+) (\d+) (?:\?|\*) \* ([A-Z0-9,?*-]+) \*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Bounds and policies of a scalable target, optionally with a floor or a schedule that raises the minimum."""

    bounds: CapacityBounds
    policies: tuple[Policy, ...]
    floor: Floor | None = None
    schedule: Schedule | None = None

    @property
    def target(self) -> float | None:
        """The CPU target, percent; the lowest if there are several. None if no policy tracks CPU."""
        return min((policy.target for policy in self.policies if _tracks_cpu(policy)), default=None)

    @property
    def spikes(self) -> tuple[StepScaling, ...]:
        """The step policies that only add tasks."""
        return tuple(policy for policy in self.policies if _is_spike(policy))

    def with_target(self, target: float) -> Setting:
        """The setting with another CPU target."""
        return self._changed(lambda policy: replace(policy, target=target) if _tracks_cpu(policy) else policy)

    def with_scale_out_cooldown(self, seconds: int) -> Setting:
        """The setting with another scale-out cooldown of the CPU target."""
        return self._changed(
            lambda policy: replace(policy, scale_out_cooldown_s=seconds) if _tracks_cpu(policy) else policy
        )

    def with_scale_in_cooldown(self, seconds: int) -> Setting:
        """The setting with another scale-in cooldown of the CPU target."""
        return self._changed(
            lambda policy: replace(policy, scale_in_cooldown_s=seconds) if _tracks_cpu(policy) else policy
        )

    def with_spike_threshold(self, percent: float) -> Setting:
        """The setting with another threshold of the step policies that add tasks."""
        return self._changed(lambda policy: replace(policy, threshold=percent) if _is_spike(policy) else policy)

    def with_spike_tasks(self, tasks: int) -> Setting:
        """The setting with another number of tasks per step; steps by percentage stay."""
        return self._changed(
            lambda policy: (
                replace(policy, bands=tuple(replace(band, change=tasks) for band in policy.bands))
                if _is_spike(policy) and policy.adjustment is Adjustment.CHANGE_IN_CAPACITY
                else policy
            )
        )

    def with_high_resolution(self, is_high: bool) -> Setting:
        """The setting with target tracking on the 20-second CPU metric or the one-minute one."""
        metric = Metric.CPU_AVERAGE_HIGH_RESOLUTION if is_high else Metric.CPU_AVERAGE
        periods = HIGH_RESOLUTION_HIGH_PERIODS if is_high else HIGH_PERIODS
        return self._changed(
            lambda policy: replace(policy, metric=metric, high_periods=periods) if _tracks_cpu(policy) else policy
        )

    def with_minimum(self, minimum: int) -> Setting:
        """The setting with another minimum."""
        return replace(self, bounds=CapacityBounds(minimum=minimum, maximum=self.bounds.maximum))

    def with_floor(self, floor: Floor | None) -> Setting:
        """The setting with another forecast floor, or without one."""
        return replace(self, floor=floor)

    def with_schedule(self, schedule: Schedule | None) -> Setting:
        """The setting with another schedule of minimums, or without one; a floor is not allowed at the same time."""
        return replace(self, floor=None, schedule=schedule)

    def without_spikes(self) -> Setting:
        """The setting without the step policies that add tasks."""
        return replace(self, policies=tuple(policy for policy in self.policies if not _is_spike(policy)))

    def described(self) -> str:
        """A short description, for a table."""
        return ", ".join(self._words())

    def _changed(self, change: Callable[[Policy], Policy]) -> Setting:
        return replace(self, policies=tuple(change(policy) for policy in self.policies))

    def _words(self) -> Iterator[str]:
        yield f"{self.bounds.minimum}–{self.bounds.maximum} tasks"
        for policy in self.policies:
            if isinstance(policy, TargetTracking):
                unit = "" if policy.metric is Metric.REQUESTS_PER_TASK else " %"
                often = " every 20 s" if policy.metric is Metric.CPU_AVERAGE_HIGH_RESOLUTION else ""
                yield (
                    f"target {policy.target:g}{unit}{often} (cooldown {policy.scale_out_cooldown_s} s out, "
                    f"{policy.scale_in_cooldown_s} s in)"
                )
            else:
                changes = "/".join(_described_change(policy, band.change) for band in policy.bands)
                yield f"{changes} at {policy.threshold:g} % (cooldown {policy.cooldown_s} s)"
        if self.floor is not None:
            yield self.floor.described()
        if self.schedule is not None:
            yield self.schedule.described()


def _tracks_cpu(policy: Policy) -> TypeGuard[TargetTracking]:
    return isinstance(policy, TargetTracking) and policy.metric in _CPU_AVERAGES


def _is_spike(policy: Policy) -> TypeGuard[StepScaling]:
    # An exact capacity may be lower than the current count.
    return (
        isinstance(policy, StepScaling)
        and policy.adjustment is not Adjustment.EXACT_CAPACITY
        and all(band.change >= 0 for band in policy.bands)
    )


def _described_change(policy: StepScaling, change: int) -> str:
    if policy.adjustment is Adjustment.EXACT_CAPACITY:
        return f"exactly {change} tasks"
    if policy.adjustment is Adjustment.PERCENT_CHANGE_IN_CAPACITY:
        return f"{change:+d} % of the tasks"
    return f"{change:+d}"


def described_schedule(actions: Sequence[ScheduledAction]) -> Iterator[str]:
    """A short description of each scheduled action."""
    for action in actions:
        bounds = [
            *([] if action.minimum is None else [f"at least {action.minimum} tasks"]),
            *([] if action.maximum is None else [f"at most {action.maximum} tasks"]),
        ]
        since = f", not before {action.begins:%Y-%m-%d %H:%M %Z}" if action.begins else ""
        until = f", not after {action.ends:%Y-%m-%d %H:%M %Z}" if action.ends else ""
        yield f"{' and '.join(bounds) or 'no change'} from {_clock(action)}{since}{until}"


def _clock(action: ScheduledAction) -> str:
    """`8:00 on MON-FRI, Europe/Berlin`; other expressions are shown as declared."""
    plain = _DAILY.fullmatch(action.schedule.strip())
    if not plain:
        return f"{action.schedule}, {action.time_zone}"
    minute, hour, weekdays = plain.groups()
    days = "" if weekdays in ("*", "?") else f" on {weekdays}"
    return f"{int(hour)}:{int(minute):02}{days}, {action.time_zone}"
