"""A service's task-hours per request since a change of its target, compared with the same hours before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from .latency_ratio import LEAST_HOURS, whole_hours

_HOUR = timedelta(hours=1)
_DAYS_BEFORE = 7
# Hours with different traffic show nothing about the target: near the minimum, traffic explains one task more or less.
_MOST_UNLIKE = math.log(1.25)
# Successive hours are correlated, so a block of them counts as one observation.
_BLOCK_HOURS = 6
_LEAST_BLOCKS = 4
# The 97.5 % quantiles of Student's t, for 3 degrees of freedom and more; from 30, that of the normal distribution is
# close enough.
_STUDENT_T = (
    *(3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101),
    *(2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045),
)
_NORMAL = 2.0


class ServiceHour(NamedTuple):
    """One hour of a service.

    Args:
        task_hours: the task-hours that ran.
        work: the requests that they answered, or if requests are not counted, their CPU-hours.
    """

    task_hours: float
    work: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostChange:
    """The change of task-hours per request against the same hours before, as a share: -0.07 is 7 % less.

    Args:
        estimate: the change over all compared hours together.
        low, high: the 95 % interval.
        hours: the number of compared hours.
    """

    estimate: float
    low: float
    high: float
    hours: int

    @property
    def is_dear(self) -> bool:
        """Whether the whole interval is above 0, so that the service costs more."""
        return self.low > 0

    def described(self) -> str:
        """A short description."""
        return f"{self.estimate:+.1%} task-hours per request ({self.low:+.1%} to {self.high:+.1%})"


def cost_change(
    hour_of: Callable[[datetime], ServiceHour | None], *, before: datetime, since: datetime, until: datetime
) -> CostChange | None:
    """The change of task-hours per request from `since` to `until`, against the same hours of the week `before`.

    Each whole hour is compared with the same hour of an earlier day whose traffic differs by at most a quarter: the
    same weekday if possible, else the day with the most similar traffic. The interval is from a jackknife over blocks
    of six hours.

    Args:
        hour_of: returns the hour that begins at a time; None if it has no data.
        before: the time until which the earlier target was in force.
        since: the beginning of the evaluated time.
        until: the end of the evaluated time.

    Returns:
        None if fewer than 24 hours can be compared.
    """
    pairs = list(_pairs(hour_of, before, since, until))
    blocks = [pairs[begin : begin + _BLOCK_HOURS] for begin in range(0, len(pairs), _BLOCK_HOURS)]
    if len(pairs) < LEAST_HOURS or len(blocks) < _LEAST_BLOCKS:
        return None
    estimate = _log_ratio(pairs)
    left_out = [_log_ratio([pair for other in blocks if other is not block for pair in other]) for block in blocks]
    count = len(blocks)
    mean = sum(left_out) / count
    error = math.sqrt((count - 1) / count * sum((each - mean) ** 2 for each in left_out))
    place = count - 1 - 3
    reach = error * (_STUDENT_T[place] if place < len(_STUDENT_T) else _NORMAL)
    return CostChange(
        estimate=math.expm1(estimate),
        low=math.expm1(estimate - reach),
        high=math.expm1(estimate + reach),
        hours=len(pairs),
    )


def saved_task_hours(
    hour_of: Callable[[datetime], ServiceHour | None], *, before: datetime, since: datetime, until: datetime
) -> float:
    """The task-hours saved against the same hours before, for the same requests; negative if more ran."""
    return sum(
        now.work * then.task_hours / then.work - now.task_hours for now, then in _pairs(hour_of, before, since, until)
    )


def _pairs(
    hour_of: Callable[[datetime], ServiceHour | None], before: datetime, since: datetime, until: datetime
) -> Iterator[tuple[ServiceHour, ServiceHour]]:
    """Yields each hour with the hour that it is compared with."""
    hour, end = whole_hours(since, until)
    while hour < end:
        now = hour_of(hour)
        if now is not None and now.work > 0 and now.task_hours > 0:
            then = _like(hour_of, now, hour, before)
            if then is not None:
                yield now, then
        hour += _HOUR


def _like(
    hour_of: Callable[[datetime], ServiceHour | None], now: ServiceHour, hour: datetime, before: datetime
) -> ServiceHour | None:
    day = timedelta(days=1)
    # The latest same hour of a day that ended by `before`.
    latest = hour - day * max(math.ceil((hour + _HOUR - before) / day), 0)
    found: list[tuple[bool, float, ServiceHour]] = []
    for days in range(_DAYS_BEFORE):
        moment = latest - days * day
        then = hour_of(moment)
        if then is None or then.work <= 0 or then.task_hours <= 0:
            continue
        unlike = abs(math.log(now.work / then.work))
        if unlike <= _MOST_UNLIKE:
            found.append((moment.weekday() != hour.weekday(), unlike, then))
    return min(found, key=lambda each: each[:2])[2] if found else None


def _log_ratio(pairs: Sequence[tuple[ServiceHour, ServiceHour]]) -> float:
    """The log ratio of task-hours per request over all hours together, so that busy hours weigh more."""
    now_tasks, now_work, then_tasks, then_work = (
        sum(values)
        for values in zip(*((now.task_hours, now.work, then.task_hours, then.work) for now, then in pairs), strict=True)
    )
    return math.log(now_tasks / now_work) - math.log(then_tasks / then_work)
