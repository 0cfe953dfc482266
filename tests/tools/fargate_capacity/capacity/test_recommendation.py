import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.candidates import Grid, candidates, nothing_to_vary, read_numbers
from fargate_capacity.plan.foresight import highest_utilization, least_task_hours
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, simulate
from fargate_capacity.plan.sweep import sweep
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, Metric, StepBand, StepScaling, TargetTracking
from fargate_capacity.traffic.trace import Trace

MODEL = ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.02, drain_seconds=30, metric_delay_seconds=60)
GUARDRAIL = Guardrail(latency_seconds=0.5)
SCENARIO = Scenario(model=MODEL, guardrail=GUARDRAIL)
CURRENT = Setting(
    bounds=CapacityBounds(minimum=2, maximum=30),
    policies=(
        TargetTracking(target=40, scale_out_cooldown_s=60),
        StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=60),
    ),
)


def hours(simulation: Any) -> Any:
    return simulation.totals.task_hours


def test_recommends_the_cheapest_that_holds_and_says_why_not_the_others(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    tried = candidates(CURRENT, Grid(targets=[35, 48, 50, 95], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(days(11)), cost=hours)
    assert not found.keeps
    assert hours(found.chosen_first) < hours(found.current_first)
    assert found.chosen_held_out.totals.breach_minutes <= found.current_held_out.totals.breach_minutes
    assert len(found.rejected) == len(tried) - 2
    reasons = {each.simulation.setting.target: each.why for each in found.rejected}
    assert "more than the current setting" in reasons[35]
    assert "beyond the guardrail in" in reasons[95]


def test_keeps_what_there_is_where_nothing_is_better(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    tried = candidates(CURRENT, Grid(targets=[30, 97], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(days(11)), cost=hours)
    assert found.keeps
    assert found.chosen == CURRENT
    assert found.why == (
        "keep what you have: none of 2 candidates is cheaper and holds; no more history like this would change that"
    )
    assert (found.sureness, found.more_days) == (None, None)


def test_rejects_what_held_only_where_it_was_searched(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    requests = days(11)
    noon = 10 * 1440 + 720
    requests[noon : noon + 15] *= 1.2
    # 48 % holds there, too, but who tries one after the other on the held-out part chooses by it.
    tried = candidates(CURRENT, Grid(targets=[48, 55], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(requests), cost=hours, tolerance_percent=0.1)
    assert found.keeps
    reasons = {each.simulation.setting.target: each.why for each in found.rejected}
    assert "not on the held-out part" in reasons[55]
    assert "no second one is made" in reasons[48]
    assert found.more_days == 4
    assert found.added_held_out.percent > 0.1
    alone = candidates(CURRENT, Grid(targets=[48], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    assert not recommend(SCENARIO, alone, trace_of(requests), cost=hours, tolerance_percent=0.1).keeps


def test_keeps_what_there_is_where_history_is_too_short_to_choose_by(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    tried = candidates(CURRENT, Grid(targets=[50], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(days(6)), cost=hours)
    assert found.keeps
    assert "4.2 days are too few to choose by" in found.why
    assert "4 more days like these would do" in found.why
    assert found.more_days is not None
    assert not recommend(SCENARIO, tried, trace_of(days(6 + found.more_days)), cost=hours).keeps


def test_a_minute_more_beyond_the_limit_does_not_refuse_a_setting_but_requests_do(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    requests = days(20)
    noon = 3 * 1440 + 720
    requests[noon : noon + 15] *= 1.4
    tried = candidates(CURRENT, Grid(targets=[55], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(requests), cost=hours)
    assert not found.keeps
    assert found.chosen_first.totals.breach_minutes > found.current_first.totals.breach_minutes
    assert (found.sureness or 0) >= 0.95
    strict = recommend(SCENARIO, tried, trace_of(requests), cost=hours, tolerance_percent=0.001)
    assert strict.keeps
    assert "beyond the guardrail in 0." in strict.rejected[0].why


def test_shows_what_earlier_choices_came_to_and_refuses_where_they_came_to_harm(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    requests = days(24)
    tried = candidates(CURRENT, Grid(targets=[55], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    calm = recommend(SCENARIO, tried, trace_of(requests), cost=hours)
    assert [fold.start.day for fold in calm.folds] == [10, 12, 14, 16]
    assert [fold.end.day for fold in calm.folds[:-1]] == [12, 14, 16]
    assert not any(fold.keeps for fold in calm.folds)
    assert all(fold.saving > 0.05 for fold in calm.folds)
    assert all(fold.added.percent == 0 for fold in calm.folds)
    assert not calm.keeps
    # What was quiet until the first origin is no longer: 55 % is given up, but it was recommended before.
    for day in range(8, 17):
        requests[day * 1440 + 700 : day * 1440 + 760] *= 1.8
    tried = candidates(CURRENT, Grid(targets=[44, 55], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    harm = recommend(SCENARIO, tried, trace_of(requests), cost=hours, tolerance_percent=0.05)
    assert [fold.setting.target for fold in harm.folds] == [55, 44, 44, 44]
    assert harm.folds[0].added.percent > 0.05
    assert harm.keeps
    assert "what the same rule would have recommended earlier breached too much afterwards" in harm.why
    assert not recommend(SCENARIO, tried, trace_of(requests), cost=hours, tolerance_percent=0.1).keeps


def test_keeps_a_setting_of_no_task_that_nothing_can_be_cheaper_than(trace_of: Callable[..., Trace]) -> None:
    asleep = Setting(bounds=CapacityBounds(minimum=0, maximum=30), policies=(TargetTracking(target=40),))
    tried = candidates(asleep, Grid(targets=[50], minimums=[0, 1]))
    found = recommend(SCENARIO, tried, trace_of(np.zeros(11 * 1440)), cost=hours)
    assert found.keeps
    assert {each.why for each in found.rejected} == {"the current setting costs nothing"}
    assert all(fold.saving == 0 for fold in found.folds)


def test_the_frontier_has_what_nothing_undercuts_in_cost_and_breach(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    tried = candidates(CURRENT, Grid(targets=[35, 50, 95], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    frontier = recommend(SCENARIO, tried, trace_of(days(11)), cost=hours).frontier
    assert len(frontier) == len(tried)
    assert [point.cost for point in frontier] == sorted(point.cost for point in frontier)
    for point in frontier:
        undercut = any(
            other.cost < point.cost and other.breached_percent <= point.breached_percent for other in frontier
        )
        assert point.is_on_frontier is not undercut


def test_rejects_what_rests_on_one_reading_of_the_documentation(trace_of: Callable[..., Trace]) -> None:
    """Where a datapoint is multiplied by the tasks of now, a short scale-in cooldown makes tasks come and go."""
    requests = np.full(11 * 1440, 3000.0)
    for burst in range(200, len(requests), 720):
        requests[burst : burst + 15] *= 1.6
    steady = Setting(
        bounds=CapacityBounds(minimum=2, maximum=60),
        policies=(TargetTracking(target=45, scale_out_cooldown_s=60, scale_in_cooldown_s=1800),),
    )
    hasty = steady.with_target(50).with_scale_in_cooldown(60)
    trace = trace_of(requests)
    alone = [simulate(SCENARIO, setting, trace).totals for setting in (steady, hasty)]
    assert alone[1].task_hours < 0.95 * alone[0].task_hours
    assert alone[1].breach_minutes <= alone[0].breach_minutes
    found = recommend(SCENARIO, [steady, hasty], trace, cost=hours)
    assert found.keeps
    assert "rests on one reading of AWS's documentation: by the other" in found.rejected[0].why


def test_fails_when_nothing_says_what_must_not_happen(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    with pytest.raises(InputError, match="got no guardrail"):
        recommend(dataclasses.replace(SCENARIO, guardrail=None), [CURRENT], trace_of(days(6)), cost=hours)


def test_fails_when_the_trace_is_too_short(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    with pytest.raises(InputError, match="got 1440 minutes, allowed: at least 2880"):
        recommend(SCENARIO, [CURRENT], trace_of(days(1)), cost=hours)


def test_a_sweep_is_its_simulations_in_order_however_many_threads(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    trace = trace_of(days(3))
    settings = [CURRENT.with_target(target) for target in (30, 45, 60, 75, 90)]
    alone = [simulate(SCENARIO, setting, trace).totals.task_hours for setting in settings]
    for jobs in (1, 2, 3, 8):
        assert [hours(each) for each in sweep(SCENARIO, settings, trace, jobs=jobs)] == alone


def test_candidates_are_tried_once_and_the_current_one_first() -> None:
    tried = candidates(CURRENT, Grid())
    assert tried[0] == CURRENT
    assert len(set(tried)) == len(tried) == 72


def test_candidates_are_never_below_the_declared_minimum_unless_that_is_asked_for() -> None:
    assert {setting.bounds.minimum for setting in candidates(CURRENT, Grid())} == {2}
    assert {setting.bounds.minimum for setting in candidates(CURRENT, Grid(minimums=[1, 2]))} == {1, 2}


def test_says_which_options_have_nothing_to_vary() -> None:
    everything = Grid(
        targets=[50],
        spike_thresholds=[70],
        spike_tasks=[4],
        minimums=[2],
        scale_out_cooldowns_s=[30],
        scale_in_cooldowns_s=[30],
        high_resolutions=[False, True],
    )
    assert nothing_to_vary(CURRENT, everything) == ["--minimum: nothing to vary: this is what is declared"]
    assert nothing_to_vary(CURRENT, Grid()) == []
    without_spikes = CURRENT.without_spikes()
    assert nothing_to_vary(without_spikes, dataclasses.replace(everything, minimums=[3])) == [
        "--spike-threshold: nothing to vary: no step policy only adds tasks",
        "--spike-tasks: nothing to vary: no step policy adds a number of tasks",
    ]
    without_target = dataclasses.replace(CURRENT, policies=CURRENT.spikes)
    assert nothing_to_vary(without_target, dataclasses.replace(everything, minimums=[3])) == [
        f"{option}: nothing to vary: no policy tracks its CPU"
        for option in ("--target", "--scale-out-cooldown", "--scale-in-cooldown", "--high-resolution")
    ]


def test_tries_the_cpu_of_every_20_seconds_where_that_is_asked_for(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    grid = Grid(targets=[40, 55], spike_thresholds=[80], spike_tasks=[3], minimums=[2], high_resolutions=[False, True])
    tried = candidates(CURRENT, grid)
    assert [each.described().count("every 20 s") for each in tried] == [0, 1, 0, 1]
    quick = tried[1].policies[0]
    assert isinstance(quick, TargetTracking)
    assert (quick.metric, quick.high_periods) == (Metric.CPU_AVERAGE_HIGH_RESOLUTION, 1)
    assert tried[1].with_high_resolution(False) == CURRENT
    # The requests double within a minute: whoever sees it earlier breaches for less long.
    requests = days(1)
    requests[700:760] *= 2
    slow, fast = (simulate(SCENARIO, each, trace_of(requests)).totals.breach_minutes for each in tried[2:])
    assert 0 < fast < slow


def test_numbers() -> None:
    assert read_numbers("--target", "40:50:5") == [40, 45, 50]
    assert read_numbers("--target", "40,47.5") == [40, 47.5]
    assert read_numbers("--target", None) == []
    for text in ("", "a", "50:40:5", "40:50:0", "40:50"):
        with pytest.raises(InputError, match="--target: got"):
            read_numbers("--target", text)


def test_perfect_foresight_keeps_a_task_where_that_is_cheaper_than_its_next_start(
    trace_of: Callable[..., Trace],
) -> None:
    model = dataclasses.replace(MODEL, boot_seconds=2, health_check_seconds=0, drain_seconds=90)  # two minutes a start
    full = 1200 * highest_utilization(model, GUARDRAIL)
    one, two = 0.9 * full, 1.9 * full
    near = trace_of([two, one, two])
    assert least_task_hours(model, GUARDRAIL, near, minimum=1) == pytest.approx((2 + 2 + 2) / 60)
    far = trace_of([two, *[one] * 10, two])
    assert least_task_hours(model, GUARDRAIL, far, minimum=1) == pytest.approx((2 + 10 + 2 + 2) / 60)


def test_nothing_that_holds_is_below_perfect_foresight(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], trace_of: Callable[..., Trace]
) -> None:
    trace = trace_of(days(2))
    best = least_task_hours(MODEL, GUARDRAIL, trace, minimum=2)
    for setting in (CURRENT, CURRENT.with_target(20), CURRENT.with_minimum(25)):
        assert hours(simulate(SCENARIO, setting, trace)) > best


def test_fails_when_the_limit_is_below_what_a_request_takes() -> None:
    with pytest.raises(InputError, match="--latency-limit-ms: got 60, allowed: above 70"):
        highest_utilization(MODEL, Guardrail(latency_seconds=0.06))
