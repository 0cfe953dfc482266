from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, simulate
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds
from fargate_capacity.traffic.burstiness import with_burstiness
from fargate_capacity.traffic.trace import Trace


@pytest.fixture
def by_five_minutes(trace_of: Callable[..., Trace]) -> Callable[..., Any]:
    def make(requests: Any) -> Any:
        trace = trace_of(np.repeat(np.asarray(requests, dtype=float), 5))
        return Trace.of(trace.blocks(), name="fives", start=trace.start, period_minutes=5)

    return make


def test_one_minute_of_a_period_is_so_many_times_as_busy(by_five_minutes: Callable[..., Any]) -> None:
    trace = with_burstiness(by_five_minutes([100, 0, np.nan, 200] * 700), 3)
    periods = trace.block(0, trace.minutes).reshape(-1, 5)
    assert np.nansum(periods, axis=1).tolist() == [500, 0, 0, 1000] * 700
    assert np.isnan(periods[2::4]).all()
    assert sorted(periods[0]) == [50, 50, 50, 50, 300]
    # Not always the same minute.
    assert set(periods[0::4].argmax(axis=1)) == {0, 1, 2, 3, 4}


def test_what_a_period_hides_breaks_the_limit(by_five_minutes: Callable[..., Any]) -> None:
    scenario = Scenario(model=ServiceModel(vcpus=1, cpu_seconds=0.05), guardrail=Guardrail(latency_seconds=0.5))
    setting = Setting(bounds=CapacityBounds(minimum=2, maximum=2), policies=())
    even = by_five_minutes([1200] * 100)
    assert simulate(scenario, setting, even).totals.breach_minutes == 0
    assert simulate(scenario, setting, with_burstiness(even, 2.5)).totals.breach_minutes >= 100


def test_traffic_by_the_minute_stays_as_it_is(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of([1, 2, 3])
    assert with_burstiness(trace, 3) is trace


def test_fails_when_a_minute_has_more_than_its_period(by_five_minutes: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"--assume burstiness: got 6, allowed: 1 to 5"):
        with_burstiness(by_five_minutes([1]), 6)
