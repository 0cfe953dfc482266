"""A setting of a service's scaling: what is declared, and the values of it that a plan varies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

from scaling_decisions import CapacityBounds, Metric, Policy, StepScaling, TargetTracking
from scaling_decisions.target_tracking import HIGH_PERIODS, HIGH_RESOLUTION_HIGH_PERIODS

_CPU_AVERAGES = (Metric.CPU_AVERAGE, Metric.CPU_AVERAGE_HIGH_RESOLUTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Bounds and policies of a scalable target."""

    bounds: CapacityBounds
    policies: tuple[Policy, ...]

    @property
    def target(self) -> float | None:
        """The CPU target, percent; of several the lowest. None where no policy tracks CPU."""
        return min((policy.target for policy in self.policies if _tracks_cpu(policy)), default=None)

    @property
    def spikes(self) -> tuple[StepScaling, ...]:
        """The step policies that only add tasks."""
        return tuple(policy for policy in self.policies if _is_spike(policy))

    def with_target(self, target: float) -> Setting:
        """With another CPU target."""
        return self._changed(lambda policy: replace(policy, target=target) if _tracks_cpu(policy) else policy)

    def with_scale_out_cooldown(self, seconds: int) -> Setting:
        """With another scale-out cooldown of the CPU target."""
        return self._changed(
            lambda policy: replace(policy, scale_out_cooldown_s=seconds) if _tracks_cpu(policy) else policy
        )

    def with_scale_in_cooldown(self, seconds: int) -> Setting:
        """With another scale-in cooldown of the CPU target."""
        return self._changed(
            lambda policy: replace(policy, scale_in_cooldown_s=seconds) if _tracks_cpu(policy) else policy
        )

    def with_spike_threshold(self, percent: float) -> Setting:
        """With another threshold of the policies that add tasks at a spike."""
        return self._changed(lambda policy: replace(policy, threshold=percent) if _is_spike(policy) else policy)

    def with_spike_tasks(self, tasks: int) -> Setting:
        """With another number of tasks that a spike adds."""
        return self._changed(
            lambda policy: (
                replace(policy, bands=tuple(replace(band, change=tasks) for band in policy.bands))
                if _is_spike(policy)
                else policy
            )
        )

    def with_high_resolution(self, is_high: bool) -> Setting:
        """With target tracking on the CPU of every 20 seconds, or on that of every minute."""
        metric = Metric.CPU_AVERAGE_HIGH_RESOLUTION if is_high else Metric.CPU_AVERAGE
        periods = HIGH_RESOLUTION_HIGH_PERIODS if is_high else HIGH_PERIODS
        return self._changed(
            lambda policy: replace(policy, metric=metric, high_periods=periods) if _tracks_cpu(policy) else policy
        )

    def with_minimum(self, minimum: int) -> Setting:
        """With another minimum."""
        return replace(self, bounds=CapacityBounds(minimum=minimum, maximum=self.bounds.maximum))

    def without_spikes(self) -> Setting:
        """Without the policies that add tasks at a spike."""
        return replace(self, policies=tuple(policy for policy in self.policies if not _is_spike(policy)))

    def described(self) -> str:
        """In a few words, for a table."""
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
                changes = "/".join(f"{band.change:+d}" for band in policy.bands)
                yield f"{changes} at {policy.threshold:g} % (cooldown {policy.cooldown_s} s)"


def _tracks_cpu(policy: Policy) -> TypeGuard[TargetTracking]:
    return isinstance(policy, TargetTracking) and policy.metric in _CPU_AVERAGES


def _is_spike(policy: Policy) -> TypeGuard[StepScaling]:
    return isinstance(policy, StepScaling) and all(band.change >= 0 for band in policy.bands)
