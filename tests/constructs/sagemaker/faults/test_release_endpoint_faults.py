"""Each fault of each state of the release workflow from the endpoint's description to the end."""

from typing import Any

from tests.constructs.sagemaker.faults.release_cases import release_cases

LANES = 3
GOOD_RELEASES = 1

CASES = release_cases(
    (
        "Endpoint-Describing-Step",
        "Scaling-Lifting-Step",
        "Endpoint-Creating-Step",
        "Endpoint-Updating-Step",
        "Describe",
        "Scaling-Registering-Step",
        "Scaling-Policy-Step",
        "Check",
        "Record",
        "Clean-Up",
        "NotifySlackCleanUp",
    )
)


def test_the_endpoint_serves_a_good_model_and_one_alert_tells(matrix: Any, case: Any) -> None:
    assert matrix.problems[case.id] == []


def test_the_page_shows_these_results(page_says_so: Any) -> None:
    assert page_says_so("endpoint")
