"""A scalable target minute by minute: bounds, policies, and what both make of the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .capacity_decision import decided_capacity
from .metrics import MISSING, Metric
from .policy_rows import Policy, TargetRow, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityBounds:
    """The count is never below `minimum` nor above `maximum`."""

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if self.minimum < 0:
            raise ValueError(f"minimum: got {self.minimum}, allowed: 0 or more tasks")
        if self.maximum < self.minimum:
            raise ValueError(f"maximum: got {self.maximum}, allowed: at least the minimum ({self.minimum})")


class ScalingEngine:
    """Follows policies from a fresh start; feed it one minute after the other.

    Args:
        policies: all policies of the scalable target.
        desired: the count at the start.
    """

    def __init__(self, *, policies: Sequence[Policy], desired: int) -> None:
        self._rows = rows_of(policies)
        self._target = TargetRow(minimum=0, maximum=0, desired=desired)
        self._minutes = 0

    @property
    def desired(self) -> int:
        """The count after the latest minute."""
        return self._target.desired

    def minute(
        self,
        *,
        values: Mapping[Metric, float],
        running: int,
        bounds: CapacityBounds,
        is_deploying: bool = False,
    ) -> int:
        """The desired count after one more minute. A metric that is not in `values` has no datapoint."""
        self._minutes += 1
        self._target.minimum, self._target.maximum = bounds.minimum, bounds.maximum
        self._target.is_scale_in_suspended = int(is_deploying)
        self._target.desired = decided_capacity(
            self._target,
            self._rows.tracking,
            self._rows.steps,
            self._rows.bands,
            [values.get(metric, MISSING) for metric in Metric],
            self._minutes * 60,
            running,
        )
        return self._target.desired
