from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_fargate_sagemaker.monitoring import ReviewDashboard
from cdk_fargate_sagemaker.review import ReviewQueue
from tests.constructs.construct_tree import logical_id


@pytest.fixture
def reviews(stack: cdk.Stack) -> ReviewQueue:
    return ReviewQueue(stack, "Reviews")


@pytest.fixture
def widgets(stack: cdk.Stack, reviews: ReviewQueue, widgets_of: Callable[..., Any]) -> Any:
    ReviewDashboard(stack, "Dashboard", reviews=reviews)
    return widgets_of()


def measures(widget: Any) -> dict[str, Any]:
    return {row[1]: row[-1] for row in widget["properties"]["metrics"] if row[0] == "Reviews"}


def spread_of(name: str) -> set[Any]:
    return {f"{name}{part}" for part in ("Median", "P90", "Most")}


def test_the_figures_are_on_one_screen(widgets: Any) -> None:
    assert {title: set(measures(widget)) for title, widget in widgets.items()} == {
        "Posts that wait": {"Waiting"},
        "Age of the oldest, hours": {"OldestAge"},
        "Decisions of the day so far": {"Decisions"},
        "Reviewers of the day so far": {"Reviewers"},
        "Decisions per reviewer and day": spread_of("ReviewerDecisions"),
        "Seconds per decision, by reviewer": spread_of("DecisionSeconds"),
        "Severe posts, % of a reviewer's decisions": spread_of("SeverePercent"),
        "Precision of what is flagged, %": {"Precision", "PrecisionLow", "PrecisionHigh", "PrecisionAtMost"},
        "Violations that are flagged (recall), %": {"Recall", "RecallLow", "RecallHigh", "RecallAtMost"},
        "Agreement of two reviewers, Cohen's kappa": {"Agreement"},
        "Calls put off by the table, measurements that failed; total in each period": set(),
    }


@pytest.mark.parametrize(
    ("title", "name", "label"),
    [
        ("Precision of what is flagged, %", "Precision", "precision"),
        ("Violations that are flagged (recall), %", "Recall", "recall"),
    ],
)
def test_a_share_has_its_interval(widgets: Any, title: str, name: str, label: str) -> None:
    labels = {metric: options["label"] for metric, options in measures(widgets[title]).items()}
    assert labels == {
        name: label,
        f"{name}Low": "at least (95 %)",
        f"{name}High": "at most (95 %)",
        f"{name}AtMost": "at most, last 7 days (99.9 %)",
    }
    assert widgets[title]["properties"]["yAxis"]["left"]["max"] == 100


def test_a_days_decisions_are_its_highest_count(widgets: Any) -> None:
    (row,) = widgets["Decisions of the day so far"]["properties"]["metrics"]
    assert (widgets["Decisions of the day so far"]["properties"]["period"], row[-1]["stat"]) == (86400, "Maximum")


def test_a_reviewers_burden_is_a_spread_without_a_name(widgets: Any) -> None:
    drawn = measures(widgets["Severe posts, % of a reviewer's decisions"])
    assert {name: options["label"] for name, options in drawn.items()} == {
        "SeverePercentMost": "highest",
        "SeverePercentP90": "90th percentile",
        "SeverePercentMedian": "median",
    }


def test_the_oldest_is_in_hours(widgets: Any) -> None:
    drawn = widgets["Age of the oldest, hours"]["properties"]["metrics"]
    assert [row[0]["expression"] for row in drawn if len(row) == 1] == ["age / 3600"]


def test_every_line_is_of_the_queue_that_was_given(stack: cdk.Stack, reviews: ReviewQueue, widgets: Any) -> None:
    table = logical_id(reviews.table)
    function = logical_id(reviews.measuring_function)
    rows = [row for widget in widgets.values() for row in widget["properties"]["metrics"]]
    named = {part for row in rows for part in row if isinstance(part, str) and part.startswith("<")}
    assert named == {f"<{table}>", f"<{function}>"}
