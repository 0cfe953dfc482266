"""The floor per quarter of an hour: the tasks that the same time on earlier days would have needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from statistics import fmean, median
from zoneinfo import ZoneInfo

from .floor_settings import FloorSettings
from .load_history import SLOT, LoadHistory, slot_of

# A day that is busier or idler than the others at that time by this factor was an incident, and is left out.
UNLIKE_THE_OTHERS = 3.0
_HOLIDAYS_LOOKED_AT = 4
_LEAST_HOLIDAYS = 2
_SUNDAYS_LOOKED_AT = 4
_SUNDAY = 6
# 3.0000000001 tasks count as three.
_ROUNDING = 1e-9


class FloorForecast:
    """The forecast at one time, from the data that are known then.

    Args:
        settings: the floor's settings.
        history: the load. Data later than `now` are not used, so a backtest may pass the whole history.
        now: the time of the forecast.
    """

    def __init__(self, settings: FloorSettings, history: LoadHistory, now: datetime) -> None:
        self._settings = settings
        self._history = history
        # `steady_load` also uses the next quarter of an hour, which has to be over too.
        self._known_until = now.astimezone(UTC) - 2 * SLOT
        self._zone = ZoneInfo(settings.time_zone)
        self._is_utc = settings.time_zone == "UTC"

    def load(self, moment: datetime) -> float | None:
        """The forecast load of the quarter of an hour that contains `moment`; None without enough earlier days."""
        moment = slot_of(moment)
        look_back = self._settings.look_back
        if self._settings.holidays and self._day(moment) in self._settings.holidays:
            return self._holiday_load(moment)
        found: list[float] = []
        for back in range(1, look_back.furthest + 1):
            former = self._earlier(moment, back * look_back.step_days)
            if self._settings.holidays and self._day(former) in self._settings.holidays:
                continue
            self._take(former, found)
            if len(found) == look_back.wanted:
                break
        return _typical(found) if len(found) >= look_back.least else None

    def tasks(self, moment: datetime) -> int:
        """The floor in the quarter of an hour that contains `moment`: enough tasks for it and for the lead after it.

        It is never below the declared minimum, and never above the maximum.
        """
        settings = self._settings
        first = slot_of(moment)
        ahead = range(timedelta(minutes=settings.lead_minutes) // SLOT + 1)
        highest = max(self.load(first + each * SLOT) or 0.0 for each in ahead)
        tasks = math.ceil(highest / settings.utilization - _ROUNDING)
        return min(max(tasks, settings.minimum), settings.maximum)

    def _holiday_load(self, moment: datetime) -> float | None:
        local = moment.astimezone(self._zone)
        found: list[float] = []
        for day in sorted((each for each in self._settings.holidays if each < local.date()), reverse=True):
            self._take(self._earlier(moment, (local.date() - day).days), found)
            if len(found) == _HOLIDAYS_LOOKED_AT:
                break
        if len(found) >= _LEAST_HOLIDAYS:
            return _typical(found)
        found = []
        to_sunday = (local.weekday() - _SUNDAY) % 7 or 7
        for week in range(2 * _SUNDAYS_LOOKED_AT):
            former = self._earlier(moment, to_sunday + 7 * week)
            if self._day(former) not in self._settings.holidays:
                self._take(former, found)
            if len(found) == _SUNDAYS_LOOKED_AT:
                break
        return _typical(found) if found else None

    def _take(self, former: datetime, found: list[float]) -> None:
        if former <= self._known_until:
            load = self._history.steady_load(former)
            if load == load:
                found.append(load)

    def _earlier(self, moment: datetime, days: int) -> datetime:
        """The same local time, that many days earlier, in UTC."""
        if self._is_utc:
            return moment - timedelta(days=days)
        local = moment.astimezone(self._zone)
        return slot_of((local.replace(tzinfo=None) - timedelta(days=days)).replace(tzinfo=self._zone))

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()


def _typical(loads: list[float]) -> float:
    """The mean of the loads without outliers."""
    middle = median(loads)
    alike = [each for each in loads if middle <= UNLIKE_THE_OTHERS * each and each <= UNLIKE_THE_OTHERS * middle]
    # There is always at least one load: of an even number, the upper middle one is at most twice the median.
    return fmean(alike)


def hourly_floors(
    settings: FloorSettings, history: LoadHistory, begin: datetime, end: datetime
) -> Iterator[tuple[datetime, int]]:
    """Yields each slot from `begin` until `end` with its floor, as forecast at every full hour.

    It is a rolling-origin backtest: each hour's floors use only data that are known at the hour's beginning.
    """
    moment = slot_of(begin)
    forecast = FloorForecast(settings, history, moment)
    while moment < end:
        if moment.minute == 0:
            forecast = FloorForecast(settings, history, moment)
        yield moment, forecast.tasks(moment)
        moment += SLOT
