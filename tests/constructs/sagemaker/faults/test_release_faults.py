"""Each fault of each state of the release workflow that does not change the endpoint."""

from typing import Any

from tests.constructs.sagemaker.faults.release_cases import release_cases

LANES = 4
GOOD_RELEASES = 1

CASES = release_cases(
    (
        "Begin",
        "Extract",
        "Preprocess",
        "Train",
        "Score-Current-Step",
        "Evaluate",
        "Model-Creating-Step",
        "EndpointConfig-Step",
        "Roll-Back",
        "NotifySlackFailure",
    )
)


def test_the_endpoint_serves_a_good_model_and_one_alert_tells(matrix: Any, case: Any) -> None:
    assert matrix.problems[case.id] == []


def test_the_page_shows_these_results(page_says_so: Any) -> None:
    assert page_says_so("release")
