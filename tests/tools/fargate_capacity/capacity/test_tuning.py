from datetime import timedelta

import numpy as np
import pytest
from scaling_decisions import Action, CapacityBounds, TargetTracking, TunerSettings

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, simulate
from fargate_capacity.plan.tuning import tune
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel

SCENARIO = Scenario(
    model=ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.02, drain_seconds=30),
    guardrail=Guardrail(latency_seconds=0.5),
)
SETTING = Setting(
    bounds=CapacityBounds(minimum=2, maximum=30), policies=(TargetTracking(target=40, scale_out_cooldown_s=60),)
)


def smooth(days):
    return 1800 - 600 * np.cos(np.arange(days * 1440) * 2 * np.pi / 1440)


def test_walks_up_on_quiet_traffic_and_costs_less(trace_of):
    trace = trace_of(smooth(21))
    found = tune(SCENARIO, SETTING, trace, TunerSettings(ceiling=45))
    assert [decision.target for decision in found.decisions] == [41, 42, 43, 44, 45, 45]
    assert found.decisions[-1].action is Action.SETTLE
    assert found.simulation.totals.task_hours < simulate(SCENARIO, SETTING, trace).totals.task_hours


def test_reverts_in_the_minute_of_the_alarm(trace_of):
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


def test_takes_a_target_back_that_slows_requests_down_bit_by_bit(trace_of):
    settings = TunerSettings(ceiling=90, step=10, max_latency_ratio=1.02)
    found = tune(SCENARIO, SETTING, trace_of(smooth(8)), settings)
    assert any("of the same hours before" in decision.why for decision in found.decisions)
    assert found.simulation.totals.alarms == 0


def test_fails_without_a_guardrail_or_a_target(trace_of):
    trace = trace_of(smooth(3))
    with pytest.raises(InputError, match="got no guardrail"):
        tune(Scenario(model=SCENARIO.model), SETTING, trace, TunerSettings(ceiling=60))
    with pytest.raises(InputError, match="got no target tracking on CPU"):
        tune(SCENARIO, Setting(bounds=SETTING.bounds, policies=()), trace, TunerSettings(ceiling=60))
