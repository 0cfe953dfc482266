from typing import Any

import numpy as np
import pytest

from fargate_capacity.plan.added_breach import (
    AddedBreach,
    Days,
    Tolerance,
    added_breach,
    days_to_be_sure,
    described_sureness,
    sureness,
)

TOLERANCE = Tolerance(percent=0.5, give_up_seconds=60)


def days_of(breached: Any, *, seconds_each: float = 1.0) -> Days:
    breached = np.asarray(breached, dtype=float)
    return Days(
        requests=np.full(len(breached), 1_000_000.0),
        breached_requests=breached,
        breach_seconds=seconds_each * breached,
        task_hours=np.full(len(breached), 48.0),
    )


def sure(
    breached: Any,
    *,
    stressed: Any = None,
    count: Any = None,
    tolerance: Tolerance = TOLERANCE,
    seconds_each: float = 1.0,
) -> float:
    seen = days_of(breached, seconds_each=seconds_each)
    worse = seen if stressed is None else days_of(stressed)
    calm = days_of(np.zeros(len(seen)))
    return float(sureness([seen], calm, [worse], calm, tolerance)[0])


def test_added_breach_is_a_share_of_all_requests_and_what_they_wait_beyond_the_limit() -> None:
    added = added_breach(days_of([3000, 9000], seconds_each=2), days_of([1000, 1000], seconds_each=2))
    assert added.percent == pytest.approx(0.5)
    assert added.seconds_per_request == pytest.approx(0.01)
    assert added.is_within(TOLERANCE)


def test_as_many_requests_that_wait_longer_are_not_within_the_tolerance() -> None:
    assert TOLERANCE.seconds_per_request == pytest.approx(0.3)
    assert AddedBreach(percent=0, seconds_per_request=0.3).is_within(TOLERANCE)
    assert not AddedBreach(percent=0, seconds_per_request=0.31).is_within(TOLERANCE)
    assert not AddedBreach(percent=0.51, seconds_per_request=0).is_within(TOLERANCE)
    assert sure(np.full(30, 4000)) == 1
    assert sure(np.full(30, 4000), seconds_each=100) == 0


def test_a_tolerance_of_nothing_is_kept_by_what_differs_in_a_sums_last_digit_alone() -> None:
    nothing = Tolerance(percent=0, give_up_seconds=60)
    assert AddedBreach(percent=1e-14, seconds_per_request=3e-16).is_within(nothing)
    assert sure(np.full(20, 1e-7), tolerance=nothing) == 1
    assert sure([1] + [0] * 19, tolerance=nothing) < 0.5


def test_the_same_rare_bad_day_leaves_less_open_the_longer_the_history_is() -> None:
    few, more, many = (sure([100_000] + [0] * (n - 1)) for n in (10, 40, 400))
    assert few < more < many
    assert few < 0.5
    assert many > 0.8


def test_a_setting_that_never_breached_is_less_sure_where_a_fifth_more_requests_would_have_broken_it() -> None:
    assert sure(np.zeros(28)) == 1
    assert sure(np.zeros(28), stressed=[0] * 27 + [300_000]) < 0.8


def test_candidates_are_judged_by_the_same_futures() -> None:
    calm, breaching = days_of(np.zeros(20)), days_of([60_000] + [0] * 19)
    both = sureness([breaching, breaching], calm, [breaching, breaching], calm, TOLERANCE)
    assert both[0] == both[1] == sure([60_000] + [0] * 19)


def test_says_how_many_more_days_would_do() -> None:
    calm = days_of(np.zeros(20))
    some = days_of([20_000, 20_000] + [0] * 18)
    more = days_to_be_sure(some, calm, some, calm, TOLERANCE)
    assert more == 40
    assert sure([20_000, 20_000] + [0] * 18) < 0.95 <= sure(([20_000, 20_000] + [0] * 18) * 3)
    always = days_of(np.full(20, 6000))
    assert days_to_be_sure(always, calm, always, calm, TOLERANCE) is None


def test_nothing_is_wholly_sure() -> None:
    assert [described_sureness(share) for share in (1.0, 0.996, 0.9499, 0.95)] == [
        "more than 99%",
        "more than 99%",
        "94%",
        "95%",
    ]
