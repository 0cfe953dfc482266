"""The load of a service per quarter of an hour: the CPU of all its tasks together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

SLOT = timedelta(minutes=15)
SLOTS_PER_HOUR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadHistory:
    """The loads of successive quarters of an hour, from `start`.

    Args:
        start: the beginning of the first quarter of an hour, on a quarter-hour boundary.
        loads: one load per quarter of an hour, that of its highest five minutes: the tasks' average CPU in percent
            times the number of tasks, so that 100 is one task's whole CPU. NaN if there are no data.

    Raises:
        ValueError: a start without a time zone, or one that is not on a quarter-hour boundary.
    """

    start: datetime
    loads: Sequence[float]
    # Loads without bursts of a single quarter of an hour. They are computed once, because a backtest reads each of them
    # many times.
    _steady: list[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.start.timestamp() % SLOT.total_seconds():
            raise ValueError(f"start: got {self.start.isoformat()}, allowed: a full quarter of an hour, with its zone")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "_steady", list(_medians(self.loads)))

    @property
    def end(self) -> datetime:
        """The end of the last quarter of an hour."""
        return self.start + len(self.loads) * SLOT

    def load(self, moment: datetime) -> float:
        """The load of the quarter of an hour that contains `moment`; NaN if there are no data."""
        return self._of(self.loads, moment)

    def steady_load(self, moment: datetime) -> float:
        """The median of the load and its two neighbours, which removes a single burst and does not shift a step."""
        return self._of(self._steady, moment)

    def _of(self, values: Sequence[float], moment: datetime) -> float:
        index = (moment - self.start) // SLOT
        return values[index] if 0 <= index < len(values) else math.nan


def _medians(loads: Sequence[float]) -> Iterable[float]:
    for index in range(len(loads)):
        around = [each for each in loads[max(index - 1, 0) : index + 2] if each == each]
        yield median(around) if around else math.nan


def slot_of(moment: datetime) -> datetime:
    """The beginning of the quarter of an hour that contains `moment`, in UTC."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
