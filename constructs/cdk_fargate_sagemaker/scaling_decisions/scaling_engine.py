"""Simulates a scalable target per minute: its bounds, its policies, and their decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .capacity_decision import decided_capacity
from .metrics import MISSING, Metric, Trigger
from .policy_rows import Policy, TargetRow, rows_of
from .target_tracking import CountReading


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityBounds:
    """The bounds of the count: never below `minimum`, never above `maximum`."""

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if self.minimum < 0:
            raise ValueError(f"minimum: got {self.minimum}, allowed: 0 or more tasks")
        if self.maximum < self.minimum:
            raise ValueError(f"maximum: got {self.maximum}, allowed: at least the minimum ({self.minimum})")


class ScalingEngine:
    """Applies policies minute by minute, from their initial state.

    Args:
        policies: all policies of the scalable target.
        desired: the count at the start.
        reading: the task count that a datapoint is multiplied by.
    """

    def __init__(
        self,
        *,
        policies: Sequence[Policy],
        desired: int,
        reading: CountReading = CountReading.ITS_OWN_MINUTE,
    ) -> None:
        self._rows = rows_of(policies)
        self._target = TargetRow(minimum=0, maximum=0, desired=desired, reading=int(reading))
        self._minutes = 0

    @property
    def desired(self) -> int:
        """The count after the latest minute."""
        return self._target.desired

    @property
    def trigger(self) -> Trigger:
        """The cause of the latest minute's decision."""
        return Trigger(self._target.trigger)

    def minute(
        self,
        *,
        values: Mapping[Metric, float],
        running: int,
        bounds: CapacityBounds,
        counts: Mapping[Metric, float] | None = None,
        is_deploying: bool = False,
    ) -> int:
        """The desired count after one more minute. A metric that is not in `values` has no datapoint.

        Args:
            values: the datapoints that the alarms evaluate.
            running: the tasks that run now.
            bounds: the bounds of the count.
            counts: the number of tasks that each datapoint was measured with. Default: `running`, for datapoints
                without delay.
            is_deploying: whether a deployment suspends scale-in.
        """
        paired = counts or {}
        self._minutes += 1
        self._target.minimum, self._target.maximum = bounds.minimum, bounds.maximum
        self._target.is_scale_in_suspended = int(is_deploying)
        self._target.desired = decided_capacity(
            self._target,
            self._rows.tracking,
            self._rows.steps,
            self._rows.bands,
            [values.get(metric, MISSING) for metric in Metric],
            [float(paired.get(metric, running)) for metric in Metric],
            self._minutes * 60,
            running,
        )
        return self._target.desired
