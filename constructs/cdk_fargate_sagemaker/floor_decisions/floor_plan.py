"""The floors of the next two days, as the times at which the minimum changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from .floor_forecast import FloorForecast
from .load_history import SLOT, SLOTS_PER_HOUR, slot_of

HORIZON = timedelta(hours=48)
# The first 24 hours are planned per quarter of an hour. Later ones are planned per hour, because they are planned again
# in time. A scalable target has at most 200 scheduled actions.
# https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-limits.html
_BY_QUARTERS = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorChange:
    """From `at`, the minimum is `tasks`."""

    at: datetime
    tasks: int


@dataclass(frozen=True, slots=True)
class FloorPlan:
    """Changes in order of time. The first one is the floor at the time of planning."""

    changes: tuple[FloorChange, ...]

    @classmethod
    def of(cls, forecast: FloorForecast, now: datetime) -> Self:
        """Makes the plan of the 48 hours from `now`."""
        moment, until = slot_of(now), now + HORIZON
        floors: list[FloorChange] = []
        while moment < until:
            is_by_quarters = moment < now + _BY_QUARTERS or moment.minute
            slots = range(1 if is_by_quarters else SLOTS_PER_HOUR)
            tasks = max(forecast.tasks(moment + each * SLOT) for each in slots)
            if not floors or floors[-1].tasks != tasks:
                floors.append(FloorChange(at=moment, tasks=tasks))
            moment += len(slots) * SLOT
        return cls(tuple(floors))

    def tasks(self, moment: datetime) -> int | None:
        """The floor at that time; None before the first change."""
        held = [change.tasks for change in self.changes if change.at <= moment]
        return held[-1] if held else None

    def after(self, moment: datetime) -> tuple[FloorChange, ...]:
        """The changes after `moment`."""
        return tuple(change for change in self.changes if change.at > moment)

    @property
    def highest(self) -> int:
        """The highest of all floors."""
        return max((change.tasks for change in self.changes), default=0)

    def to_json(self) -> list[dict[str, Any]]:
        """The plan in the format of the table."""
        return [{"at": each.at.isoformat(), "tasks": each.tasks} for each in self.changes]

    @classmethod
    def from_json(cls, recorded: Sequence[dict[str, Any]]) -> Self:
        """Reads the plan from the format of the table."""
        return cls(
            tuple(FloorChange(at=datetime.fromisoformat(each["at"]), tasks=int(each["tasks"])) for each in recorded)
        )
