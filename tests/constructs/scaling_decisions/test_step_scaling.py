"""Bands and changes of a step policy, one by one."""

import math
from typing import Any

import pytest

from cdk_fargate_sagemaker.scaling_decisions import (
    Adjustment,
    CapacityBounds,
    Comparison,
    Metric,
    ScalingEngine,
    StepBand,
    StepScaling,
)
from cdk_fargate_sagemaker.scaling_decisions.alarm_window import MOST_PERIODS
from cdk_fargate_sagemaker.scaling_decisions.step_scaling import change_of_capacity, is_in_band


def policy(**changed: Any) -> StepScaling:
    usual: dict[str, Any] = {"threshold": 80, "bands": (StepBand(lower=0, change=3),)}
    return StepScaling(**(usual | changed))


# The documentation's own bands, for a threshold of 50: 50 to below 60, and above 40 to 50.
@pytest.mark.parametrize(
    ("beyond", "lower", "upper", "expected"),
    [
        (0, 0, 10, True),
        (9.9, 0, 10, True),
        (10, 0, 10, False),
        (1, 0, 1, False),
        (-0.1, 0, 10, False),
        (0, -10, 0, True),
        (-9.9, -10, 0, True),
        (-10, -10, 0, False),
        (0.1, -10, 0, False),
        (-10, -20, -10, True),
        (-30, -20, -10, False),
        (-30, -math.inf, -10, True),
        (30, 10, math.inf, True),
        (-1, -10, 10, True),
        (1, -10, 10, True),
    ],
)
def test_a_band_holds_one_of_its_bounds(beyond: float, lower: float, upper: float, expected: bool) -> None:
    assert is_in_band(beyond, lower, upper) is expected


def test_of_two_bands_below_the_threshold_the_lower_one_holds_their_common_bound() -> None:
    step = policy(
        threshold=50,
        comparison=Comparison.LESS_OR_EQUAL,
        bands=(StepBand(upper=-20, change=-4), StepBand(lower=-20, upper=0, change=-1)),
        metric=Metric.CPU_AVERAGE,
    )
    engine = ScalingEngine(policies=[step], desired=10)
    bounds = CapacityBounds(minimum=1, maximum=20)
    assert engine.minute(values={Metric.CPU_AVERAGE: 30}, running=10, bounds=bounds) == 6


@pytest.mark.parametrize(
    ("percent", "capacity", "minimum", "expected"),
    [
        (25, 10, 0, 2),  # towards zero
        (-25, 10, 0, -2),
        (100, 100, 0, 100),
        (1, 10, 0, 1),  # between 0 and 1 it is one task
        (-1, 10, 0, -1),
        (1, 100, 0, 1),
        (50, 10, 8, 8),
        (-50, 10, 8, -8),
        (0, 10, 3, 0),
        (50, 0, 3, 0),
        (-50, 1, 0, -1),
    ],
)
def test_a_percentage_is_of_the_capacity(percent: int, capacity: int, minimum: int, expected: int) -> None:
    assert change_of_capacity(Adjustment.PERCENT_CHANGE_IN_CAPACITY, percent, capacity, minimum) == expected


def test_a_policy_has_the_defaults_of_aws() -> None:
    assert (policy().cooldown_s, policy().minimum_magnitude) == (300, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"periods": MOST_PERIODS},
        {"periods": 1, "datapoints": 1},
        {"periods": 3, "datapoints": 1},
        {"periods": 3, "datapoints": 3},
        {"period_minutes": 1},
        {"cooldown_s": 0},
        {"minimum_magnitude": 0},
    ],
    ids=str,
)
def test_takes_what_aws_takes(given: dict[str, int]) -> None:
    assert {name: getattr(policy(**given), name) for name in given} == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"periods": 0}, "periods: got 0, allowed: 1 to 60"),
        ({"periods": MOST_PERIODS + 1}, "periods: got 61, allowed: 1 to 60"),
        ({"periods": 3, "datapoints": 0}, "datapoints: got 0, allowed: 1 to the periods"),
        ({"periods": 3, "datapoints": 4}, "datapoints: got 4, allowed: 1 to the periods"),
        ({"period_minutes": 0}, "period_minutes: got 0, allowed: 1 or more"),
        ({"cooldown_s": -1}, "cooldown_s: got -1, allowed: 0 or more"),
        ({"minimum_magnitude": -1}, "minimum_magnitude: got -1, allowed: 0 or more"),
    ],
    ids=str,
)
def test_fails_when_aws_would_refuse_it(given: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy(**given)


def test_bands_side_by_side_do_not_overlap() -> None:
    side_by_side = (StepBand(lower=10, change=2), StepBand(lower=0, upper=10, change=1))
    assert policy(bands=side_by_side).bands == side_by_side
