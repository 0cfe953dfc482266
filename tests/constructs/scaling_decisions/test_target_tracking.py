"""What a target-tracking policy takes, and what it is where nothing is given."""

import math

import pytest

from cdk_fargate_sagemaker.scaling_decisions import TargetTracking
from cdk_fargate_sagemaker.scaling_decisions.alarm_window import MOST_PERIODS
from cdk_fargate_sagemaker.scaling_decisions.target_tracking import HIGH_RESOLUTION_HIGH_PERIODS


def test_a_policy_has_the_defaults_of_aws() -> None:
    policy = TargetTracking(target=50)
    assert (policy.scale_out_cooldown_s, policy.scale_in_cooldown_s) == (300, 300)
    assert (policy.high_periods, policy.low_periods, policy.scale_in_fraction) == (3, 15, 0.9)
    assert not policy.disable_scale_in


@pytest.mark.parametrize(
    "given",
    [
        {"target": 0.1},
        {"scale_out_cooldown_s": 0},
        {"scale_in_cooldown_s": 0},
        {"high_periods": 1},
        {"low_periods": MOST_PERIODS},
        {"scale_in_fraction": 1},
        {"scale_in_fraction": 0.1},
    ],
    ids=str,
)
def test_takes_the_ends_of_each_range(given: dict[str, float]) -> None:
    policy = TargetTracking(**({"target": 50} | given))  # type: ignore[arg-type]
    assert {name: getattr(policy, name) for name in given} == given


@pytest.mark.parametrize(
    "given",
    [
        {"target": 0},
        {"target": math.inf},
        {"scale_out_cooldown_s": -1},
        {"scale_in_cooldown_s": -1},
        {"high_periods": 0},
        {"low_periods": MOST_PERIODS + 1},
        {"scale_in_fraction": 0},
        {"scale_in_fraction": 1.1},
    ],
    ids=str,
)
def test_fails_when_a_value_is_beyond_its_range(given: dict[str, float]) -> None:
    ((name, value),) = given.items()
    with pytest.raises(ValueError, match=f"{name}: got {value}, allowed: "):
        TargetTracking(**({"target": 50} | given))  # type: ignore[arg-type]


def test_three_datapoints_of_20_seconds_are_a_minute() -> None:
    assert HIGH_RESOLUTION_HIGH_PERIODS * 60 == 3 * 20
