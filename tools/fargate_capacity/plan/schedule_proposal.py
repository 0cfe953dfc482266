"""Whether a readable schedule is nearly as good as a forecast floor: chosen on a trace's first part.

As for a recommended setting, the rest must confirm it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.added_breach import STRESS, WANTED_SURENESS, Tolerance, added_breach, sureness
from fargate_capacity.plan.figures import setting_as_json
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.floor_choice import LEAST_SAVING, look_backs, warm_up_days
from fargate_capacity.plan.schedule import Schedule
from fargate_capacity.plan.schedule_candidates import ScheduleCandidates
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.plan.sweep import Course, sweep_by_day
from fargate_capacity.traffic.trace import DAY_MINUTES, Trace

# The tolerated extra cost of a readable schedule, compared with the best floor.
NEARLY = 1.05
# The tolerated extra cost of a schedule with fewer lines.
_FEWER_LINES = 1.01
_LEAST_DAYS = 7
_LEAST_DAYS_FOR_WEEKENDS = 14
# CPU, percent, that the minimum aims at if no floors are given.
_UTILIZATIONS = (55.0, 65.0, 75.0)
_MOST_TARGETS = 6
_NO_HELP = "a schedule does not help"
_NOTHING_TO_RAISE = "at no time of the days do they need more than the declared minimum"

Cost = Callable[[Simulation], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleProposal:
    """The result of a search for a schedule.

    Args:
        schedule: the proposed schedule. None: none is proposed.
        setting: the setting with it. None: none is proposed.
        why: the reason, in a sentence.
        alone_rest: the cheapest setting without schedule or floor, on the held-out part.
        floor_rest: the cheapest with a floor. None: none met the tolerance on the first part.
        schedule_rest: the cheapest with a schedule. None: none met the tolerance on the first part.
    """

    schedule: Schedule | None
    setting: Setting | None
    why: str
    alone_rest: Simulation
    floor_rest: Simulation | None
    schedule_rest: Simulation | None

    def lines(self) -> list[str]:
        """The lines for the terminal: the reason, and a proposed schedule as cron lines and CDK code."""
        if self.schedule is None or self.setting is None:
            return [self.why]
        beside = self.setting.with_schedule(None).described()
        return [
            self.why,
            f"beside {beside}:",
            *(f"  {line}" for line in self.schedule.text()),
            "as code of the CDK, on what auto_scale_task_count() returned:",
            *(f"  {line}" for line in self.schedule.code()),
        ]

    def as_json(self) -> dict[str, Any]:
        """The proposal as JSON."""
        return {
            "why": self.why,
            "setting": None if self.setting is None else setting_as_json(self.setting.with_schedule(None)),
            "lines": [
                {"schedule": action.schedule, "time_zone": action.time_zone, "minimum": action.minimum}
                for action in (self.schedule.actions() if self.schedule else ())
            ],
            "cdk": [] if self.schedule is None else list(self.schedule.code()),
            "held_out": {
                name: None
                if simulation is None
                else {
                    "task_hours": simulation.totals.task_hours,
                    "requests": simulation.totals.requests,
                    "breached_requests": simulation.totals.breached_requests,
                }
                for name, simulation in (
                    ("alone", self.alone_rest),
                    ("floor", self.floor_rest),
                    ("schedule", self.schedule_rest),
                )
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSearch:
    """The settings of a search.

    Args:
        scenario: the service and its guardrail.
        current: the declared setting, with which candidates are compared.
        floors: floors to compare with. Default: floors with common settings.
        time_zone: the schedule's time zone, an IANA name.
        tolerance: the tolerated breaches in addition to those of the current setting.
        cost: returns the cost of a simulation.
    """

    scenario: Scenario
    current: Setting
    floors: Sequence[Floor] = ()
    time_zone: str = "UTC"
    tolerance: Tolerance
    cost: Cost

    def check(self, name: str, searched_days: float) -> None:
        """Checks that a schedule can be searched for.

        Raises:
            InputError: it cannot; the message says why.
        """
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise InputError(
                f"--schedule-time-zone: got {self.time_zone!r}, allowed: a name of the IANA database, as Europe/Berlin"
            ) from None
        if self.scenario.scheduled:
            raise InputError(
                f"--schedule: got {name}, whose scheduled actions set the bounds already, allowed: a service without; "
                "take them away, and ask again"
            )
        if self.current.floor is not None:
            raises = "predictive scaling" if self.current.floor.approximates else "forecast floor"
            raise InputError(
                f"--schedule: got {name}, whose {raises} raises its tasks, allowed: a service without, or with one "
                "that only forecasts"
            )
        if searched_days < _LEAST_DAYS:
            raise InputError(
                f"--schedule: got {searched_days:.1f} days before the held-out part, allowed: {_LEAST_DAYS} at least"
            )

    def proposal(
        self,
        traffic: Trace,
        *,
        base: Setting,
        reactive: Sequence[Setting],
        searched: float,
        jobs: int = 1,
        advance: Callable[[str], None] = lambda done: None,
    ) -> ScheduleProposal:
        """Searches for a schedule.

        Args:
            traffic: the whole traffic.
            base: the setting to which schedules are added, at its own target and some targets of `reactive`.
            reactive: settings without a schedule; a schedule must be cheaper than each of them that has no floor.
            searched: the share of the traffic on which the choice is made.
            jobs: number of threads. Default: 1.
            advance: called after each block of each thread.
        """
        cut = int(traffic.minutes * searched)
        days = cut / DAY_MINUTES
        floors = self.floors or [
            Floor(utilization=cpu, look_back=each, time_zone=self.time_zone)
            for cpu in _UTILIZATIONS
            for each in look_backs(days)
        ]
        alone = list(dict.fromkeys([self.current, *(each.with_floor(None) for each in reactive)]))
        some = _with_some_targets(base.with_floor(None), alone)
        candidates = ScheduleCandidates(
            self.scenario.model,
            self.current.bounds,
            traffic.part(0, cut),
            time_zone=self.time_zone,
            has_weekends=days >= _LEAST_DAYS_FOR_WEEKENDS,
        )
        schedules = candidates.made(sorted({floor.utilization for floor in floors}))
        with_floors = [each.with_floor(floor) for each in some for floor in floors]
        scheduled = [each.with_schedule(schedule) for each in some for schedule in schedules]
        warm = min(DAY_MINUTES * warm_up_days(with_floors), cut - DAY_MINUTES)
        first, rest = traffic.part(warm, cut - warm), traffic.part(cut, traffic.minutes - cut)
        courses = sweep_by_day(self.scenario, [*alone, *with_floors, *scheduled], first, jobs=jobs, advance=advance)
        sure = self._sure(courses, first, jobs=jobs, advance=advance)
        best_alone = self._cheapest([each for each in sure if _is_alone(each.setting)]) or courses[0]
        best_floor = self._cheapest([each for each in sure if each.setting.floor])
        best_schedule = self._readable([each for each in sure if each.setting.schedule])
        found = [each for each in (best_alone, best_floor, best_schedule) if each is not None]
        settings = dict.fromkeys([self.current, *(each.setting for each in found)])
        judged = {each.setting: each for each in sweep_by_day(self.scenario, list(settings), rest, jobs=jobs)}
        now, one = judged[self.current], judged[best_alone.setting]
        floor = None if best_floor is None else judged[best_floor.setting]
        schedule = None if best_schedule is None else judged[best_schedule.setting]
        is_proposed, why = (
            self._verdict(now, one, floor, schedule) if schedules else (False, f"{_NO_HELP}: {_NOTHING_TO_RAISE}")
        )
        return ScheduleProposal(
            schedule=best_schedule.setting.schedule if best_schedule is not None and is_proposed else None,
            setting=best_schedule.setting if best_schedule is not None and is_proposed else None,
            why=why,
            alone_rest=one.simulation,
            floor_rest=None if floor is None else floor.simulation,
            schedule_rest=None if schedule is None else schedule.simulation,
        )

    def _holds(self, course: Course, current: Course) -> bool:
        return added_breach(course.days, current.days).is_within(self.tolerance)

    def _sure(
        self, courses: Sequence[Course], first: Trace, *, jobs: int, advance: Callable[[str], None]
    ) -> list[Course]:
        """The candidates that are cheaper than the current one (the first) and as sure as a recommendation must be."""
        current = courses[0]
        limit = self.cost(current.simulation)
        holding = [each for each in courses if self.cost(each.simulation) < limit and self._holds(each, current)]
        settings = [current.setting, *(each.setting for each in holding)]
        busier, *stressed = sweep_by_day(self.scenario, settings, first.times(STRESS), jobs=jobs, advance=advance)
        found = sureness(
            [each.days for each in holding],
            current.days,
            [each.days for each in stressed],
            busier.days,
            self.tolerance,
        )
        return [each for each, share in zip(holding, found.tolist(), strict=True) if share >= WANTED_SURENESS]

    def _cheapest(self, courses: Sequence[Course]) -> Course | None:
        return min(courses, key=lambda each: self.cost(each.simulation), default=None)

    def _readable(self, courses: Sequence[Course]) -> Course | None:
        """The candidate with the fewest lines among those that cost nearly as little as the cheapest."""
        cheapest = self._cheapest(courses)
        if cheapest is None:
            return None
        limit = _FEWER_LINES * self.cost(cheapest.simulation)
        near = [each for each in courses if self.cost(each.simulation) <= limit]
        return min(near, key=lambda each: (_lines(each.setting), self.cost(each.simulation)))

    def _verdict(
        self, current: Course, alone: Course, floor: Course | None, schedule: Course | None
    ) -> tuple[bool, str]:
        """Whether the held-out part confirms the schedule, and the reason."""
        if schedule is None:
            return False, (
                f"{_NO_HELP}: none of them is cheaper than the current setting and {WANTED_SURENESS:.0%} sure to stay "
                "within the tolerance for four weeks"
            )
        if not self._holds(schedule, current):
            added = added_breach(schedule.days, current.days)
            return False, (
                f"{_NO_HELP}: the best on the searched part has {added.percent:+.2f} % of the requests "
                "beyond the limit on the held-out part, against the current setting"
            )
        # A setting that exceeds the tolerance on the rest is no comparison.
        without = alone if self._holds(alone, current) else current
        share = self._share(schedule, without)
        if share > 1 - LEAST_SAVING:
            return False, (
                f"{_NO_HELP}: on the held-out part it costs {share:.2f} of the cheapest without that "
                f"holds, at most {1 - LEAST_SAVING:.2f} wanted"
            )
        against = f"{share:.2f} of the cheapest without one that holds"
        if floor is None or not self._holds(floor, current):
            return True, f"a schedule helps: on the held-out part it costs {against}; no floor held there"
        of_floor = self._share(schedule, floor)
        if of_floor > NEARLY:
            return False, (
                f"a schedule is not nearly as good: on the held-out part it costs {against}, but {of_floor:.2f} of "
                f"the best forecast floor, at most {NEARLY:.2f} wanted"
            )
        return True, (
            f"a schedule is nearly as good: on the held-out part it costs {against}, and {of_floor:.2f} of the best "
            f"forecast floor, at most {NEARLY:.2f} wanted"
        )

    def _share(self, course: Course, other: Course) -> float:
        cost = self.cost(other.simulation)
        return self.cost(course.simulation) / cost if cost else 1.0


def _is_alone(setting: Setting) -> bool:
    return setting.floor is None and setting.schedule is None


def _lines(setting: Setting) -> int:
    return 0 if setting.schedule is None else len(setting.schedule.lines)


def _with_some_targets(base: Setting, settings: Sequence[Setting]) -> list[Setting]:
    """The setting itself and with targets spread over those of others, highest first."""
    targets = sorted({each.target for each in settings if each.target is not None}, reverse=True)
    step = max(1, -(-len(targets) // _MOST_TARGETS))
    return list(dict.fromkeys([base, *(base.with_target(target) for target in targets[::step])]))
