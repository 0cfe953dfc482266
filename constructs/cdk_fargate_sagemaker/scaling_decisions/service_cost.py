"""What a service costs for what it does, since a change of its target against the same hours before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from .latency_ratio import LEAST_HOURS, whole_hours

_HOUR = timedelta(hours=1)
_DAYS_BEFORE = 7
# Hours with another traffic say nothing of the target: near the minimum a task more or less is due to the traffic.
_MOST_UNLIKE = math.log(1.25)
# Hours in a row are alike, so that they count as one observation.
_BLOCK_HOURS = 6
_LEAST_BLOCKS = 4
# Student's t, 97.5 %, by degrees of freedom from 3 on; from 30 on the normal distribution's is near enough.
_STUDENT_T = (
    *(3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101),
    *(2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045),
)
_NORMAL = 2.0


class ServiceHour(NamedTuple):
    """One hour of a service.

    Args:
        task_hours: that ran.
        work: what they did: requests, or where nobody counts these, hours of CPU.
    """

    task_hours: float
    work: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostChange:
    """Task-hours a request against the same hours before, as shares: -0.07 is 7 % less.

    Args:
        estimate: of all compared hours together.
        low, high: the interval in which it lies with 95 %.
        hours: that were compared.
    """

    estimate: float
    low: float
    high: float
    hours: int

    @property
    def is_dear(self) -> bool:
        """Whether the whole interval is on the dear side."""
        return self.low > 0

    def described(self) -> str:
        """In a few words."""
        return f"{self.estimate:+.1%} task-hours per request ({self.low:+.1%} to {self.high:+.1%})"


def cost_change(
    hour_of: Callable[[datetime], ServiceHour | None], *, before: datetime, since: datetime, until: datetime
) -> CostChange | None:
    """Task-hours a request of the whole hours from `since` to `until`, against the same hours of the week `before`.

    Each is compared with the same hour of a day before, of the same weekday if it had like requests, within a quarter;
    else of the day with the nearest. The interval is a jackknife over blocks of six hours.

    Args:
        hour_of: the hour that begins then; None where nothing is known of it.
        before: the moment until which the other target held.
        since: when what is judged begins.
        until: when it ends.

    Returns:
        None where fewer than 24 hours can be compared.
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
    """Task-hours that ran less than the same requests took in the same hours before; negative where more ran."""
    return sum(
        now.work * then.task_hours / then.work - now.task_hours for now, then in _pairs(hour_of, before, since, until)
    )


def _pairs(
    hour_of: Callable[[datetime], ServiceHour | None], before: datetime, since: datetime, until: datetime
) -> Iterator[tuple[ServiceHour, ServiceHour]]:
    """Each hour with the one that it is compared with."""
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
    # The latest such hour that was over by then.
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
    """Of the task-hours a request of all hours together: a busy hour counts for more."""
    now_tasks, now_work, then_tasks, then_work = (
        sum(values)
        for values in zip(*((now.task_hours, now.work, then.task_hours, then.work) for now, then in pairs), strict=True)
    )
    return math.log(now_tasks / now_work) - math.log(then_tasks / then_work)
