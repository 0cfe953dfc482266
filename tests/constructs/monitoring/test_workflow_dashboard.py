from collections.abc import Callable
from typing import Any

import aws_cdk as cdk

from cdk_fargate_sagemaker.monitoring import WorkflowDashboard
from cdk_fargate_sagemaker.sagemaker import ModelReleaseWorkflow
from tests.constructs.construct_tree import logical_id


def rows(widget: Any) -> list[Any]:
    return [row for row in widget["properties"]["metrics"] if row[-1].get("visible", True)]


def test_releases_and_rollbacks_by_how_they_ended(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, widgets_of: Callable[..., Any]
) -> None:
    WorkflowDashboard(stack, "Dashboard", workflow=workflow)
    widgets = widgets_of()
    for title, machine in (
        ("Releases, total in each period", workflow.state_machine),
        ("Rollbacks, total in each period", workflow.rollback.state_machine),
    ):
        drawn = rows(widgets[title])
        assert [(row[1], row[-1]["label"]) for row in drawn] == [
            ("ExecutionsStarted", "started"),
            ("ExecutionsSucceeded", "succeeded"),
            ("ExecutionsFailed", "failed"),
            ("ExecutionsTimedOut", "timed out"),
            ("ExecutionsAborted", "aborted"),
        ]
        assert {row[3] for row in drawn} == {f"<{logical_id(machine)}>"}
        assert {row[-1]["stat"] for row in drawn} == {"Sum"}
        assert widgets[title]["properties"]["period"] == 3600


def test_duration_is_in_minutes(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, widgets_of: Callable[..., Any]
) -> None:
    WorkflowDashboard(stack, "Dashboard", workflow=workflow)
    drawn = rows(widgets_of()["Duration, minutes"])
    assert [(row[0]["expression"], row[0]["label"]) for row in drawn] == [
        ("release / 60000", "release"),
        ("rollback / 60000", "rollback"),
    ]


def test_every_function_of_the_workflow_has_its_errors_drawn(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, widgets_of: Callable[..., Any]
) -> None:
    WorkflowDashboard(stack, "Dashboard", workflow=workflow)
    drawn = rows(widgets_of()["Errors of the steps' functions, total in each period"])
    assert {row[1] for row in drawn} == {"Errors"}
    assert {row[-1]["label"] for row in drawn} == {"Extractor", "Evaluator", "Checker", "Files", "Ledger", "Cleaner"}


def test_the_logs_say_what_ended_and_what_failed(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, widgets_of: Callable[..., Any]
) -> None:
    WorkflowDashboard(stack, "Dashboard", workflow=workflow)
    widgets = widgets_of()
    for title, event in (
        ("Ended, newest first", "ExecutionTimedOut"),
        ("Calls that failed, newest first", "TaskFailed"),
    ):
        query = widgets[title]["properties"]["query"]
        for log_group in (workflow.log_group, workflow.rollback.log_group):
            assert f"'<{logical_id(log_group)}>'" in query
        assert event in query
        assert widgets[title]["properties"]["view"] == "table"


def test_it_says_where_the_current_release_is_written(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, widgets_of: Callable[..., Any]
) -> None:
    WorkflowDashboard(stack, "Dashboard", workflow=workflow)
    text = widgets_of()["text"]["properties"]["markdown"]
    assert f"`{workflow.records.current_parameter_name}`" in text
    assert f"<{logical_id(workflow.records.table)}>" in text
    assert f"<{logical_id(workflow.rollback.state_machine)}>" in text
    assert "empty input, `{}`" in text
