"""Scheduled actions, which change the bounds of a scalable target at given times in a given time zone."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = {calendar.month_abbr[month].upper(): month for month in range(1, 13)}
# In AWS's cron expressions, weekday 1 is Sunday.
_DAYS = {calendar.day_abbr[(day + 5) % 7].upper(): day for day in range(1, 8)}
_EXPRESSION = re.compile(r"(cron|at|rate)\((.*)\)")
_RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
_RANGES = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (1, 7)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledAction:
    """Changes the bounds at the times of its schedule.

    Args:
        schedule: `cron(minute hour day month weekday year)`, `at(yyyy-mm-ddThh:mm:ss)` or `rate(value unit)`.
            https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
        time_zone: the time zone of cron and at, a name of the IANA database.
        minimum, maximum: the new bounds; None does not change that bound.
        begins, ends: the action applies from `begins` to `ends`, both with a time zone. Default: always.

    Raises:
        ValueError: an invalid expression or time zone.
    """

    schedule: str
    time_zone: str = "UTC"
    minimum: int | None = None
    maximum: int | None = None
    begins: datetime | None = None
    ends: datetime | None = None

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"time_zone: got {self.time_zone!r}, allowed: a name of the IANA database, as Asia/Tokyo"
            ) from None
        self._parts()

    def times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The times of the action from `start` to before `end`, in UTC. Both arguments have a time zone."""
        if self.begins is not None:
            start = max(start, self.begins)
        if self.ends is not None:
            end = min(end, self.ends + timedelta(microseconds=1))
        if start < end:
            yield from self._times(start, end)

    def _times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        kind, argument = self._parts()
        zone = ZoneInfo(self.time_zone)
        if kind == "at":
            once = datetime.fromisoformat(argument).replace(tzinfo=zone).astimezone(UTC)
            if start <= once < end:
                yield once
        elif kind == "rate":
            number, unit = _rate(argument)
            step = timedelta(**{f"{unit}s": number})
            # A rate counts from its own start, or from the action's creation. The creation is not known here, so it
            # counts from `start`.
            first = start if self.begins is None else self.begins
            moment = first.astimezone(UTC) + max(1, (start - first) // step) * step
            while moment < start:
                moment += step
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
                            # The local times that the clock skips in spring, an hour or half an hour, do not exist.
                            clock = moment.astimezone(zone)
                            if (clock.hour, clock.minute) == (hour, minute) and start <= moment < end:
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
    days: tuple[_Day, ...] | None
    months: frozenset[int]
    weekdays: tuple[_Day, ...] | None
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
            None if day == "?" else tuple(_days(day)),
            frozenset(_numbers(month, "months", _MONTHS)),
            None if weekday == "?" else tuple(_weekdays(weekday)),
            None if year == "*" else frozenset(_numbers(year, "years", {})),
        )

    def is_on(self, year: int, month: int, day: int, weekday: int) -> bool:
        return (
            (self.years is None or year in self.years)
            and month in self.months
            and (self.days is None or any(each(year, month, day, weekday) for each in self.days))
            and (self.weekdays is None or any(each(year, month, day, weekday) for each in self.weekdays))
        )


# Whether a day matches, given as year, month, day and weekday (Sunday is 1).
_Day = Callable[[int, int, int, int], bool]


def _days(field: str) -> Iterator[_Day]:
    """Days of the month: numbers, `L` (the last), `15W` (the weekday nearest to the 15th), `LW` (the last weekday)."""
    plain = []
    for part in field.upper().split(","):
        if part == "L":
            yield _is_last_day
        elif part == "LW":
            yield partial(_is_nearest_weekday, 31)
        elif part.endswith("W"):
            (wanted,) = _only(part.removesuffix("W"), "days", {})
            yield partial(_is_nearest_weekday, wanted)
        else:
            plain.append(part)
    if plain:
        yield partial(_is_one_of_days, frozenset(_numbers(",".join(plain), "days", {})))


def _weekdays(field: str) -> Iterator[_Day]:
    """Days of the week: numbers and names, `6L` for the last Friday of the month, `2#1` for the first Monday."""
    plain = []
    for part in field.upper().split(","):
        name, hash_sign, number = part.partition("#")
        if part == "L":
            plain.append("7")
        elif hash_sign:
            if number not in ("1", "2", "3", "4", "5"):
                raise ValueError(f"schedule: got {field!r} as the weekdays, allowed after #: 1 to 5")
            (wanted,) = _only(name, "weekdays", _DAYS)
            yield partial(_is_weekday_of_week, wanted, int(number))
        elif part.endswith("L"):
            (wanted,) = _only(part.removesuffix("L"), "weekdays", _DAYS)
            yield partial(_is_last_weekday, wanted)
        else:
            plain.append(part)
    if plain:
        yield partial(_is_one_of_weekdays, frozenset(_numbers(",".join(plain), "weekdays", _DAYS)))


def _is_one_of_days(days: frozenset[int], _year: int, _month: int, day: int, _weekday: int) -> bool:
    return day in days


def _is_one_of_weekdays(weekdays: frozenset[int], _year: int, _month: int, _day: int, weekday: int) -> bool:
    return weekday in weekdays


def _is_last_day(year: int, month: int, day: int, _weekday: int) -> bool:
    return day == calendar.monthrange(year, month)[1]


def _is_nearest_weekday(wanted: int, year: int, month: int, day: int, _weekday: int) -> bool:
    """Whether the day is the weekday (Monday to Friday) nearest to the wanted day in the same month."""
    last = calendar.monthrange(year, month)[1]
    nearest = min(wanted, last)
    weekday = calendar.weekday(year, month, nearest)
    if weekday == calendar.SATURDAY:
        nearest += -1 if nearest > 1 else 2
    elif weekday == calendar.SUNDAY:
        nearest += 1 if nearest < last else -2
    return day == nearest


def _is_weekday_of_week(wanted: int, week: int, _year: int, _month: int, day: int, weekday: int) -> bool:
    return weekday == wanted and (day + 6) // 7 == week


def _is_last_weekday(wanted: int, year: int, month: int, day: int, weekday: int) -> bool:
    return weekday == wanted and day + 7 > calendar.monthrange(year, month)[1]


def _only(field: str, name: str, names: dict[str, int]) -> set[int]:
    found = _numbers(field, name, names)
    if len(found) != 1:
        raise ValueError(f"schedule: got {field!r} before L, W or #, allowed: one of the {name}")
    return found


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
                f"schedule: got {field!r} as the {name}, allowed: numbers, lists, ranges and steps; L, W and # for days"
            ) from None
        if not first <= begin <= end <= last or stride < 1:
            raise ValueError(f"schedule: got {field!r} as the {name}, allowed: {first} to {last}")
        found.update(range(begin, end + 1, stride))
    return found
