"""The replay against one that was written from the documentation alone, minute for minute."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_capacity.replay.replay import Replay
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, Metric, StepBand, StepScaling, TargetTracking
from tests.proofs import independent_replay as judge

# Values that no load of whole requests comes to: two ways of adding up differ in the last binary digit.
TARGETS = (20.137, 50.137, 65.137, 88.137)
THRESHOLDS = (70.137, 80.137, 95.137)
cooldown = st.sampled_from([0, 60, 120, 300])
loads = st.lists(
    st.tuples(st.one_of(st.just(math.nan), st.integers(0, 1200)), st.sampled_from([1, 2, 3, 5, 16, 20])),
    min_size=1,
    max_size=14,
)


@given(
    loads=loads,
    trackings=st.lists(
        st.builds(
            judge.Tracking,
            target=st.sampled_from(TARGETS),
            out_cooldown_s=cooldown,
            in_cooldown_s=cooldown,
            every_20_seconds=st.booleans(),
        ),
        max_size=2,
    ),
    steps=st.lists(
        st.builds(judge.Step, threshold=st.sampled_from(THRESHOLDS), tasks=st.integers(1, 4), cooldown_s=cooldown),
        max_size=1,
    ),
    start_s=st.sampled_from([28.0, 45.0, 75.0, 130.0]),
    skew=st.sampled_from([1.0, 1.1, 1.37]),
    idle=st.sampled_from([0.0, 0.07]),
    minimum=st.integers(0, 2),
)
@settings(max_examples=150, deadline=None)
def test_agrees_in_every_minute(
    loads: Any, trackings: Any, steps: Any, start_s: Any, skew: Any, idle: Any, minimum: Any
) -> None:
    requests = [load for load, minutes in loads for _ in range(minutes)]
    service = judge.Service(
        cpu_seconds=1, skew=skew, idle=idle, start_s=start_s, drain_s=90, give_up_s=60, minimum=minimum, maximum=30
    )
    expected = judge.replay(service, trackings, steps, requests, desired=minimum)
    series, totals = replayed(service, trackings, steps, requests, desired=minimum)
    assert series.desired.tolist() == [each.desired for each in expected]
    assert series.running.tolist() == pytest.approx([each.serving for each in expected], abs=1e-6)
    assert np.nan_to_num(series.failed).tolist() == pytest.approx([each.failed for each in expected], abs=1e-6)
    assert totals.task_hours == pytest.approx(sum(each.billed for each in expected) / 60)


def replayed(service: Any, trackings: Any, steps: Any, requests: Any, *, desired: Any) -> tuple[Any, ...]:
    policies: tuple[TargetTracking | StepScaling, ...] = (
        *(
            TargetTracking(
                target=each.target,
                scale_out_cooldown_s=each.out_cooldown_s,
                scale_in_cooldown_s=each.in_cooldown_s,
                metric=Metric.CPU_AVERAGE_HIGH_RESOLUTION if each.every_20_seconds else Metric.CPU_AVERAGE,
                high_periods=1 if each.every_20_seconds else 3,
            )
            for each in trackings
        ),
        *(
            StepScaling(
                threshold=each.threshold, bands=(StepBand(lower=0, change=each.tasks),), cooldown_s=each.cooldown_s
            )
            for each in steps
        ),
    )
    model = ServiceModel(
        vcpus=1,
        cpu_seconds=service.cpu_seconds,
        skew=service.skew,
        idle_percent=100 * service.idle,
        boot_seconds=service.start_s - 28,
        health_check_seconds=0,
        drain_seconds=service.drain_s,
    )
    replay = Replay(
        model=model,
        policies=policies,
        bounds=CapacityBounds(minimum=service.minimum, maximum=service.maximum),
        desired=desired,
    )
    return replay.feed_recorded(np.array(requests)), replay.totals()
