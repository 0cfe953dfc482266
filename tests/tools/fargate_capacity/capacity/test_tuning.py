import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, simulate
from fargate_capacity.plan.tuning import tune
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import (
    Action,
    CapacityBounds,
    Metric,
    StepBand,
    StepScaling,
    TargetTracking,
    TunerSettings,
)
from fargate_capacity.traffic.trace import Trace

SCENARIO = Scenario(
    model=ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.02, drain_seconds=30),
    guardrail=Guardrail(latency_seconds=0.5),
)
SETTING = Setting(
    bounds=CapacityBounds(minimum=2, maximum=30), policies=(TargetTracking(target=40, scale_out_cooldown_s=60),)
)


def smooth(days: Any) -> Any:
    return 1800 - 600 * np.cos(np.arange(days * 1440) * 2 * np.pi / 1440)


def test_walks_up_on_quiet_traffic_and_costs_less(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of(smooth(21))
    found = tune(SCENARIO, SETTING, trace, TunerSettings(ceiling=45))
    assert [decision.target for decision in found.decisions] == [41, 42, 43, 44, 45, 45]
    assert found.decisions[-1].action is Action.SETTLE
    assert found.simulation.totals.task_hours < simulate(SCENARIO, SETTING, trace).totals.task_hours


def test_reverts_in_the_minute_of_the_alarm(trace_of: Callable[..., Trace]) -> None:
    requests = smooth(12)
    spike = 5 * 1440 + 777
    requests[spike : spike + 5] *= 6
    trace = trace_of(requests)
    found = tune(SCENARIO, SETTING, trace, TunerSettings(ceiling=60, cool_off=timedelta(days=3)))
    back = next(decision for decision in found.decisions if decision.action is Action.REVERT)
    assert (back.origin, back.target) == (42, 41)
    assert back.at == trace.start + timedelta(minutes=spike + 1)
    after = [decision for decision in found.decisions if decision.at > back.at]
    assert after[0].at >= back.at + timedelta(days=3)


# Of a service whose spike scaling looks at the average, which no ratio of the hottest task says anything of.
DEAR_FROM_70 = Setting(
    bounds=CapacityBounds(minimum=4, maximum=40),
    policies=(
        TargetTracking(target=60, scale_out_cooldown_s=60),
        StepScaling(threshold=68, metric=Metric.CPU_AVERAGE, bands=(StepBand(lower=0, change=3),), cooldown_s=600),
    ),
)


def weekly(weeks: Any) -> Any:
    minute = np.arange(weeks * 10_080)
    # Least at three in the morning, so that Monday comes without a jump.
    wave = 1 + 0.8 * np.sin((minute - 540) * 2 * np.pi / 1440)
    level = 7200 * wave * np.where(minute // 1440 % 7 >= 5, 0.5, 1)
    return np.random.default_rng(1998).poisson(level).astype(float)


def test_goes_back_from_where_it_costs_more(trace_of: Callable[..., Trace]) -> None:
    # Tasks that come and go are billed while they drain.
    scenario = Scenario(
        model=dataclasses.replace(SCENARIO.model, drain_seconds=300),
        guardrail=Guardrail(latency_seconds=5, periods=15, datapoints=15),
    )
    trace = trace_of(weekly(6))
    by_target = {
        target: simulate(scenario, DEAR_FROM_70.with_target(target), trace).totals.task_hours for target in (60, 75)
    }
    assert by_target[75] > 1.01 * by_target[60]
    found = tune(scenario, DEAR_FROM_70, trace, TunerSettings(ceiling=75))
    (back,) = [each for each in found.decisions if each.action is Action.REVERT]
    assert "costs more than" in back.why
    assert found.decisions[-1].action is Action.SETTLE
    assert found.final_target < back.target
    settled = simulate(scenario, DEAR_FROM_70.with_target(found.final_target), trace).totals.task_hours
    assert settled < by_target[60]
    # What the function reports is what the replay, which knows both, came to.
    saved = by_target[60] - found.simulation.totals.task_hours
    assert found.saved_task_hours == pytest.approx(saved, rel=0.3)


@pytest.mark.parametrize(("skew", "highest"), [(1.0, 45), (1.3, 43), (1.6, 40)])
def test_stays_below_the_threshold_of_the_hottest_task(
    trace_of: Callable[..., Trace], skew: float, highest: int
) -> None:
    spike = StepScaling(threshold=59.5, bands=(StepBand(lower=0, change=3),), cooldown_s=600)
    setting = dataclasses.replace(SETTING, policies=(*SETTING.policies, spike))
    scenario = dataclasses.replace(SCENARIO, model=dataclasses.replace(SCENARIO.model, skew=skew))
    found = tune(scenario, setting, trace_of(smooth(16)), TunerSettings(ceiling=45))
    assert found.final_target == highest
    assert found.decisions[-1].action is Action.SETTLE


def test_needs_no_whole_day_of_requests(trace_of: Callable[..., Trace]) -> None:
    minute = np.arange(21 * 1440) % 1440
    requests = np.maximum(1800 * np.sin((minute - 540) * np.pi / 600), 0) * (minute < 1140)
    found = tune(SCENARIO, SETTING, trace_of(requests), TunerSettings(ceiling=45))
    assert found.final_target >= 44
    assert not [each for each in found.decisions if each.action is Action.WAIT]


def test_takes_a_target_back_that_slows_requests_down_bit_by_bit(trace_of: Callable[..., Trace]) -> None:
    settings = TunerSettings(ceiling=90, step=10, max_latency_ratio=1.02)
    found = tune(SCENARIO, SETTING, trace_of(smooth(8)), settings)
    assert any("of the same hours before" in decision.why for decision in found.decisions)
    assert found.simulation.totals.alarms == 0


def test_fails_without_a_guardrail_or_a_target(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of(smooth(3))
    with pytest.raises(InputError, match="got no guardrail"):
        tune(Scenario(model=SCENARIO.model), SETTING, trace, TunerSettings(ceiling=60))
    with pytest.raises(InputError, match="got no target tracking on CPU"):
        tune(SCENARIO, Setting(bounds=SETTING.bounds, policies=()), trace, TunerSettings(ceiling=60))
