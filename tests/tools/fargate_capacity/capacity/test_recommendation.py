import dataclasses

import numpy as np
import pytest
from scaling_decisions import CapacityBounds, Metric, StepBand, StepScaling, TargetTracking

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.candidates import Grid, candidates, read_numbers
from fargate_capacity.plan.foresight import highest_utilization, least_task_hours
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, simulate
from fargate_capacity.plan.sweep import sweep
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel

MODEL = ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.02, drain_seconds=30, metric_delay_seconds=60)
SCENARIO = Scenario(model=MODEL, guardrail=Guardrail(latency_seconds=0.5))
CURRENT = Setting(
    bounds=CapacityBounds(minimum=2, maximum=30),
    policies=(
        TargetTracking(target=40, scale_out_cooldown_s=60),
        StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=60),
    ),
)


def hours(simulation):
    return simulation.totals.task_hours


def test_recommends_the_cheapest_that_holds_and_says_why_not_the_others(days, trace_of):
    tried = candidates(CURRENT, Grid(targets=[35, 48, 50, 95], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(days(6)), cost=hours)
    assert not found.keeps
    assert hours(found.chosen_first) < hours(found.current_first)
    assert found.chosen_held_out.totals.breach_minutes <= found.current_held_out.totals.breach_minutes
    assert len(found.rejected) == len(tried) - 2
    reasons = {each.simulation.setting.target: each.why for each in found.rejected}
    assert "more than the current setting" in reasons[35]
    assert "beyond the guardrail in" in reasons[95]


def test_keeps_what_there_is_where_nothing_is_better(days, trace_of):
    tried = candidates(CURRENT, Grid(targets=[30, 97], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(days(6)), cost=hours)
    assert found.keeps
    assert found.chosen == CURRENT
    assert found.why == "keep what you have: none of 2 candidates is cheaper and holds"


def test_rejects_what_held_only_where_it_was_searched(days, trace_of):
    requests = days(6)
    noon = 5 * 1440 + 720
    requests[noon : noon + 15] *= 1.4
    tried = candidates(CURRENT, Grid(targets=[55], spike_thresholds=[80], spike_tasks=[3], minimums=[2]))
    found = recommend(SCENARIO, tried, trace_of(requests), cost=hours)
    assert found.keeps
    assert "not on the held-out part" in found.rejected[0].why


def test_rejects_what_rests_on_one_reading_of_the_documentation(trace_of):
    """Where a datapoint is multiplied by the tasks of now, a short scale-in cooldown makes tasks come and go."""
    requests = np.full(6 * 1440, 3000.0)
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


def test_fails_when_nothing_says_what_must_not_happen(days, trace_of):
    with pytest.raises(InputError, match="got no guardrail"):
        recommend(dataclasses.replace(SCENARIO, guardrail=None), [CURRENT], trace_of(days(6)), cost=hours)


def test_fails_when_the_trace_is_too_short(days, trace_of):
    with pytest.raises(InputError, match="got 1440 minutes, allowed: at least 2880"):
        recommend(SCENARIO, [CURRENT], trace_of(days(1)), cost=hours)


def test_a_sweep_is_its_simulations_in_order_however_many_threads(days, trace_of):
    trace = trace_of(days(3))
    settings = [CURRENT.with_target(target) for target in (30, 45, 60, 75, 90)]
    alone = [simulate(SCENARIO, setting, trace).totals.task_hours for setting in settings]
    for jobs in (1, 2, 3, 8):
        assert [hours(each) for each in sweep(SCENARIO, settings, trace, jobs=jobs)] == alone


def test_candidates_are_tried_once_and_the_current_one_first():
    tried = candidates(CURRENT, Grid())
    assert tried[0] == CURRENT
    assert len(set(tried)) == len(tried) > 100
    assert {setting.bounds.minimum for setting in tried} == {1, 2}


def test_tries_the_cpu_of_every_20_seconds_where_that_is_asked_for(days, trace_of):
    grid = Grid(targets=[40, 55], spike_thresholds=[80], spike_tasks=[3], minimums=[2], high_resolutions=[False, True])
    tried = candidates(CURRENT, grid)
    assert [each.described().count("every 20 s") for each in tried] == [0, 1, 0, 1]
    quick = tried[1].policies[0]
    assert (quick.metric, quick.high_periods) == (Metric.CPU_AVERAGE_HIGH_RESOLUTION, 1)
    assert tried[1].with_high_resolution(False) == CURRENT
    # The requests double within a minute: whoever sees it earlier breaches for less long.
    requests = days(1)
    requests[700:760] *= 2
    slow, fast = (simulate(SCENARIO, each, trace_of(requests)).totals.breach_minutes for each in tried[2:])
    assert 0 < fast < slow


def test_numbers():
    assert read_numbers("--target", "40:50:5") == [40, 45, 50]
    assert read_numbers("--target", "40,47.5") == [40, 47.5]
    assert read_numbers("--target", None) == []
    for text in ("", "a", "50:40:5", "40:50:0", "40:50"):
        with pytest.raises(InputError, match="--target: got"):
            read_numbers("--target", text)


def test_perfect_foresight_keeps_a_task_where_that_is_cheaper_than_its_next_start(trace_of):
    model = dataclasses.replace(MODEL, boot_seconds=2, health_check_seconds=0, drain_seconds=90)  # two minutes a start
    guardrail = SCENARIO.guardrail
    full = 1200 * highest_utilization(model, guardrail)
    one, two = 0.9 * full, 1.9 * full
    near = trace_of([two, one, two])
    assert least_task_hours(model, guardrail, near, minimum=1) == pytest.approx((2 + 2 + 2) / 60)
    far = trace_of([two, *[one] * 10, two])
    assert least_task_hours(model, guardrail, far, minimum=1) == pytest.approx((2 + 10 + 2 + 2) / 60)


def test_nothing_that_holds_is_below_perfect_foresight(days, trace_of):
    trace = trace_of(days(2))
    best = least_task_hours(MODEL, SCENARIO.guardrail, trace, minimum=2)
    for setting in (CURRENT, CURRENT.with_target(20), CURRENT.with_minimum(25)):
        assert hours(simulate(SCENARIO, setting, trace)) > best


def test_fails_when_the_limit_is_below_what_a_request_takes():
    with pytest.raises(InputError, match="--latency-limit-ms: got 60, allowed: above 70"):
        highest_utilization(MODEL, Guardrail(latency_seconds=0.06))
