"""What holds for any policies on any metrics."""

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.scaling_decisions import (
    MISSING,
    Adjustment,
    CapacityBounds,
    Metric,
    Policy,
    ScalingEngine,
    StepBand,
    StepScaling,
    TargetTracking,
)

percent = st.one_of(st.just(MISSING), st.floats(0, 100))
cooldown = st.sampled_from([0, 60, 120, 300, 900])
tracking = st.builds(
    TargetTracking,
    target=st.floats(5, 95),
    metric=st.sampled_from([Metric.CPU_AVERAGE, Metric.CPU_MAXIMUM]),
    scale_out_cooldown_s=cooldown,
    scale_in_cooldown_s=cooldown,
    disable_scale_in=st.booleans(),
    high_periods=st.integers(1, 4),
    low_periods=st.integers(1, 16),
)
band = st.tuples(st.integers(0, 20), st.integers(1, 20)).flatmap(
    lambda sides: st.builds(
        lambda change: (
            StepBand(lower=sides[0], upper=sides[0] + sides[1], change=change),
            StepBand(lower=sides[0] + sides[1], change=2 * change),
        ),
        st.integers(-5, 10),
    )
)
any_step = st.builds(
    StepScaling,
    threshold=st.floats(5, 95),
    bands=band,
    adjustment=st.sampled_from(list(Adjustment)[:2]),
    periods=st.integers(1, 3),
    period_minutes=st.integers(1, 3),
    cooldown_s=cooldown,
)
out_step = st.builds(
    StepScaling,
    threshold=st.floats(5, 95),
    bands=st.integers(1, 10).map(lambda change: (StepBand(lower=0, change=change),)),
    periods=st.integers(1, 3),
    cooldown_s=cooldown,
)
bounds = st.tuples(st.integers(0, 5), st.integers(0, 40)).map(
    lambda pair: CapacityBounds(minimum=pair[0], maximum=pair[0] + pair[1])
)
minutes = st.lists(st.tuples(percent, percent), min_size=1, max_size=80)


def values(minute: tuple[float, float]) -> dict[Metric, float]:
    return {Metric.CPU_AVERAGE: minute[0], Metric.CPU_MAXIMUM: minute[1]}


def follow(
    policies: list[Policy], limits: CapacityBounds, course: list[tuple[float, float]], desired: int
) -> list[int]:
    engine = ScalingEngine(policies=policies, desired=desired)
    return [engine.minute(values=values(minute), running=engine.desired, bounds=limits) for minute in course]


@given(st.lists(st.one_of(tracking, any_step), max_size=4), bounds, minutes, st.integers(0, 60))
def test_is_never_below_the_minimum_nor_above_the_maximum(
    policies: list[Policy], limits: CapacityBounds, course: list[tuple[float, float]], desired: int
) -> None:
    for count in follow(policies, limits, course, desired):
        assert limits.minimum <= count <= limits.maximum


@given(st.lists(out_step, min_size=1, max_size=3), minutes, st.integers(1, 20))
def test_steps_that_only_add_never_scale_in(
    policies: list[Policy], course: list[tuple[float, float]], desired: int
) -> None:
    counts = [desired, *follow(policies, CapacityBounds(minimum=0, maximum=1000), course, desired)]
    assert all(later >= earlier for earlier, later in itertools.pairwise(counts))


@given(st.lists(st.one_of(tracking, any_step), min_size=1, max_size=4), bounds, minutes, st.integers(1, 60))
def test_missing_data_never_scale(
    policies: list[Policy], limits: CapacityBounds, course: list[tuple[float, float]], desired: int
) -> None:
    engine = ScalingEngine(policies=policies, desired=min(max(desired, limits.minimum), limits.maximum))
    only_minutes = [policy for policy in policies if not isinstance(policy, StepScaling) or policy.period_minutes == 1]
    engine = ScalingEngine(policies=only_minutes, desired=engine.desired)
    for minute in course:
        before = engine.desired
        engine.minute(values=values(minute), running=before, bounds=limits)
        before = engine.desired
        assert engine.minute(values={}, running=before, bounds=limits) == before


@given(st.lists(tracking, min_size=2, max_size=4), minutes, st.integers(1, 60))
def test_the_largest_of_several_policies_wins_from_a_fresh_start(
    policies: list[Policy], course: list[tuple[float, float]], desired: int
) -> None:
    """Until the first change every policy sees what it would have seen alone."""
    limits = CapacityBounds(minimum=0, maximum=1000)
    together = ScalingEngine(policies=policies, desired=desired)
    alone = [ScalingEngine(policies=[policy], desired=desired) for policy in policies]
    for minute in course:
        found = together.minute(values=values(minute), running=desired, bounds=limits)
        wanted = [engine.minute(values=values(minute), running=desired, bounds=limits) for engine in alone]
        if max(wanted) > desired:
            assert found == max(wanted)
            return
        if min(wanted) < desired or found < desired:
            return


@given(st.lists(tracking, min_size=1, max_size=4), minutes, st.integers(1, 60))
def test_a_scale_in_needs_all_target_tracking_policies(
    policies: list[TargetTracking], course: list[tuple[float, float]], desired: int
) -> None:
    engine = ScalingEngine(policies=policies, desired=desired)
    seen: list[tuple[float, float]] = []
    for minute in course:
        seen.append(minute)
        before = engine.desired
        if engine.minute(values=values(minute), running=before, bounds=CapacityBounds(minimum=0, maximum=99)) < before:
            voters = [policy for policy in policies if not policy.disable_scale_in]
            assert voters
            for policy in voters:
                column = [each[int(policy.metric)] for each in seen]
                known = [value for value in column if not math.isnan(value)][-policy.low_periods :]
                assert len(known) == policy.low_periods
                assert all(value < policy.target * policy.scale_in_fraction for value in known)


@given(st.lists(st.one_of(tracking, any_step), min_size=1, max_size=3), minutes, st.integers(1, 40))
def test_no_scale_in_follows_another_within_the_shortest_cooldown(
    policies: list[Policy], course: list[tuple[float, float]], desired: int
) -> None:
    shortest = min(
        policy.scale_in_cooldown_s if isinstance(policy, TargetTracking) else policy.cooldown_s for policy in policies
    )
    counts = [desired, *follow(policies, CapacityBounds(minimum=0, maximum=200), course, desired)]
    latest = None
    for minute, (earlier, later) in enumerate(itertools.pairwise(counts)):
        if later > earlier:
            latest = None  # a scale-out ends the cooldown
        elif later < earlier:
            assert latest is None or (minute - latest) * 60 >= shortest
            latest = minute


@given(tracking, st.lists(st.floats(0, 100), min_size=20, max_size=60), st.integers(1, 40))
@settings(max_examples=50)
def test_a_deployment_suspends_scale_in_alone(policy: TargetTracking, course: list[float], desired: int) -> None:
    engine = ScalingEngine(policies=[policy], desired=desired)
    for value in course:
        before = engine.desired
        after = engine.minute(
            values=values((value, value)),
            running=before,
            bounds=CapacityBounds(minimum=0, maximum=500),
            is_deploying=True,
        )
        assert after >= before
