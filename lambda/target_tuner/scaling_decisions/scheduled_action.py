"""Scheduled actions: at given times, in a given time zone, the bounds of a scalable target change."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = {calendar.month_abbr[month].upper(): month for month in range(1, 13)}
# AWS counts weekdays from Sunday, 1.
_DAYS = {calendar.day_abbr[(day + 5) % 7].upper(): day for day in range(1, 8)}
_EXPRESSION = re.compile(r"(cron|at|rate)\((.*)\)")
_RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
_RANGES = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (1, 7)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledAction:
    """Changes the bounds when its schedule says so.

    Args:
        schedule: `cron(minute hour day month weekday year)`, `at(yyyy-mm-ddThh:mm:ss)` or `rate(value unit)`.
            https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
        time_zone: of cron and at; a name of the IANA database.
        minimum, maximum: the new bounds; None leaves that one as it is.

    Raises:
        ValueError: an expression or zone that cannot be read.
    """

    schedule: str
    time_zone: str = "UTC"
    minimum: int | None = None
    maximum: int | None = None

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"time_zone: got {self.time_zone!r}, allowed: a name of the IANA database, as Asia/Tokyo"
            ) from None
        self._parts()

    def times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """When it acts, from `start` until before `end`; both have a zone. The times are in UTC."""
        kind, argument = self._parts()
        zone = ZoneInfo(self.time_zone)
        if kind == "at":
            once = datetime.fromisoformat(argument).replace(tzinfo=zone).astimezone(UTC)
            if start <= once < end:
                yield once
        elif kind == "rate":
            number, unit = _rate(argument)
            step = timedelta(**{f"{unit}s": number})
            # A rate counts from the action's creation, which nothing here knows: from the start, then.
            moment = start.astimezone(UTC) + step
            while moment < end:
                yield moment
                moment += step
        else:
            cron = _Cron.parse(argument)
            day = start.astimezone(zone).date()
            while datetime(day.year, day.month, day.day, tzinfo=zone) < end:
                if cron.is_on(day.year, day.month, day.day, day.isoweekday() % 7 + 1):
                    for hour in cron.hours:
                        for minute in cron.minutes:
                            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                            moment = local.astimezone(UTC)
                            # An hour that the clock skips in spring has no such local time.
                            if moment.astimezone(zone).hour == hour and start <= moment < end:
                                yield moment
                day += timedelta(days=1)

    def _parts(self) -> tuple[str, str]:
        found = _EXPRESSION.fullmatch(self.schedule.strip())
        if found is None:
            raise ValueError(f"schedule: got {self.schedule!r}, allowed: cron(…), at(…) or rate(…)")
        kind, argument = found.groups()
        if kind == "cron":
            _Cron.parse(argument)
        elif kind == "rate":
            _rate(argument)
        else:
            try:
                datetime.fromisoformat(argument)
            except ValueError:
                raise ValueError(f"schedule: got {self.schedule!r}, allowed: at(yyyy-mm-ddThh:mm:ss)") from None
        return kind, argument


def _rate(argument: str) -> tuple[int, str]:
    found = _RATE.fullmatch(argument.strip())
    if found is None:
        raise ValueError(f"schedule: got rate({argument}), allowed: a number of minutes, hours or days")
    return int(found[1]), found[2]


@dataclass(frozen=True, slots=True)
class _Cron:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int] | None

    @classmethod
    def parse(cls, text: str) -> _Cron:
        fields = text.split()
        if len(fields) != 6:
            raise ValueError(
                f"schedule: got cron({text}) with {len(fields)} fields, allowed: minute hour day month weekday year"
            )
        minute, hour, day, month, weekday, year = fields
        return cls(
            tuple(sorted(_numbers(minute, "minutes", {}))),
            tuple(sorted(_numbers(hour, "hours", {}))),
            None if day == "?" else frozenset(_numbers(day, "days", {})),
            frozenset(_numbers(month, "months", _MONTHS)),
            None if weekday == "?" else frozenset(_numbers(weekday, "weekdays", _DAYS)),
            None if year == "*" else frozenset(_numbers(year, "years", {})),
        )

    def is_on(self, year: int, month: int, day: int, weekday: int) -> bool:
        return (
            (self.years is None or year in self.years)
            and month in self.months
            and (self.days is None or day in self.days)
            and (self.weekdays is None or weekday in self.weekdays)
        )


def _numbers(field: str, name: str, names: dict[str, int]) -> set[int]:
    first, last = _RANGES.get(name, (1970, 2199))
    found: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        low, dash, high = span.partition("-")
        try:
            begin = first if span == "*" else names.get(low) or int(low)
            end = names.get(high) or int(high) if dash else (last if span == "*" or step else begin)
            stride = int(step or 1)
        except ValueError:
            raise ValueError(
                f"schedule: got {field!r} as the {name}, allowed: numbers, lists, ranges and steps "
                "(L, W and # are not modelled)"
            ) from None
        if not first <= begin <= end <= last or stride < 1:
            raise ValueError(f"schedule: got {field!r} as the {name}, allowed: {first} to {last}")
        found.update(range(begin, end + 1, stride))
    return found
