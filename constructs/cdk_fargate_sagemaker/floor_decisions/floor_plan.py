"""The coming two days' floors as the moments at which the minimum changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from .floor_forecast import FloorForecast
from .load_history import SLOT, SLOTS_PER_HOUR, slot_of

HORIZON = timedelta(hours=48)
# So many hours go by quarters of an hour; later ones, which are planned again before they come, by the hour. A scalable
# target takes 200 scheduled actions.
# https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-limits.html
_BY_QUARTERS = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorChange:
    """From `at` on the minimum is `tasks`."""

    at: datetime
    tasks: int


@dataclass(frozen=True, slots=True)
class FloorPlan:
    """Changes in order; the first says what holds as it is made."""

    changes: tuple[FloorChange, ...]

    @classmethod
    def of(cls, forecast: FloorForecast, now: datetime) -> Self:
        """The plan of the 48 hours from `now` on."""
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
        """The floor at that moment; None before the first."""
        held = [change.tasks for change in self.changes if change.at <= moment]
        return held[-1] if held else None

    def after(self, moment: datetime) -> tuple[FloorChange, ...]:
        """The changes that are still to come."""
        return tuple(change for change in self.changes if change.at > moment)

    @property
    def highest(self) -> int:
        """Of all floors."""
        return max((change.tasks for change in self.changes), default=0)

    def to_json(self) -> list[dict[str, Any]]:
        """As it is recorded."""
        return [{"at": each.at.isoformat(), "tasks": each.tasks} for each in self.changes]

    @classmethod
    def from_json(cls, recorded: Sequence[dict[str, Any]]) -> Self:
        """As it was recorded."""
        return cls(
            tuple(FloorChange(at=datetime.fromisoformat(each["at"]), tasks=int(each["tasks"])) for each in recorded)
        )
