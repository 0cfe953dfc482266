"""A schedule that a person can read: what it comes to at each minute, how it is made, and when it is proposed."""

import itertools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import aws_cdk as cdk
import numpy as np
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fargate_capacity.cli import app
from fargate_capacity.commands import recommend as recommend_command
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.added_breach import Tolerance
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.schedule import Days, Schedule, ScheduleLine
from fargate_capacity.plan.schedule_candidates import MOST_LINES, ScheduleCandidates
from fargate_capacity.plan.schedule_proposal import ScheduleProposal, ScheduleSearch
from fargate_capacity.plan.schedule_steps import covering_steps
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, bounds_changes, simulate
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, ScheduledAction, TargetTracking
from fargate_capacity.traffic.trace import Trace

MODEL = ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.02, drain_seconds=30)
BOUNDS = CapacityBounds(minimum=2, maximum=30)
SAFE = Setting(bounds=BOUNDS, policies=(TargetTracking(target=30, scale_out_cooldown_s=60),))
WORKDAY = Schedule(
    lines=(
        ScheduleLine(days=Days.WEEKDAYS, minute=7 * 60 + 45, tasks=8),
        ScheduleLine(days=Days.WEEKDAYS, minute=18 * 60, tasks=2),
        ScheduleLine(days=Days.WEEKEND, minute=9 * 60, tasks=3),
    ),
    time_zone="Europe/Berlin",
)

lines = st.builds(
    ScheduleLine,
    days=st.sampled_from(list(Days)),
    # Midnight, and the hours in which clocks change, among others.
    minute=st.one_of(st.sampled_from([0, 1, 119, 120, 135, 150, 179, 180, 1439]), st.integers(0, 1439)),
    tasks=st.integers(1, 9),
)
schedules = st.builds(
    Schedule,
    lines=st.lists(lines, min_size=1, max_size=MOST_LINES).map(tuple),
    # Half an hour's change among them.
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"]),
)
# Before clocks change in each of these zones, and days on which none does.
starts = st.sampled_from([datetime(2027, month, day, tzinfo=UTC) for month, day in ((3, 13), (3, 27), (10, 2), (6, 1))])


def minimums(schedule: Any, start: Any, minutes: Any) -> Any:
    """By the code that replays scheduled actions."""
    bounds = CapacityBounds(minimum=0, maximum=99)
    changes = bounds_changes(bounds, schedule.actions(), start, start + timedelta(minutes=minutes))
    held = np.zeros(minutes)
    for change in changes:
        held[change.minute :] = change.bounds.minimum
    return held


def by_the_clock(schedule: Any, start: Any, minutes: Any) -> Any:
    """Minute by minute, as a person with a clock would: the line whose time it is holds from then on."""
    zone, now, held = ZoneInfo(schedule.time_zone), 0, []
    week = 8 * 1440
    for minute in range(-week, minutes):
        local = (start + timedelta(minutes=minute)).astimezone(zone)
        if not local.fold:
            for line in schedule.lines:
                if line.minute == local.hour * 60 + local.minute and line.days.have(local.weekday()):
                    now = line.tasks
        held.append(now)
    return held[week:]


@settings(max_examples=15, deadline=None)
@given(schedule=schedules, start=starts)
def test_each_minute_has_the_minimum_of_the_line_that_acted_last(schedule: Any, start: Any) -> None:
    assert minimums(schedule, start, 2 * 1440).tolist() == by_the_clock(schedule, start, 2 * 1440)


def test_eight_stays_eight_when_clocks_change_and_friday_holds_until_saturday() -> None:
    # From Friday on, with the clocks put forward on Sunday, 28 March 2027.
    held = minimums(WORKDAY, datetime(2027, 3, 26, tzinfo=UTC), 4 * 1440)
    changes = [(int(minute), int(held[minute])) for minute in np.flatnonzero(np.diff(held, prepend=-1))]
    friday, saturday, monday = 0, 1440, 3 * 1440
    assert changes == [
        (friday, 2),
        (friday + 6 * 60 + 45, 8),
        (friday + 17 * 60, 2),
        (saturday + 8 * 60, 3),
        (monday + 5 * 60 + 45, 8),
        (monday + 16 * 60, 2),
    ]


def test_a_line_in_an_hour_that_is_skipped_does_not_act_on_that_day() -> None:
    # Half an hour is skipped on Lord Howe Island, from 2:00 to 2:30: 15:30 UTC the day before.
    action = ScheduledAction(schedule="cron(15 2 * * ? *)", time_zone="Australia/Lord_Howe", minimum=3)
    start = datetime(2027, 10, 1, tzinfo=UTC)
    assert [f"{each:%d %H:%M}" for each in action.times(start, start + timedelta(days=4))] == [
        "01 15:45",
        "03 15:15",
        "04 15:15",
    ]


def test_its_code_for_the_cdk_makes_the_same_actions() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    task_count = applicationautoscaling.ScalableTarget(
        stack,
        "Count",
        service_namespace=applicationautoscaling.ServiceNamespace.ECS,
        scalable_dimension="ecs:service:DesiredCount",
        resource_id="service/shop/web",
        min_capacity=2,
        max_capacity=30,
    )
    for line in WORKDAY.code():
        exec(line, {"task_count": task_count, "cdk": cdk, "Schedule": applicationautoscaling.Schedule})
    (target,) = (
        cdk.assertions.Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalableTarget").values()
    )
    made = target["Properties"]["ScheduledActions"]
    assert [(each["Schedule"], each["Timezone"], each["ScalableTargetAction"]) for each in made] == [
        (action.schedule, "Europe/Berlin", {"MinCapacity": action.minimum}) for action in WORKDAY.actions()
    ]
    assert next(WORKDAY.text()) == "cron(45 7 ? * MON-FRI *)  Europe/Berlin  at least 8 tasks"


@settings(max_examples=60, deadline=None)
@given(needed=st.lists(st.integers(1, 5), min_size=2, max_size=7))
def test_no_steps_cover_a_day_for_less(needed: Any) -> None:
    slots = len(needed)
    for count, steps in covering_steps(needed, 4).items():
        level = {slot: steps[-1][1] for slot in range(slots)}
        for begin, tasks in steps:
            level.update(dict.fromkeys(range(begin, slots), tasks))
        assert len(steps) <= count
        assert all(level[slot] >= needed[slot] for slot in range(slots))
        others = (
            sum(
                max(needed[slot % slots] for slot in range(a, b)) * (b - a) for a, b in itertools.pairwise([*cuts, end])
            )
            for few in range(1, count + 1)
            for cuts in itertools.combinations(range(slots), few)
            for end in [cuts[0] + slots]
        )
        assert sum(level.values()) == min(others)


def sharp(days: Any, *, opens: int = 8, weekends: bool = True) -> Any:
    """Ten times as many requests for ten hours, without a ramp; the first day is a Monday."""
    minute = np.arange(days * 1440)
    is_open = (minute // 60 % 24 >= opens) & (minute // 60 % 24 < opens + 10)
    if not weekends:
        is_open &= minute // 1440 % 7 < 5
    return np.where(is_open, 6000.0, 600.0)


def test_what_weekdays_need_is_two_lines(trace_of: Callable[..., Trace]) -> None:
    traffic = trace_of(sharp(14, weekends=False))
    made = ScheduleCandidates(MODEL, BOUNDS, traffic, time_zone="Europe/Berlin", has_weekends=True).made([70])
    assert all(len(each.lines) <= MOST_LINES for each in made)
    # Five tasks' CPU at 70 % each, a quarter of an hour ahead; 8:00 UTC is 9:00 in Berlin.
    wanted = (
        ScheduleLine(days=Days.WEEKDAYS, minute=8 * 60 + 45, tasks=8),
        ScheduleLine(days=Days.WEEKDAYS, minute=19 * 60, tasks=2),
    )
    assert wanted in [each.lines for each in made]


def test_no_line_is_beyond_the_bounds(trace_of: Callable[..., Trace]) -> None:
    bounds = CapacityBounds(minimum=3, maximum=6)
    made = ScheduleCandidates(MODEL, bounds, trace_of(sharp(7)), time_zone="UTC", has_weekends=False).made([70])
    assert {line.tasks for each in made for line in each.lines} == {3, 6}


def search(**more: Any) -> ScheduleSearch:
    return ScheduleSearch(
        scenario=Scenario(model=MODEL, guardrail=Guardrail(latency_seconds=0.5)),
        current=SAFE,
        floors=[Floor(utilization=70)],
        tolerance=Tolerance(percent=0.1, give_up_seconds=60),
        cost=lambda simulation: simulation.totals.task_hours,
        **more,
    )


def proposal(traffic: Any) -> Any:
    return search().proposal(traffic, base=SAFE, reactive=[SAFE, SAFE.with_target(75)], searched=0.7)


def test_proposes_two_lines_where_they_are_nearly_as_good_as_a_floor(trace_of: Callable[..., Trace]) -> None:
    found = proposal(trace_of(sharp(14)))
    assert found.why.startswith("a schedule is nearly as good: on the held-out part it costs ")
    assert found.setting is not None
    assert (found.setting.target, found.setting.floor) == (75, None)
    assert [(line.clock, line.tasks) for line in found.schedule.lines] == [("07:45", 8), ("18:00", 2)]
    assert found.schedule_rest.totals.task_hours < 0.98 * found.alone_rest.totals.task_hours
    assert any(line.strip().startswith("cron(45 7 * * ? *)") for line in found.lines())
    report = found.as_json()
    assert report["lines"][1] == {"schedule": "cron(0 18 * * ? *)", "time_zone": "UTC", "minimum": 2}
    assert len(report["cdk"]) == 2
    assert report["held_out"]["floor"]["task_hours"] == found.floor_rest.totals.task_hours


def test_what_held_where_it_was_chosen_and_not_after_is_not_proposed(trace_of: Callable[..., Trace]) -> None:
    requests = sharp(14)
    later = int(0.7 * len(requests))
    requests[later:] = sharp(14, opens=5)[later:]
    found = proposal(trace_of(requests))
    assert found.schedule is None
    assert "a schedule does not help: the best on the searched part has +" in found.why
    assert found.lines() == [found.why]
    assert found.as_json()["lines"] == []


def test_says_that_there_is_nothing_to_raise(trace_of: Callable[..., Trace]) -> None:
    found = proposal(trace_of(np.full(14 * 1440, 600.0)))
    assert found.schedule is None
    assert found.why == ("a schedule does not help: at no time of the days do they need more than the declared minimum")


def test_recommend_shows_the_lines_and_writes_them(
    write_assembly: Callable[..., Path],
    resources: dict[str, Any],
    write_trace: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recommend_command, "draw", lambda *given, **more: None)
    drawing = SimpleNamespace(write_frontier=lambda *given, **more: (tmp_path, None))
    monkeypatch.setitem(sys.modules, "fargate_capacity.report.frontier_drawing", drawing)
    asked: dict[str, Any] = {}

    def found(self: Any, traffic: Any, **more: Any) -> ScheduleProposal:
        asked.update(more, zone=self.time_zone, tolerance=self.tolerance.percent, days=traffic.minutes / 1440)
        rest = simulate(self.scenario, more["base"], traffic.part(0, 60))
        setting = more["base"].with_schedule(WORKDAY)
        return ScheduleProposal(
            schedule=WORKDAY, setting=setting, why="so", alone_rest=rest, floor_rest=None, schedule_rest=rest
        )

    monkeypatch.setattr(ScheduleSearch, "proposal", found)
    arguments = ["recommend", str(write_assembly(resources)), "--trace", str(write_trace(sharp(11)))]
    arguments += ["--assume", "cpu_ms=50", "--latency-limit-ms", "500", "--target", "45", "--spike-threshold", "80"]
    arguments += ["--spike-tasks", "3", "--output", str(tmp_path / "out"), "--tolerance-percent", "0.2"]
    arguments += ["--schedule", "--schedule-time-zone", "Europe/Berlin"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert (asked["zone"], asked["tolerance"], asked["days"], asked["searched"]) == ("Europe/Berlin", 0.2, 11, 0.7)
    assert [each.target for each in asked["reactive"]] == [50, 45]
    report = json.loads((tmp_path / "out/recommend.json").read_text())["schedule"]
    assert report["lines"][0] == {
        "schedule": "cron(45 7 ? * MON-FRI *)",
        "time_zone": "Europe/Berlin",
        "minimum": 8,
    }
    assert all(line in done.output for line in [*WORKDAY.text(), *report["cdk"]])
    short = write_trace(sharp(9), name="short.csv")
    refused = CliRunner().invoke(app, [*arguments[:3], str(short), *arguments[4:]])
    assert refused.exit_code != 0
    assert "--schedule: got 6.3 days before the held-out part, allowed: 7 at least" in str(refused.exception)


def test_refuses_what_no_schedule_can_be_made_of() -> None:
    with pytest.raises(InputError, match=r"^--schedule-time-zone: got 'Mars/Base', allowed: a name of the IANA data"):
        search(time_zone="Mars/Base").check("Web", 20)
    with pytest.raises(InputError, match=r"^--schedule: got 6\.5 days before the held-out part, allowed: 7 at least$"):
        search().check("Web", 6.5)
    for approximates, raises in ((None, "forecast floor"), ("AWS's predictive scaling Ahead", "predictive scaling")):
        with pytest.raises(InputError, match=rf"^--schedule: got Web, whose {raises} raises its tasks, allowed: "):
            ScheduleSearch(
                scenario=Scenario(model=MODEL),
                current=SAFE.with_floor(Floor(utilization=60, approximates=approximates)),
                tolerance=Tolerance(give_up_seconds=60),
                cost=lambda simulation: 0.0,
            ).check("Web", 20)
    scheduled = Scenario(model=MODEL, scheduled=WORKDAY.actions())
    with pytest.raises(InputError, match=r"^--schedule: got Web, whose scheduled actions set the bounds already, "):
        ScheduleSearch(
            scenario=scheduled, current=SAFE, tolerance=Tolerance(give_up_seconds=60), cost=lambda simulation: 0.0
        ).check("Web", 20)
