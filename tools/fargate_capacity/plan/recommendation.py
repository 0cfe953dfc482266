"""Finds the cheapest setting that breaches little more than the current one with high probability, and a reason for
each rejected candidate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.added_breach import (
    DEFAULT_TOLERANCE_PERCENT,
    STRESS,
    WANTED_SURENESS,
    AddedBreach,
    Days,
    Tolerance,
    added_breach,
    days_to_be_sure,
    described_sureness,
    sureness,
)
from fargate_capacity.plan.floor_choice import LEAST_SAVING, warm_up_days
from fargate_capacity.plan.recommended import Fold, FrontierPoint, Recommendation, Rejection
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.plan.sweep import Course, sweep_by_day
from fargate_capacity.traffic.trace import DAY_MINUTES, Trace

# A smaller saving is within the model's error.
_LEAST_SAVING = 0.01
_LEAST_MINUTES = 2 * DAY_MINUTES
# One week: each weekday once.
_LEAST_DAYS = 7
# Shares of the searched part: after each, the choice is repeated and applied until the next.
_ORIGINS = (4 / 8, 5 / 8, 6 / 8, 7 / 8)

Cost = Callable[[Simulation], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """All candidates on the searched part, and the cheaper ones also with more requests."""

    courses: Sequence[Course]
    stressed: dict[int, Course]
    origins: Sequence[int]
    cost: Cost
    tolerance: Tolerance

    @property
    def days(self) -> int:
        """The days of the searched part."""
        return len(self.courses[0].days)

    def sure(self, indices: Sequence[int], days: int | None = None) -> dict[int, float]:
        """The probability of each candidate to stay within the tolerance, by the first days or all days."""

        def seen(course: Course) -> Days:
            return course.days.between(0, days or self.days)

        found = sureness(
            [seen(self.courses[index]) for index in indices],
            seen(self.courses[0]),
            [seen(self.stressed[index]) for index in indices],
            seen(self.stressed[0]),
            self.tolerance,
        )
        return dict(zip(indices, found.tolist(), strict=True))

    def cheaper(self) -> list[int]:
        """The candidates that are cheaper than the current setting by more than the model's error, cheapest first."""
        return self._cheaper([course.simulation for course in self.courses])

    def cheaper_before(self, origin: int) -> list[int]:
        """The same, using only the days before an origin."""
        return self._cheaper([course.before(origin) for course in self.courses])

    def _cheaper(self, simulations: Sequence[Simulation]) -> list[int]:
        costs = [self.cost(each) for each in simulations]
        found = [index for index, each in enumerate(costs) if each < costs[0] * (1 - _LEAST_SAVING)]

        def weighed(index: int) -> float:
            # A floor adds a function to operate: it must save enough compared with no floor.
            return costs[index] / (1 - LEAST_SAVING) if simulations[index].setting.floor else costs[index]

        return sorted(found, key=weighed)

    def folds(self, first: Trace) -> list[Fold]:
        """The choice at each origin, and its result until the next."""
        found = []
        for origin, end in zip(self.origins, [*self.origins, self.days][1:], strict=True):
            cheaper = self.cheaper_before(origin)
            sure = self.sure(cheaper, origin)
            choice = next((index for index in cheaper if sure[index] >= WANTED_SURENESS), 0)
            found.append(
                Fold(
                    start=first.start + timedelta(days=origin),
                    end=min(first.start + timedelta(days=end), first.end),
                    setting=self.courses[choice].setting,
                    keeps=choice == 0,
                    days=self.courses[choice].days.between(origin, end),
                    current_days=self.courses[0].days.between(origin, end),
                )
            )
        return found


def recommend(
    scenario: Scenario,
    candidates: Sequence[Setting],
    trace: Trace,
    *,
    cost: Cost,
    held_out: float = 0.3,
    tolerance_percent: float = DEFAULT_TOLERANCE_PERCENT,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda done: None,
) -> Recommendation:
    """Chooses on the first part of the trace. If the rest does not confirm the choice, the current setting is kept.

    A candidate is chosen if over four weeks it stays within the tolerance, compared with the current setting, in
    breached requests and in their wait, by both readings of AWS's documentation. The choices that the same rule would
    have made earlier, each applied until the next, must also have stayed within the tolerance.

    Args:
        scenario: the service and its guardrail.
        candidates: the current setting first.
        trace: the traffic.
        cost: the cost to minimise.
        held_out: the share at the trace's end that the choice does not use.
        tolerance_percent: additional requests that may be beyond the limit, percent of all requests.
        jobs: number of threads. Default: 1.
        advance: called after each replayed block. Default: none.

    Raises:
        InputError: no guardrail, or a trace too short to be split.
    """
    if scenario.guardrail is None:
        raise InputError(
            "got no guardrail, allowed: --latency-limit-ms; without one the cheapest is always the slowest"
        )
    if trace.minutes < _LEAST_MINUTES:
        raise InputError(
            f"{trace.name}: got {trace.minutes} minutes, allowed: at least {_LEAST_MINUTES} to search and verify"
        )
    if not 0 < held_out < 1:
        raise InputError(f"--held-out: got {held_out:g}, allowed: a share between 0 and 1")
    if not 0 <= tolerance_percent < 100:
        raise InputError(f"--tolerance-percent: got {tolerance_percent:g}, allowed: 0 to below 100")
    tolerance = Tolerance(percent=tolerance_percent, give_up_seconds=scenario.model.give_up_seconds)
    cut = int(trace.minutes * (1 - held_out))
    # Days before a floor can exist are not evaluated: all candidates are compared on the same days.
    warm_up = warm_up_days(candidates)
    searched = max(cut - warm_up * DAY_MINUTES, DAY_MINUTES)
    first, rest = trace.part(cut - searched, searched), trace.part(cut, trace.minutes - cut)
    days = -(-searched // DAY_MINUTES)
    origins = sorted({int(days * share) for share in _ORIGINS if int(days * share) >= _LEAST_DAYS})
    courses = sweep_by_day(scenario, candidates, first, origins=origins, jobs=jobs, advance=advance)
    search = _Search(courses=courses, stressed={}, origins=origins, cost=cost, tolerance=tolerance)
    cheaper = search.cheaper()
    stressed = sorted({0, *cheaper}.union(*(search.cheaper_before(origin) for origin in origins)))
    busier = first.times(STRESS)
    swept = sweep_by_day(scenario, [candidates[index] for index in stressed], busier, jobs=jobs, advance=advance)
    search.stressed.update(zip(stressed, swept, strict=True))
    sure = search.sure(cheaper)
    folds = search.folds(first)

    reasons: dict[int, str] = {}
    other: dict[int, Course] = {}
    choice = 0
    for index in [index for index in cheaper if sure[index] >= WANTED_SURENESS]:
        reasons[index] = _why_not_by_the_other_reading(scenario, search, index, first, other)
        if not reasons[index]:
            choice = index
            break
    verdict = _Verdict(scenario, search, choice, first, rest, other, jobs)
    refused, more_days = "", None
    if searched < _LEAST_DAYS * DAY_MINUTES:
        refused = (
            f"{searched / DAY_MINUTES:.1f} days are too few to choose by, which takes {_LEAST_DAYS} besides the "
            f"held-out part{f' and the first {warm_up}, by which a floor is forecast' if warm_up else ''}"
        )
        more_days = math.ceil((_LEAST_DAYS + warm_up) / (1 - held_out) - trace.minutes / DAY_MINUTES)
    elif choice:
        refused = _why_not_by_the_folds(folds, tolerance) or verdict.why_not()
        # The held-out part has been used: only days in neither part can evaluate the next choice.
        more_days = math.ceil(rest.minutes / DAY_MINUTES) if refused else None
    else:
        more_days = _more_days(search, cheaper, held_out)
    chosen = 0 if refused else choice

    current = courses[0].simulation
    rejected = [
        Rejection(
            simulation=course.simulation,
            cost=cost(course.simulation),
            why=_why_not(search, index, sure, reasons, choice=choice, refused=refused),
        )
        for index, course in enumerate(courses)
        if index not in (0, chosen)
    ]
    if chosen:
        saving = 1 - cost(verdict.chosen_rest.simulation) / cost(verdict.current_rest.simulation)
        why = (
            f"the cheapest of {len(candidates)} that holds; on the held-out part it saves {saving:.0%}. It is "
            f"{described_sureness(verdict.sureness)} sure to stay within {tolerance.described()}, over four weeks"
        )
    else:
        why = _why_keep(len(candidates) - 1, refused, more_days, is_any_cheaper=bool(cheaper))
    return Recommendation(
        chosen=courses[chosen].setting,
        keeps=not chosen,
        why=why,
        current_first=current,
        chosen_first=courses[chosen].simulation,
        current_held_out=verdict.current_rest.simulation,
        chosen_held_out=(verdict.chosen_rest if chosen else verdict.current_rest).simulation,
        rejected=tuple(sorted(rejected, key=lambda each: each.cost)),
        allowed_breach_minutes=current.totals.breach_minutes,
        tolerance=tolerance,
        sureness=verdict.sureness if chosen else None,
        added_held_out=added_breach(verdict.chosen_rest.days, verdict.current_rest.days),
        folds=tuple(folds),
        frontier=_frontier(search),
        more_days=more_days,
        floor=_floor_verdict(search, sure, reasons, chosen=chosen, refused=refused),
    )


class _Verdict:
    """The evaluation of a choice on the held-out part, and on all days."""

    def __init__(
        self,
        scenario: Scenario,
        search: _Search,
        choice: int,
        first: Trace,
        rest: Trace,
        other: dict[int, Course],
        jobs: int,
    ) -> None:
        self._search = search
        self._choice = choice
        settings = [search.courses[index].setting for index in dict.fromkeys((0, choice))]
        jobs = min(jobs, len(settings))

        def replayed(which: Scenario, trace: Trace) -> tuple[Course, Course]:
            found = sweep_by_day(which, settings, trace, jobs=jobs)
            return found[0], found[-1]

        self.current_rest, self.chosen_rest = replayed(scenario, rest)
        self.sureness = 1.0
        self._others: tuple[Course, Course] | None = None
        if choice:
            self._others = replayed(scenario.by_other_reading, rest)
            stressed = replayed(scenario, rest.times(STRESS))
            pairs = zip((0, choice), (self.current_rest, self.chosen_rest), stressed, strict=True)
            joined = [
                (search.courses[index].days.joined(seen.days), search.stressed[index].days.joined(busier.days))
                for index, seen, busier in pairs
            ]
            (current, busier_current), (chosen, busier_chosen) = joined
            self.sureness = float(sureness([chosen], current, [busier_chosen], busier_current, search.tolerance)[0])

    def why_not(self) -> str:
        """The reason why the choice is not recommended; empty if it is."""
        tolerance, cost = self._search.tolerance, self._search.cost
        added = added_breach(self.chosen_rest.days, self.current_rest.days)
        if not added.is_within(tolerance):
            return f"held where it was searched, but not on the held-out part: {_described(added)}"
        if cost(self.chosen_rest.simulation) >= cost(self.current_rest.simulation):
            return "cheaper where it was searched, but not on the held-out part"
        if self.sureness < WANTED_SURENESS:
            return f"sure where it was searched, but with the held-out part {_unsure(self.sureness)}"
        assert self._others is not None
        before, after = self._others
        added = added_breach(after.days, before.days)
        if not added.is_within(tolerance):
            return (
                f"rests on one reading of AWS's documentation: by the other, on the held-out part, {_described(added)}"
            )
        if cost(after.simulation) >= cost(before.simulation):
            return "rests on one reading of AWS's documentation: by the other it is no cheaper on the held-out part"
        return ""


def _why_not_by_the_other_reading(
    scenario: Scenario, search: _Search, index: int, first: Trace, replayed: dict[int, Course]
) -> str:
    """The reason if a setting meets the tolerance by only one reading of AWS's documentation; empty if by both."""
    missing = [each for each in (0, index) if each not in replayed]
    found = sweep_by_day(scenario.by_other_reading, [search.courses[each].setting for each in missing], first)
    replayed.update(zip(missing, found, strict=True))
    before, after = replayed[0], replayed[index]
    added = added_breach(after.days, before.days)
    if not added.is_within(search.tolerance):
        return f"rests on one reading of AWS's documentation: by the other, on the searched part, {_described(added)}"
    sure = sureness(
        [after.days], before.days, [search.stressed[index].days], search.stressed[0].days, search.tolerance
    )[0]
    if sure < WANTED_SURENESS:
        return f"rests on one reading of AWS's documentation: by the other it is {_unsure(float(sure))}"
    if search.cost(after.simulation) >= search.cost(before.simulation):
        return "rests on one reading of AWS's documentation: by the other it is no cheaper on the searched part"
    return ""


def _why_not_by_the_folds(folds: Sequence[Fold], tolerance: Tolerance) -> str:
    """The reason not to trust the rule on this traffic: its earlier choices breached too much."""
    if not folds:
        return ""
    days, current = folds[0].days, folds[0].current_days
    for fold in folds[1:]:
        days, current = days.joined(fold.days), current.joined(fold.current_days)
    together = added_breach(days, current)
    if together.is_within(tolerance):
        return ""
    return f"what the same rule would have recommended earlier breached too much afterwards: {_described(together)}"


def _why_not(
    search: _Search, index: int, sure: dict[int, float], reasons: dict[int, str], *, choice: int, refused: str
) -> str:
    current, course = search.courses[0], search.courses[index]
    one, before = course.simulation.totals, current.simulation.totals
    cost, current_cost = search.cost(course.simulation), search.cost(current.simulation)
    added = added_breach(course.days, current.days)
    if added.percent > search.tolerance.percent:
        return (
            f"beyond the guardrail in {_percent(one.breached_requests, one.requests)} of the requests, the current "
            f"setting in {_percent(before.breached_requests, before.requests)}; worst "
            f"{1000 * one.worst_latency_s:,.0f} ms"
        )
    if not added.is_within(search.tolerance):
        return (
            f"requests beyond the guardrail wait longer: {1000 * added.seconds_per_request:,.0f} ms more beyond it as "
            "a mean over all requests"
        )
    if not current_cost:
        return "the current setting costs nothing"
    if cost >= current_cost:
        return f"costs {cost / current_cost - 1:.0%} more than the current setting"
    if index not in sure:
        return f"saves less than {_LEAST_SAVING:.0%}"
    if index == choice:
        return refused
    if sure[index] < WANTED_SURENESS:
        return _unsure(sure[index])
    if reasons.get(index):
        return reasons[index]
    difference = cost / search.cost(search.courses[choice].simulation) - 1
    if refused:
        return f"costs {difference:.1%} more than the first choice, which is not recommended; no second one is made"
    return f"holds, but costs {difference:.1%} more than the recommended one"


def _why_keep(others: int, refused: str, more_days: int | None, *, is_any_cheaper: bool) -> str:
    if not others:
        return "keep what you have: there is nothing to vary"
    why = refused or f"none of {others} candidates is cheaper and holds"
    if more_days is not None:
        more = f"; {more_days} more days like these would do"
    elif is_any_cheaper:
        more = "; no more history like this would change that"
    else:
        more = ""
    return f"keep what you have: {why}{more}"


def _more_days(search: _Search, cheaper: Sequence[int], held_out: float) -> int | None:
    """The number of further days after which a candidate that meets the tolerance so far would be sure enough."""
    current, busier = search.courses[0].days, search.stressed[0].days
    found = []
    for index in cheaper:
        days = search.courses[index].days
        if added_breach(days, current).is_within(search.tolerance):
            more = days_to_be_sure(days, current, search.stressed[index].days, busier, search.tolerance)
            if more is not None:
                found.append(more)
    # A part of the further history is held out too.
    return round(min(found) / (1 - held_out)) if found else None


def _frontier(search: _Search) -> tuple[FrontierPoint, ...]:
    points = []
    for course in search.courses:
        each = course.simulation
        breached = 100 * each.totals.breached_requests / max(each.totals.requests, 1.0)
        points.append((search.cost(each), breached, each))
    found: list[FrontierPoint] = []
    least = math.inf
    for cost, breached, each in sorted(points, key=lambda point: point[:2]):
        found.append(
            FrontierPoint(simulation=each, cost=cost, breached_percent=breached, is_on_frontier=breached < least)
        )
        least = min(least, breached)
    return tuple(found)


def _floor_verdict(
    search: _Search, sure: dict[int, float], reasons: dict[int, str], *, chosen: int, refused: str
) -> str | None:
    """Whether a floor helps, compared with the cheapest setting without one that meets the tolerance."""
    settings = [course.setting for course in search.courses]
    costs = [search.cost(course.simulation) for course in search.courses]
    if len({each.floor for each in settings}) == 1:
        return None
    holding = [
        index for index in range(len(settings)) if sure.get(index, 0.0) >= WANTED_SURENESS and not reasons.get(index)
    ]
    without = min([0, *(each for each in holding if not settings[each].floor)], key=lambda index: costs[index])
    if settings[chosen].floor:
        # Candidates were not evaluated after a cheaper one met the tolerance; their cost is at least a bound.
        saving = 1 - costs[chosen] / costs[without] if costs[without] else 0.0
        return f"a forecast floor helps: it costs {saving:.0%} less than the cheapest without one that holds"
    if refused:
        return "a forecast floor is not recommended either: see above why nothing is"
    with_floor = [each for each in holding if settings[each].floor]
    if not with_floor:
        return "a forecast floor does not help: with none of them the setting is cheaper than now and holds"
    least = min(costs[each] for each in with_floor) / costs[chosen] if costs[chosen] else 1.0
    return (
        f"a forecast floor does not help: the cheapest with one that holds costs {least:.2f} of what is recommended, "
        f"at most {1 - LEAST_SAVING:.2f} wanted"
    )


def _described(added: AddedBreach) -> str:
    return (
        f"{added.percent:+.2f} % of the requests beyond the limit against the current setting, and "
        f"{1000 * added.seconds_per_request:+,.0f} ms beyond it as a mean over all requests"
    )


def _unsure(sure: float) -> str:
    return (
        f"{described_sureness(sure)} sure to stay within the tolerance for four weeks, "
        f"{described_sureness(WANTED_SURENESS)} wanted"
    )


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / max(whole, 1.0):.2f} %"
