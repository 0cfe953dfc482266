"""What a service had to do, a quarter of an hour at a time: the CPU of all its tasks together."""

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
    """Loads of quarters of an hour from `start` on.

    Args:
        start: the beginning of the first, at a full quarter of an hour.
        loads: for each, its highest five minutes: CPU of the average task in percent, times the tasks, so that 100 is
            one task's whole CPU. NaN where nothing is known.

    Raises:
        ValueError: a start without a zone, or within a quarter of an hour.
    """

    start: datetime
    loads: Sequence[float]
    # Loads without what lasts a quarter of an hour alone, worked out once: a backtest asks for each of them many times.
    _steady: list[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.start.timestamp() % SLOT.total_seconds():
            raise ValueError(f"start: got {self.start.isoformat()}, allowed: a full quarter of an hour, with its zone")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "_steady", list(_medians(self.loads)))

    @property
    def end(self) -> datetime:
        """When the last quarter of an hour is over."""
        return self.start + len(self.loads) * SLOT

    def load(self, moment: datetime) -> float:
        """The load of the quarter of an hour in which `moment` lies; NaN where nothing is known."""
        return self._of(self.loads, moment)

    def steady_load(self, moment: datetime) -> float:
        """The median of it and its neighbours: one burst is nothing to prepare for, a step at 8:00 stays at 8:00."""
        return self._of(self._steady, moment)

    def _of(self, values: Sequence[float], moment: datetime) -> float:
        index = (moment - self.start) // SLOT
        return values[index] if 0 <= index < len(values) else math.nan


def _medians(loads: Sequence[float]) -> Iterable[float]:
    for index in range(len(loads)):
        around = [each for each in loads[max(index - 1, 0) : index + 2] if each == each]
        yield median(around) if around else math.nan


def slot_of(moment: datetime) -> datetime:
    """The beginning of the quarter of an hour in which `moment` lies, in UTC."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
