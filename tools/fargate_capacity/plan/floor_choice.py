"""Whether a forecast floor improves reactive scaling: chosen on a trace's first part, evaluated on the rest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from fargate_capacity.floor_decisions import LookBack
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.plan.sweep import Course, sweep, sweep_by_day
from fargate_capacity.traffic.trace import DAY_MINUTES, Trace

# Share of the best reactive setting's task-hours. A smaller saving does not justify an additional function.
LEAST_SAVING = 0.02
# Alternatively this share of breached requests must be avoided without more task-hours.
_LEAST_SPARED = 0.5
# The first part of a trace is split into this many parts; a floor must save in each, not only in one lucky week.
_PARTS = 3
# Weekdays repeat: history for the look-back, and the same length for the evaluation.
_LEAST_DAYS_FOR_WEEKS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorChoice:
    """The result of a choice on the held-out part of the trace.

    Args:
        best: the cheapest reactive setting that breached at most as many requests as the safe one on the first part.
        chosen: the cheapest setting with a floor that breached at most as many requests as `best` and saved enough
            task-hours, or breached far fewer without more task-hours; `best` if there is none.
        why: the reason, in a sentence.
        safe_rest, best_rest, chosen_rest: the simulations on the held-out part.
    """

    best: Setting
    chosen: Setting
    why: str
    safe_rest: Simulation
    best_rest: Simulation
    chosen_rest: Simulation

    @property
    def helps(self) -> bool:
        """Whether a floor was chosen."""
        return self.chosen.floor is not None


def look_backs(days: float) -> list[LookBack]:
    """The look-backs that this many days of history are enough to evaluate."""
    return [LookBack.DAYS, LookBack.WEEKS] if days >= _LEAST_DAYS_FOR_WEEKS else [LookBack.DAYS]


def warm_up_days(settings: Sequence[Setting]) -> int:
    """Days at the start of a trace that are not evaluated, because no floor can be forecast yet."""
    return max((each.floor.look_back.history.days for each in settings if each.floor), default=0)


def choose(
    scenario: Scenario,
    reactive: Sequence[Setting],
    with_floors: Sequence[Setting],
    trace: Trace,
    *,
    searched: float,
    jobs: int = 1,
) -> FloorChoice:
    """Chooses on the first part only.

    Args:
        scenario: the service and its guardrail.
        reactive: settings without a floor, the safe one first.
        with_floors: settings with one.
        trace: the traffic.
        searched: the share of the trace on which the choice is made.
        jobs: number of threads. Default: 1.
    """
    cut = int(trace.minutes * searched)
    warm = DAY_MINUTES * warm_up_days(with_floors)
    first, rest = trace.part(warm, cut - warm), trace.part(cut, trace.minutes - cut)
    # The saving of a higher target alone does not count for the floor.
    alone = list(dict.fromkeys([*reactive, *(each.with_floor(None) for each in with_floors)]))
    courses = sweep_by_day(scenario, alone, first, jobs=jobs)
    best = _cheapest(courses, like=courses[0])
    found = sweep_by_day(scenario, [best.setting.with_floor(each) for each in _floors(with_floors)], first, jobs=jobs)
    found += sweep_by_day(scenario, with_floors, first, jobs=jobs)
    saving = [each for each in found if _saves(each, best)]
    choice = _cheapest([best, *saving], like=best)
    safe_rest, best_rest, chosen_rest = sweep(scenario, [reactive[0], best.setting, choice.setting], rest)
    return FloorChoice(
        best=best.setting,
        chosen=choice.setting,
        why=_why(choice, best, found),
        safe_rest=safe_rest,
        best_rest=best_rest,
        chosen_rest=chosen_rest,
    )


def _floors(settings: Sequence[Setting]) -> list[Floor]:
    return list(dict.fromkeys(each.floor for each in settings if each.floor))


def _cheapest(courses: Sequence[Course], *, like: Course) -> Course:
    holding = [each for each in courses if _breached(each) <= _breached(like) * (1 + 1e-9)]
    return min(holding, key=_task_hours)


def _saves(course: Course, best: Course) -> bool:
    """Whether a floor saves enough in total and costs more in no part."""
    is_cheaper = _task_hours(course) <= (1 - LEAST_SAVING) * _task_hours(best)
    spares = _breached(best) > 0 and _breached(course) <= (1 - _LEAST_SPARED) * _breached(best)
    if not is_cheaper and not (spares and _task_hours(course) <= _task_hours(best)):
        return False
    days = len(best.days)
    ends = [days * part // _PARTS for part in range(_PARTS + 1)]
    return all(
        course.days.between(begin, end).task_hours.sum() <= best.days.between(begin, end).task_hours.sum()
        for begin, end in itertools.pairwise(ends)
    )


def _why(choice: Course, best: Course, found: Sequence[Course]) -> str:
    if choice is not best:
        return (
            f"with {choice.setting.floor.described()} it takes "  # type: ignore[union-attr]
            f"{1 - _task_hours(choice) / _task_hours(best):.0%} fewer task-hours than reactive scaling alone, and "
            f"{_breached(choice):,.0f} requests are beyond the limit instead of {_breached(best):,.0f}"
        )
    holding = [each for each in found if _breached(each) <= _breached(best) * (1 + 1e-9)]
    if not holding:
        return "a floor does not help: with each, more requests are beyond the limit than by reactive scaling alone"
    least = min(map(_task_hours, holding)) / _task_hours(best)
    if least > 1 - LEAST_SAVING:
        return f"a floor does not help: the cheapest that holds takes {least:.2f} of reactive scaling's task-hours"
    return "a floor does not help: none that holds saves task-hours in each third of the time"


def _breached(course: Course) -> float:
    return course.simulation.totals.breached_requests


def _task_hours(course: Course) -> float:
    return course.simulation.totals.task_hours
