"""Single behaviours, by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from cdk_fargate_sagemaker.scaling_decisions import (
    MISSING,
    Adjustment,
    CapacityBounds,
    Comparison,
    CountReading,
    Metric,
    MissingData,
    ScalingEngine,
    StepBand,
    StepScaling,
    TargetTracking,
    Trigger,
)

WIDE = CapacityBounds(minimum=1, maximum=100)
SPIKE = StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=120)


def course(
    engine: Any, cpu: Any, *, maximum: Any = None, running: Any = None, bounds: CapacityBounds = WIDE
) -> list[Any]:
    found = []
    for place, value in enumerate(cpu):
        hottest = value if maximum is None else maximum[place]
        found.append(
            engine.minute(
                values={Metric.CPU_AVERAGE: value, Metric.CPU_MAXIMUM: hottest},
                running=engine.desired if running is None else running,
                bounds=bounds,
            )
        )
    return found


def test_adds_in_proportion_after_three_minutes_above_the_target() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=4)
    assert course(engine, [75, 75, 75]) == [4, 4, 6]


def test_a_minute_at_the_target_is_not_above_it() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=4)
    assert course(engine, [75, 75, 50, 75, 75]) == [4] * 5


def test_a_whole_number_of_tasks_is_not_rounded_up_by_binary_fractions() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=0.1)], desired=3)
    assert course(engine, [0.2, 0.2, 0.2]) == [3, 3, 6]


def test_removes_in_proportion_after_fifteen_minutes_below_nine_tenths() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=10)
    assert course(engine, [25] * 15) == [10] * 14 + [5]


def test_between_nine_tenths_and_the_target_nothing_happens() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=10)
    assert course(engine, [45, 48, 49.9, 50] * 10) == [10] * 40


def test_fires_again_every_minute_in_alarm() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50, scale_out_cooldown_s=0)], desired=4)
    assert course(engine, [75] * 5) == [4, 4, 6, 9, 14]


def test_within_the_cooldown_only_more_than_was_added_counts() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=4)
    assert course(engine, [75] * 3, running=4) == [4, 4, 6]
    assert course(engine, [75], running=4) == [6]
    # 100 % of four tasks asks for four more than the four that the cooldown began with.
    assert course(engine, [100], running=4) == [8]


def test_within_the_cooldown_tasks_that_came_up_meanwhile_are_not_multiplied_again() -> None:
    """The metric is still that of four tasks when six run already."""
    reading = CountReading.WHEN_IT_ACTS
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=4, reading=reading)
    assert course(engine, [75] * 3, running=4)[-1] == 6
    # ceil(6 * 75 / 50) would be nine: three more than run, counted from the four that the cooldown began with.
    assert course(engine, [75], running=6) == [7]


@pytest.mark.parametrize(("cpu", "periods"), [(75, 3), (25, 15)])
def test_a_datapoint_is_multiplied_by_the_tasks_of_its_own_minute(cpu: int, periods: int) -> None:
    """Ten tasks were so busy, whatever runs when the alarm acts: a constant load asks for a constant count."""
    engine = ScalingEngine(policies=[TargetTracking(target=50, scale_in_cooldown_s=60)], desired=10)
    wanted = 10 * cpu // 50
    for running in (10, wanted, wanted):
        for _ in range(periods):
            engine.minute(
                values={Metric.CPU_AVERAGE: cpu}, counts={Metric.CPU_AVERAGE: 10}, running=running, bounds=WIDE
            )
        assert engine.desired == wanted


def test_says_by_which_metric_it_decided() -> None:
    quick = TargetTracking(target=50, metric=Metric.CPU_AVERAGE_HIGH_RESOLUTION, high_periods=1)
    engine = ScalingEngine(policies=[quick, SPIKE], desired=4)
    found = []
    for values in ({Metric.CPU_AVERAGE_HIGH_RESOLUTION: 80}, {Metric.CPU_MAXIMUM: 90}, {}):
        engine.minute(values=values, running=4, bounds=WIDE)
        found.append(engine.trigger)
    assert found == [Trigger.HIGH_RESOLUTION_METRIC, Trigger.MINUTE_METRIC, Trigger.BOUNDS]


def test_a_scale_out_cooldown_blocks_scale_in() -> None:
    policy = TargetTracking(target=50, scale_out_cooldown_s=1800)
    engine = ScalingEngine(policies=[policy], desired=10)
    assert course(engine, [75] * 3)[-1] == 15
    assert course(engine, [25] * 29) == [15] * 29
    assert course(engine, [25] * 2)[-1] < 15


@pytest.mark.parametrize("order", [1, -1])
def test_the_largest_capacity_wins_whatever_the_order(order: int) -> None:
    policies = [TargetTracking(target=60), TargetTracking(target=40), TargetTracking(target=50)][::order]
    engine = ScalingEngine(policies=policies, desired=10)
    assert course(engine, [80] * 3) == [10, 10, 20]
    policies = [TargetTracking(target=60), TargetTracking(target=40), TargetTracking(target=50)][::order]
    assert course(ScalingEngine(policies=policies, desired=10), [20] * 15)[-1] == 5


def test_a_spike_adds_its_tasks_in_one_minute_and_not_again_within_the_cooldown() -> None:
    engine = ScalingEngine(policies=[SPIKE], desired=2)
    assert course(engine, [80, 99, 99, 99]) == [5, 5, 8, 8]


def test_a_higher_band_counts_net_of_what_a_lower_one_added() -> None:
    steps = StepScaling(threshold=60, bands=(StepBand(lower=0, upper=20, change=2), StepBand(lower=20, change=5)))
    engine = ScalingEngine(policies=[steps], desired=10)
    assert course(engine, [70, 95, 95]) == [12, 15, 15]


def test_an_out_only_step_stays_until_target_tracking_takes_it_back() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=60), SPIKE], desired=2)
    found = course(engine, [55] + [10] * 20, maximum=[90] + [10] * 20)
    assert found[0] == 5
    assert found[:15] == [5] * 15  # the low alarm needs fifteen minutes
    assert found[-1] == 1


def test_a_scale_out_ends_the_scale_in_cooldown() -> None:
    policy = TargetTracking(target=50, scale_in_cooldown_s=3600)
    engine = ScalingEngine(policies=[policy, SPIKE], desired=20)
    assert course(engine, [25] * 15)[-1] == 10
    assert course(engine, [25] * 3)[-1] == 10
    assert course(engine, [25], maximum=[85])[-1] == 13
    assert course(engine, [25] * 2)[-1] < 13


def test_fails_to_scale_in_while_the_other_policy_is_content() -> None:
    engine = ScalingEngine(
        policies=[TargetTracking(target=50), TargetTracking(target=50, metric=Metric.CPU_MAXIMUM)], desired=10
    )
    assert course(engine, [25] * 30, maximum=[48] * 30) == [10] * 30


def test_a_policy_without_scale_in_has_no_vote() -> None:
    other = TargetTracking(target=50, metric=Metric.CPU_MAXIMUM, disable_scale_in=True)
    engine = ScalingEngine(policies=[TargetTracking(target=50), other], desired=10)
    assert course(engine, [25] * 15, maximum=[48] * 15)[-1] == 5


def test_missing_minutes_do_not_count_and_do_not_break_a_row() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=4)
    assert course(engine, [75, 75, MISSING, 75]) == [4, 4, 4, 6]


def test_as_many_missing_minutes_as_the_alarm_has_break_a_row() -> None:
    engine = ScalingEngine(policies=[TargetTracking(target=50)], desired=4)
    assert course(engine, [75, 75, MISSING, MISSING, MISSING, 75, 75]) == [4] * 7


def test_missing_data_that_count_as_not_breaching_break_a_row_at_once() -> None:
    step = StepScaling(
        threshold=80, bands=(StepBand(lower=0, change=3),), periods=2, missing_data=MissingData.NOT_BREACHING
    )
    engine = ScalingEngine(policies=[step], desired=2)
    assert course(engine, [90, MISSING, 90]) == [2, 2, 2]


def test_some_of_several_datapoints_suffice_where_the_alarm_says_so() -> None:
    step = StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), periods=3, datapoints=2)
    engine = ScalingEngine(policies=[step], desired=2)
    assert course(engine, [90, 10, 90]) == [2, 2, 5]


def test_an_average_over_a_longer_period_is_averaged_and_fires_between_datapoints() -> None:
    step = StepScaling(
        threshold=80,
        bands=(StepBand(lower=0, change=1),),
        metric=Metric.CPU_AVERAGE,
        period_minutes=5,
        cooldown_s=0,
    )
    engine = ScalingEngine(policies=[step], desired=2)
    assert course(engine, [60, 70, 80, 95, 96, 10, 10]) == [2, 2, 2, 2, 3, 4, 5]


def test_a_step_that_removes_tasks_leaves_the_minimum() -> None:
    step = StepScaling(
        threshold=20,
        comparison=Comparison.LESS_OR_EQUAL,
        bands=(StepBand(upper=0, change=-4),),
        cooldown_s=60,
    )
    engine = ScalingEngine(policies=[step], desired=6)
    assert course(engine, [20, 20, 20], bounds=CapacityBounds(minimum=1, maximum=9)) == [2, 1, 1]


@pytest.mark.parametrize(
    ("adjustment", "number", "magnitude", "expected"),
    [
        (Adjustment.PERCENT_CHANGE_IN_CAPACITY, 10, 0, 11),
        (Adjustment.PERCENT_CHANGE_IN_CAPACITY, 25, 0, 12),
        (Adjustment.PERCENT_CHANGE_IN_CAPACITY, 25, 5, 15),
        (Adjustment.EXACT_CAPACITY, 17, 0, 17),
    ],
)
def test_adjustment_types(adjustment: Adjustment, number: int, magnitude: int, expected: int) -> None:
    step = StepScaling(
        threshold=80,
        bands=(StepBand(lower=0, change=number),),
        adjustment=adjustment,
        minimum_magnitude=magnitude,
    )
    assert course(ScalingEngine(policies=[step], desired=10), [90]) == [expected]


def test_bounds_that_move_move_the_count() -> None:
    engine = ScalingEngine(policies=[], desired=4)
    assert course(engine, [50], bounds=CapacityBounds(minimum=6, maximum=9)) == [6]
    assert course(engine, [50], bounds=CapacityBounds(minimum=1, maximum=3)) == [3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TargetTracking(target=0), "target: got 0"),
        (lambda: TargetTracking(target=50, scale_in_cooldown_s=-1), "scale_in_cooldown_s: got -1"),
        (lambda: StepScaling(threshold=80, bands=()), "bands: got none"),
        (
            lambda: StepScaling(
                threshold=80, bands=(StepBand(lower=0, upper=20, change=1), StepBand(lower=10, change=2))
            ),
            "overlap",
        ),
        (lambda: StepBand(lower=3, upper=3, change=1), "band: got 3 to 3"),
        (lambda: CapacityBounds(minimum=3, maximum=2), "maximum: got 2"),
    ],
)
def test_fails_when_a_policy_is_impossible(make: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
