"""The schedules to try: the need of the traffic's days, covered by a few steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from fargate_capacity.floor_decisions import SLOT
from fargate_capacity.plan.floor_backtest import first_slot, load_of_a_request, quarterly_requests
from fargate_capacity.plan.schedule import Days, Schedule, ScheduleLine
from fargate_capacity.plan.schedule_steps import Step, covering_steps
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds
from fargate_capacity.traffic.trace import Trace

# More lines are hard to maintain by hand; a forecast floor suits better.
MOST_LINES = 6
_SLOT_MINUTES = int(SLOT.total_seconds()) // 60
_SLOTS = 24 * 60 // _SLOT_MINUTES
# Percentiles of the days' loads at each time: the median and a high one.
_SHARES = (0.5, 0.9)
_DAY_STEPS = range(2, MOST_LINES + 1)
# Numbers of steps on weekdays and weekends; without weekend steps, Friday's last one applies until Monday.
_WEEK_STEPS = tuple((weekday, weekend) for weekday in (2, 3, 4) for weekend in (0, 1, 2))


class ScheduleCandidates:
    """The schedules for a part of traffic.

    Args:
        model: the service model, which converts requests to load.
        bounds: the limits of the minimum.
        traffic: the traffic on which they are based.
        time_zone: the schedule's time zone.
        has_weekends: whether separate lines for weekdays and weekends are tried: each must occur twice in the traffic.
    """

    def __init__(
        self, model: ServiceModel, bounds: CapacityBounds, traffic: Trace, *, time_zone: str, has_weekends: bool
    ) -> None:
        self._model = model
        self._bounds = bounds
        self._time_zone = time_zone
        self._has_weekends = has_weekends
        self._lead_slots = math.ceil(model.start_seconds / SLOT.total_seconds())
        self._loads = _by_days(traffic, ZoneInfo(time_zone))

    def made(self, utilizations: Sequence[float]) -> list[Schedule]:
        """The schedules for tasks at this CPU, percent, without duplicates."""
        found = (lines for cpu in utilizations for share in _SHARES for lines in self._lines(cpu, share))
        return [Schedule(lines=lines, time_zone=self._time_zone) for lines in dict.fromkeys(found) if lines]

    def _lines(self, utilization: float, share: float) -> Iterator[tuple[ScheduleLine, ...]]:
        by_day = self._steps(Days.EVERY_DAY, utilization, share)
        for count in _DAY_STEPS:
            yield self._changing(_lines_of(Days.EVERY_DAY, by_day[count]))
        if not self._has_weekends:
            return
        weekdays = self._steps(Days.WEEKDAYS, utilization, share)
        weekend = self._steps(Days.WEEKEND, utilization, share)
        for count, weekend_count in _WEEK_STEPS:
            # A single step begins with the day.
            steps = weekend[weekend_count] if weekend_count > 1 else [(0, step[1]) for step in weekend[1]]
            quiet = () if weekend_count == 0 else _lines_of(Days.WEEKEND, steps)
            yield self._changing((*_lines_of(Days.WEEKDAYS, weekdays[count]), *quiet))

    def _changing(self, lines: tuple[ScheduleLine, ...]) -> tuple[ScheduleLine, ...]:
        """The lines; none if all set the declared minimum."""
        return lines if any(line.tasks != self._bounds.minimum for line in lines) else ()

    def _steps(self, days: Days, utilization: float, share: float) -> dict[int, list[Step]]:
        loads = self._loads[days]
        tasks = []
        for slot in range(_SLOTS):
            load = np.quantile(loads[slot], share, method="higher") if loads[slot] else 0.0
            needed = math.ceil(load * load_of_a_request(self._model, utilization) / utilization - 1e-9)
            tasks.append(min(max(needed, self._bounds.minimum), self._bounds.maximum))
        # Tasks need some time to start.
        ahead = [max(tasks[(slot + later) % _SLOTS] for later in range(self._lead_slots + 1)) for slot in range(_SLOTS)]
        found = covering_steps(ahead, MOST_LINES)
        # For days with few changes, more steps give the same schedule.
        for count in range(2, MOST_LINES + 1):
            found.setdefault(count, found[count - 1])
        return found


def _lines_of(days: Days, steps: Sequence[Step]) -> tuple[ScheduleLine, ...]:
    return tuple(ScheduleLine(days=days, minute=slot * _SLOT_MINUTES, tasks=tasks) for slot, tasks in steps)


def _by_days(traffic: Trace, zone: ZoneInfo) -> dict[Days, list[list[float]]]:
    """Requests per minute in each quarter of an hour of the day, by kind of day."""
    found: dict[Days, list[list[float]]] = {days: [[] for _ in range(_SLOTS)] for days in Days}
    start = first_slot(traffic)
    for index, requests in enumerate(quarterly_requests(traffic).tolist()):
        if math.isnan(requests):
            continue
        local = (start + index * timedelta(minutes=_SLOT_MINUTES)).astimezone(zone)
        slot = (local.hour * 60 + local.minute) // _SLOT_MINUTES
        for days in Days:
            if days.have(local.weekday()):
                found[days][slot].append(requests)
    return found
