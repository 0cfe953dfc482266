"""Each fault of each state of the two workflows: what has to hold after each."""

import itertools
from typing import Any

import pytest

from tests.constructs.sagemaker.faults import release_cases, rollback_cases

# The parts of the page, each a table.
PARTS = {
    "release": release_cases.release_cases(release_cases.UNTOUCHED),
    "endpoint": release_cases.release_cases(release_cases.CHANGING),
    "rollback": rollback_cases.ROLLBACK_CASES,
}


def test_the_endpoint_serves_a_good_model_and_one_alert_tells(matrix: Any, case: Any) -> None:
    assert matrix.problems_of(case) == []


def test_what_starts_again_after_a_fault_goes_further(all_series: Any) -> None:
    for series in all_series:
        for (earlier,), (later,) in itertools.pairwise(series):
            states = rollback_cases.STATES if earlier.by_hand else release_cases.STATES
            assert states.index(earlier.ends_at) < states.index(later.ends_at)
            # A rollback that has gone over cannot go back to the same release once more.
            assert not earlier.by_hand or earlier.serves == "old"


def test_no_alert_comes_on_top(matrix: Any) -> None:
    assert matrix.alerts_on_top() == []


@pytest.mark.parametrize("part", PARTS)
def test_the_page_shows_these_results(page_says_so: Any, part: str) -> None:
    assert page_says_so(part)


def test_an_alarm_that_goes_on_when_nobody_else_tells_is_told(matrix: Any) -> None:
    lane = matrix.lanes[0]
    lane.raise_alarm()
    # A workflow has just changed the endpoint: it told.
    assert lane.told_by_alarm() == []
    lane.let_the_mark_end()
    assert len(lane.told_by_alarm(1)) == 1


def test_a_release_of_before_hashes_serves_again_and_the_alert_says_so(matrix: Any) -> None:
    lane = matrix.lanes[-1]
    target = lane.forget_hash()
    ended = lane.ended(lane.start("rollback", "unhashed", {"release": target}))
    assert (ended["status"], lane.serving()) == ("SUCCEEDED", target)
    (told,) = lane.told_about("unhashed")
    assert "its archive was not checked: the release was recorded before hashes were introduced" in told
