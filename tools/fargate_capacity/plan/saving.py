"""The saving of a change of settings: requests per task before and after, and task-hours at equal traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.input_error import InputError
from fargate_capacity.observed.observations import Observations

LEAST_DAYS = 14
"""Minimum length of each part: two weeks, so that each weekday occurs twice."""
BLOCK_DAYS = 7
"""Weekdays differ and consecutive days are correlated, so the bootstrap draws whole weeks of consecutive days."""
RESAMPLES = 1000
SEED = 20261127
_CONFIDENCE = 0.95
_WHOLE_DAY = 0.9
_LEVEL_DAYS = 28
_BINS = 24
_HOURS = 24
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Whole days in UTC, without days of which a tenth or more is missing and days on which no task ran.

    Args:
        dates: the date of each day.
        requests, task_hours: 24 columns, one per hour.
    """

    dates: tuple[date, ...]
    requests: Array
    task_hours: Array

    def __len__(self) -> int:
        return len(self.dates)

    def drawn(self, rows: NDArray[np.int64]) -> Days:
        """The days at these indices, in this order."""
        return Days(
            dates=tuple(self.dates[row] for row in rows), requests=self.requests[rows], task_hours=self.task_hours[rows]
        )

    @property
    def requests_per_task_hour(self) -> float:
        return float(self.requests.sum() / self.task_hours.sum())

    @property
    def requests_per_task(self) -> Array:
        """Requests per task and minute, by day."""
        ratio: Array = self.requests.sum(axis=1) / self.task_hours.sum(axis=1)
        return ratio / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The comparison of the days before and after a change.

    Args:
        since: the first day after the change.
        per_request: task-hours per 1,000 requests, before and after.
        change_per_request: relative change of `per_request`: -0.4 is 40 % less. It includes the effect of traffic
            growth.
        at_equal_traffic: the share of task-hours saved compared with the settings before the change at the same
            traffic: 0.4 is 40 % saved.
        saved_task_hours: the same in task-hours per 30 days.
        extrapolated: the share of later requests in hours busier than any before the change.
        level: the target for requests per task and minute: the highest value over four consecutive weeks since the
            change, or the given one.
        latest: the value in the last week.
    """

    since: date
    before: Days
    after: Days
    per_request: tuple[Interval, Interval]
    change_per_request: Interval
    at_equal_traffic: Interval
    saved_task_hours: Interval
    extrapolated: float
    level: float
    latest: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval at equal traffic excludes zero."""
        return self.at_equal_traffic.low > 0 or self.at_equal_traffic.high < 0


def saving(seen: Observations, *, since: date, level: float | None = None) -> Saving:
    """Compares the observations before a day with those since.

    The counterfactual at equal traffic: for each hour since, the task-hours of earlier hours with as many requests.
    Beyond the busiest earlier hour it is extrapolated by the slope over the busier half. The intervals are from a
    bootstrap that draws whole weeks of both parts.

    Raises:
        InputError: too few whole days on either side, or no requests or tasks.
    """
    days = whole_days(seen)
    place = next((number for number, day in enumerate(days.dates) if day >= since), len(days))
    rows = np.arange(len(days))
    before, after = days.drawn(rows[:place]), days.drawn(rows[place:])
    for name, part in (("before", before), ("since", after)):
        if len(part) < LEAST_DAYS:
            span = f"{days.dates[0]} to {days.dates[-1]}" if len(days) else "none"
            raise InputError(
                f"--since: got {since}, allowed: a day with {LEAST_DAYS} whole observed days before it and since; "
                f"{len(part)} are {name} it, of {len(days)} in {seen.name} ({span})"
            )
        if not part.requests.any():
            raise InputError(f"{seen.name}: got no request {name} {since}, allowed: some, to compare tasks by them")
    chance = np.random.default_rng(SEED)
    drawn = [_both(before.drawn(_weeks(chance, before)), after.drawn(_weeks(chance, after))) for _ in range(RESAMPLES)]
    samples = np.array(drawn)
    values = _both(before, after)
    first, second, change, equal = (_interval(values[column], samples[:, column]) for column in range(4))
    monthly = 30 * float(after.task_hours.sum()) / len(after)
    saved = tuple(monthly / (1 - share) - monthly for share in (equal.value, equal.low, equal.high))
    return Saving(
        since=since,
        before=before,
        after=after,
        per_request=(first, second),
        change_per_request=change,
        at_equal_traffic=equal,
        saved_task_hours=Interval(value=saved[0], low=saved[1], high=saved[2]),
        extrapolated=_extrapolated(before, after),
        level=_best_level(after) if level is None else level,
        latest=_mean_per_task(after, len(after) - min(BLOCK_DAYS, len(after)), len(after)),
    )


def whole_days(seen: Observations) -> Days:
    """The days in UTC on which tasks ran and nearly all minutes are known; missing minutes are filled in."""
    begin = datetime(seen.start.year, seen.start.month, seen.start.day, tzinfo=UTC)
    lead = int((seen.start - begin).total_seconds()) // 60
    count = -(-(lead + seen.minutes) // 1440)

    def by_day(column: Array) -> Array:
        table = np.full(count * 1440, math.nan)
        table[lead : lead + seen.minutes] = column
        return table.reshape(count, _HOURS, 60)

    requests, tasks = by_day(seen.requests), by_day(seen.tasks)
    known = ~np.isnan(requests) & ~np.isnan(tasks)
    # An hour without a data point has no mean to fill in.
    has_each_hour = np.all(known.any(axis=2), axis=1)
    has_tasks = np.nansum(tasks, axis=(1, 2)) > 0
    whole = np.flatnonzero((known.mean(axis=(1, 2)) >= _WHOLE_DAY) & has_each_hour & has_tasks)
    requests, tasks, known = requests[whole], tasks[whole], known[whole]
    minutes = np.maximum(known.sum(axis=2), 1)
    return Days(
        dates=tuple((begin + timedelta(days=int(day))).date() for day in whole),
        requests=np.where(known, requests, 0).sum(axis=2) * 60 / minutes,
        task_hours=np.where(known, tasks, 0).sum(axis=2) / minutes,
    )


def _weeks(chance: np.random.Generator, days: Days) -> NDArray[np.int64]:
    """As many indices as there are days, in circular blocks of consecutive days."""
    blocks = -(-len(days) // BLOCK_DAYS)
    begins = chance.integers(len(days), size=blocks)
    rows = (begins[:, None] + np.arange(BLOCK_DAYS)) % len(days)
    return rows.ravel()[: len(days)]


def _both(before: Days, after: Days) -> tuple[float, float, float, float]:
    """Not finite if the drawn days have no request, as can happen for a rarely used service."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (1000 * np.divide(days.task_hours.sum(), days.requests.sum()) for days in (before, after))
        would_have = _would_have_taken(before, after.requests.ravel()).sum()
        equal = 1 - np.divide(after.task_hours.sum(), would_have)
        return float(first), float(second), float(second / first - 1), float(equal)


def _would_have_taken(before: Days, requests: Array) -> Array:
    """The task-hours of hours with this many requests, estimated from earlier hours."""
    order = np.argsort(before.requests, axis=None, kind="stable")
    asked, took = before.requests.ravel()[order], before.task_hours.ravel()[order]
    parts = np.array_split(np.arange(len(asked)), min(_BINS, len(asked)))
    means = np.array([asked[part].mean() for part in parts])
    hours = np.array([took[part].mean() for part in parts])
    found: Array = np.interp(requests, means, hours)
    beyond = requests > means[-1]
    # The slope over the busier half.
    half = len(means) // 2
    slope = (hours[-1] - hours[half]) / (means[-1] - means[half]) if means[-1] > means[half] else 0.0
    found[beyond] = hours[-1] + max(float(slope), 0.0) * (requests[beyond] - means[-1])
    return found


def _extrapolated(before: Days, after: Days) -> float:
    beyond = after.requests > before.requests.max()
    return float(after.requests[beyond].sum() / after.requests.sum())


def _best_level(after: Days) -> float:
    length = min(_LEVEL_DAYS, len(after))
    return max(_mean_per_task(after, begin, begin + length) for begin in range(len(after) - length + 1))


def _mean_per_task(days: Days, begin: int, end: int) -> float:
    return float(days.requests[begin:end].sum() / days.task_hours[begin:end].sum()) / 60


def _interval(value: float, samples: Array) -> Interval:
    tail = 100 * (1 - _CONFIDENCE) / 2
    low, high = np.percentile(samples[np.isfinite(samples)], [tail, 100 - tail])
    return Interval(value=value, low=float(low), high=float(high))
