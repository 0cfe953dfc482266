from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fargate_capacity.floor_decisions import FloorForecast, LoadHistory, LookBack
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.candidates import Grid, candidates
from fargate_capacity.plan.floor_backtest import Floor, FloorBacktest
from fargate_capacity.plan.floor_choice import choose, look_backs, warm_up_days
from fargate_capacity.plan.floor_options import read_holidays
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, simulate
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, StepBand, StepScaling, TargetTracking
from fargate_capacity.traffic.trace import Trace

MODEL = ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.02, drain_seconds=30)
SCENARIO = Scenario(model=MODEL, guardrail=Guardrail(latency_seconds=0.5))
BOUNDS = CapacityBounds(minimum=2, maximum=30)
SAFE = Setting(
    bounds=BOUNDS,
    policies=(
        TargetTracking(target=30, scale_out_cooldown_s=60),
        StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=60),
    ),
)
FLOOR = Floor(utilization=70)


def sharp(count: int, *, workdays_only: bool = False) -> np.ndarray:
    """Ten times as many requests from 8:00 to 18:00, without a ramp."""
    minute = np.arange(count * 1440)
    is_open = (minute // 60 % 24 >= 8) & (minute // 60 % 24 < 18)
    if workdays_only:
        is_open &= minute // 1440 % 7 < 5
    return np.where(is_open, 6000.0, 600.0)


def of_day(changes: Any, day: int) -> list[tuple[int, int]]:
    """The hour of the day in quarters, and the minimum from then on."""
    begin = day * 1440
    return [(each.minute - begin, each.bounds.minimum) for each in changes if begin <= each.minute < begin + 1440]


def test_a_floor_of_a_trace_is_what_the_function_forecasts(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of(sharp(5))
    changes = FloorBacktest(MODEL, trace).changes(FLOOR, BOUNDS)
    # Five tasks' CPU at 70 % each, half an hour ahead, once there are three days to look back on.
    assert min(each.minute for each in changes) == 3 * 1440 + 7 * 60 + 30
    assert of_day(changes, 4) == [(7 * 60 + 30, 8), (18 * 60, 2)]
    loads = sharp(5)[::15] * MODEL.cpu_seconds / 60 * 100
    known = LoadHistory(start=trace.start, loads=loads.tolist())
    moment = trace.start + timedelta(days=4, hours=7, minutes=30)
    assert FloorForecast(FLOOR.settings(BOUNDS), known, moment).tasks(moment) == 8


def test_a_part_of_a_trace_knows_what_came_before_it_and_nothing_later(trace_of: Callable[..., Trace]) -> None:
    requests = sharp(8)
    whole = trace_of(requests)
    part = whole.part(5 * 1440, 2 * 1440)
    assert of_day(FloorBacktest(MODEL, part).changes(FLOOR, BOUNDS), 0) == [(7 * 60 + 30, 8), (18 * 60, 2)]
    requests[5 * 1440 :] = 0
    quiet = trace_of(requests).part(5 * 1440, 1440)
    assert of_day(FloorBacktest(MODEL, quiet).changes(FLOOR, BOUNDS), 0) == [(7 * 60 + 30, 8), (18 * 60, 2)]
    assert FloorBacktest(MODEL, whole.part(0, 2 * 1440)).changes(FLOOR, BOUNDS) == []


def test_busier_traffic_was_busier_before_too(trace_of: Callable[..., Trace]) -> None:
    part = trace_of(sharp(6)).part(4 * 1440, 1440).times(2)
    assert (part.minutes, float(part.block(12 * 60, 1)[0])) == (1440, 12_000)
    assert of_day(FloorBacktest(MODEL, part).changes(FLOOR, BOUNDS), 0) == [(7 * 60 + 30, 15), (18 * 60, 2)]


def test_what_tasks_idle_is_part_of_the_load(trace_of: Callable[..., Trace]) -> None:
    idle = ServiceModel(vcpus=1, cpu_seconds=0.05, idle_percent=20)
    changes = FloorBacktest(idle, trace_of(sharp(5))).changes(FLOOR, BOUNDS)
    # 500 % of work at 70 - 20 % for each task.
    assert of_day(changes, 4)[0] == (7 * 60 + 30, 10)


def test_the_floor_is_there_before_the_load_and_nothing_breaches(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of(sharp(10))
    late, early = (
        simulate(SCENARIO, setting.with_target(60), trace.part(4 * 1440, 6 * 1440))
        for setting in (SAFE, SAFE.with_floor(FLOOR))
    )
    assert late.totals.breached_requests > 0
    assert early.totals.breached_requests == 0


def test_recommends_a_floor_where_it_saves_and_says_so(trace_of: Callable[..., Trace]) -> None:
    tried = candidates(SAFE, Grid(targets=[30, 75], spike_thresholds=[80], spike_tasks=[3], floors=[FLOOR]))
    assert len(tried) == 4
    found = recommend(
        SCENARIO, tried, trace_of(sharp(15)), cost=lambda each: each.totals.task_hours, tolerance_percent=0.0
    )
    assert found.chosen == SAFE.with_target(75).with_floor(FLOOR)
    assert found.floor is not None
    assert found.floor.startswith("a forecast floor helps: it costs ")
    assert "a floor for 70 % by the same time of the last 7 days, 30 minutes ahead" in found.chosen.described()


def test_says_that_a_floor_does_not_help_where_it_does_not(trace_of: Callable[..., Trace]) -> None:
    tried = candidates(SAFE, Grid(targets=[30, 50], spike_thresholds=[80], spike_tasks=[3], floors=[FLOOR]))
    flat = np.full(15 * 1440, 6000.0)
    found = recommend(SCENARIO, tried, trace_of(flat), cost=lambda each: each.totals.task_hours)
    assert found.chosen == SAFE.with_target(50)
    assert found.floor is not None
    assert found.floor.startswith("a forecast floor does not help: the cheapest with one that holds costs 1.00")


def test_the_days_before_there_can_be_a_floor_judge_nothing(trace_of: Callable[..., Trace]) -> None:
    tried = candidates(SAFE, Grid(targets=[75], spike_thresholds=[80], spike_tasks=[3], floors=[FLOOR]))
    assert warm_up_days(tried) == 3
    assert warm_up_days([SAFE.with_floor(Floor(utilization=70, look_back=LookBack.WEEKS))]) == 14
    found = recommend(SCENARIO, tried, trace_of(sharp(12)), cost=lambda each: each.totals.task_hours)
    assert found.keeps
    assert "5.4 days are too few" in found.why
    assert "the first 3, by which a floor is forecast" in found.why
    assert found.more_days == 3


@pytest.mark.parametrize("seed", [1, 2])
def test_a_choice_is_never_worse_in_both_figures(trace_of: Callable[..., Trace], seed: int) -> None:
    """On traffic that changes its habits after the choice."""
    random = np.random.default_rng(seed)
    requests = sharp(12) * random.uniform(0.7, 1.3, size=(12, 1)).repeat(1440, axis=1).ravel()
    requests[8 * 1440 :] = np.roll(requests[8 * 1440 :], 6 * 60)
    reactive = candidates(SAFE, Grid(targets=[30, 60], spike_thresholds=[80], spike_tasks=[3]))
    with_floors = [SAFE.with_target(target).with_floor(FLOOR) for target in (75,)]
    found = choose(SCENARIO, reactive, with_floors, trace_of(requests), searched=0.6)
    chosen, best = found.chosen_rest.totals, found.best_rest.totals
    assert chosen.task_hours <= best.task_hours or chosen.breached_requests <= best.breached_requests


def test_chooses_a_floor_on_the_first_part_or_says_why_not(trace_of: Callable[..., Trace]) -> None:
    reactive = candidates(SAFE, Grid(targets=[30, 60], spike_thresholds=[80], spike_tasks=[3]))
    with_floors = [SAFE.with_target(75).with_floor(FLOOR)]
    # Within 20 minutes, which a low target alone is quick enough for.
    rising = np.convolve(sharp(10), np.ones(20) / 20, "same")
    found = choose(SCENARIO, reactive, with_floors, trace_of(rising), searched=0.6)
    assert found.helps
    assert found.chosen_rest.totals.task_hours < 0.98 * found.best_rest.totals.task_hours
    assert found.chosen_rest.totals.breached_requests <= found.best_rest.totals.breached_requests
    assert "fewer task-hours than reactive scaling alone" in found.why
    flat = choose(SCENARIO, reactive, with_floors, trace_of(np.full(10 * 1440, 6000.0)), searched=0.6)
    assert not flat.helps
    assert flat.chosen == flat.best
    assert "a floor does not help" in flat.why


def test_weeks_are_tried_where_there_are_enough() -> None:
    assert look_backs(27) == [LookBack.DAYS]
    assert look_backs(28) == [LookBack.DAYS, LookBack.WEEKS]


def test_holidays_are_read_a_day_a_line(tmp_path: Path) -> None:
    path = tmp_path / "holidays.txt"
    path.write_text("# closed\n2026-12-25 Christmas\n\n2027-01-01,New Year\n")
    assert read_holidays(path) == {date(2026, 12, 25), date(2027, 1, 1)}
    assert read_holidays(None) == frozenset()
    path.write_text("2026-12-25\nsoon\n")
    with pytest.raises(InputError, match="got 'soon' in line 2"):
        read_holidays(path)
    with pytest.raises(InputError, match="allowed: a file"):
        read_holidays(tmp_path / "none")
