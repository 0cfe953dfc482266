"""Backtests a forecast floor over a trace: runs the function's own code hour by hour, on the data up to then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from fargate_capacity.floor_decisions import SLOT, FloorSettings, LoadHistory, LookBack, hourly_floors, slot_of
from fargate_capacity.replay.replay import BoundsChange, Column
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds
from fargate_capacity.traffic.trace import Trace

_SLOT_MINUTES = int(SLOT.total_seconds()) // 60
# CloudWatch keeps five-minute data for 63 days; the function uses the highest one per quarter of an hour.
_PERIOD_MINUTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A forecast floor beside the policies.

    Args:
        utilization: the average CPU, percent, of the floor's tasks under the forecast load.
        look_back: the earlier days on which the forecast of a day is based.
        lead_minutes: how long before the load the floor is raised.
        time_zone: the time zone of the days.
        holidays: days that are excluded from forecasts.
        approximates: what the floor approximates, if it is not this library's. Default: it is this library's.
    """

    utilization: float
    look_back: LookBack = LookBack.DAYS
    lead_minutes: int = 30
    time_zone: str = "UTC"
    holidays: frozenset[date] = field(default_factory=frozenset)
    approximates: str | None = None

    def settings(self, bounds: CapacityBounds) -> FloorSettings:
        """The function's settings."""
        return FloorSettings(
            minimum=bounds.minimum,
            maximum=bounds.maximum,
            utilization=self.utilization,
            look_back=self.look_back,
            lead_minutes=self.lead_minutes,
            time_zone=self.time_zone,
            holidays=self.holidays,
        )

    def as_json(self) -> dict[str, Any]:
        """The floor as JSON."""
        return {
            "utilization": self.utilization,
            "look_back": str(self.look_back),
            "lead_minutes": self.lead_minutes,
            "time_zone": self.time_zone,
            "holidays": sorted(day.isoformat() for day in self.holidays),
        } | ({"approximates": self.approximates} if self.approximates else {})

    def described(self) -> str:
        """A short description."""
        return f"{self.approximates}, approximated by {self.of_ours()}" if self.approximates else self.of_ours()

    def of_ours(self) -> str:
        """The floor without `approximates`."""
        which = {
            LookBack.DAYS: "the same time of the last 7 days",
            LookBack.WEEKS: "the same time and weekday of the last 4 weeks",
        }[self.look_back]
        return f"a floor for {self.utilization:g} % by {which}, {self.lead_minutes} minutes ahead"


class FloorBacktest:
    """The floors of a trace. Each is computed once for all policies.

    Args:
        model: the service model, which converts requests to load.
        trace: the traffic. If it is a part of a longer trace, the earlier part is used as history.
    """

    def __init__(self, model: ServiceModel, trace: Trace) -> None:
        self._model = model
        self._trace = trace
        self._requests: Column | None = None
        self._found: dict[tuple[Floor, CapacityBounds], list[BoundsChange]] = {}

    def changes(self, floor: Floor, bounds: CapacityBounds) -> Sequence[BoundsChange]:
        """The minutes at which the floor changes the minimum."""
        key = (floor, bounds)
        if key not in self._found:
            self._found[key] = self._worked_out(floor, bounds)
        return self._found[key]

    def _worked_out(self, floor: Floor, bounds: CapacityBounds) -> list[BoundsChange]:
        whole = self._trace.with_past()
        if self._requests is None:
            self._requests = quarterly_requests(whole)
        load = self._requests * load_of_a_request(self._model, floor.utilization)
        history = LoadHistory(start=first_slot(whole), loads=load.tolist())
        start = self._trace.start
        changes: list[BoundsChange] = []
        last = bounds.minimum
        for moment, tasks in hourly_floors(floor.settings(bounds), history, start, self._trace.end):
            if tasks != last:
                minute = max(round((moment - start).total_seconds() / 60), 0)
                changes.append(
                    BoundsChange(minute=minute, bounds=CapacityBounds(minimum=tasks, maximum=bounds.maximum))
                )
                last = tasks
        return changes


def load_of_a_request(model: ServiceModel, utilization: float) -> float:
    """CPU of a task per request per minute, percent, as CloudWatch shows it at this CPU.

    It includes the tasks' idle CPU.
    """
    busy = 100 * model.cpu_seconds / 60 / model.vcpus
    idle = min(model.idle_percent, 0.9 * utilization)
    return busy * utilization / (utilization - idle)


def first_slot(trace: Trace) -> datetime:
    """The first full quarter of an hour of a trace."""
    first = slot_of(trace.start)
    return first if first == trace.start else first + SLOT


def quarterly_requests(trace: Trace) -> Column:
    """Requests per minute in the highest five minutes of each full quarter of an hour; NaN without data."""
    late = round((first_slot(trace) - trace.start) / timedelta(minutes=1))
    requests = trace.block(late, trace.minutes)
    slots = len(requests) // _SLOT_MINUTES
    fives = requests[: slots * _SLOT_MINUTES].reshape(slots, -1, _PERIOD_MINUTES)
    known = ~np.isnan(fives)
    counts = known.sum(axis=2)
    means = np.where(counts > 0, np.where(known, fives, 0.0).sum(axis=2) / np.maximum(counts, 1), -np.inf)
    highest = means.max(axis=1)
    return np.where(np.isinf(highest), np.nan, highest)
