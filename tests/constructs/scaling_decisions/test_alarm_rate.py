from typing import Any

import pytest

from cdk_fargate_sagemaker.scaling_decisions.alarm_rate import Exposure, added, is_known_below, is_more_often

DAY = 86_400.0


@pytest.mark.parametrize(
    ("below", "at", "expected"),
    [
        # A month without any, and twice within hours.
        ((30, 0), (0.4, 2), True),
        # Once a week at either.
        ((28, 4), (7, 1), False),
        ((28, 4), (4, 2), False),
        # Two by chance, a week apart, of a service of which not much is known.
        ((9, 0), (3, 2), False),
        ((30, 0), (30, 0), False),
        ((0, 0), (1, 3), False),
    ],
)
def test_a_target_fails_by_alarms_that_do_not_come_below_it(
    below: tuple[Any, ...], at: tuple[Any, ...], expected: bool
) -> None:
    exposures = (Exposure(60, below[0] * DAY, below[1]), Exposure(61, at[0] * DAY, at[1]))
    assert is_more_often(exposures, 61) is expected
    assert is_known_below(exposures, 61) is (below[1] > 0)


def test_exposures_add_up_by_target() -> None:
    found = added(added((), Exposure(61, 10, 1)), Exposure(60, 5, 0))
    assert added(found, Exposure(61, 2, 1)) == (Exposure(60, 5, 0), Exposure(61, 12, 2))
