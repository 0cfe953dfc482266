from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.monitoring import Change, ChangeLog, ChangeLogError, EndpointAlarms, EndpointDashboard
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointScaling,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
    ModelReleaseWorkflow,
    ServerlessInference,
    ShadowVariant,
)
from tests.constructs.construct_tree import logical_id

OF_REQUESTS = [
    "Invocations a minute",
    "Instances",
    "Model latency, ms",
    "Overhead latency, ms",
    "Errors, % of the requests",
    "Errors a minute",
]


def metrics_of(*variants: Any, **given: Any) -> EndpointMetrics:
    configuration = EndpointConfiguration(variants=variants or [EndpointVariant()], **given)
    return EndpointMetrics(endpoint_name="moderation", configuration=configuration)


def lines(widget: Any) -> list[Any]:
    """What is drawn: label and axis of each visible row."""
    rows = [row[-1] for row in widget["properties"]["metrics"]]
    return [(row["label"], row.get("yAxis", "left")) for row in rows if row.get("visible", True)]


def horizontal(widget: Any) -> list[Any]:
    annotations = widget["properties"].get("annotations", {})
    return [(line["label"], line["value"]) for line in annotations.get("horizontal", [])]


def test_the_screen(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of())
    widgets = widgets_of()
    assert list(widgets) == [*OF_REQUESTS, "CPU, % of a core", "Memory, %"]
    assert {(widget["x"], widget["width"]) for widget in widgets.values()} == {(0, 12), (12, 12)}
    assert all(widget["properties"]["period"] == 60 for widget in widgets.values())


def test_latency_is_drawn_at_p50_and_p99(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of())
    widgets = widgets_of()
    for title, name in (("Model latency, ms", "ModelLatency"), ("Overhead latency, ms", "OverheadLatency")):
        assert lines(widgets[title]) == [("p50", "left"), ("p99", "left")]
        hidden = [row for row in widgets[title]["properties"]["metrics"] if row[-1].get("visible") is False]
        assert [(row[1], row[-1]["stat"]) for row in hidden] == [(name, "p50"), (name, "p99")]


def test_errors_are_drawn_as_a_share_and_as_numbers(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of())
    widgets = widgets_of()
    assert lines(widgets["Errors a minute"]) == [("4xx", "left"), ("5xx", "left"), ("model", "left")]
    assert lines(widgets["Errors, % of the requests"]) == [("5xx, %", "left"), ("model errors, %", "left")]


def test_thresholds_are_horizontal_lines(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    metrics = metrics_of()
    alarms = EndpointAlarms(
        stack, "Alarms", endpoint=metrics, model_latency=cdk.Duration.millis(250), server_error_percent=2
    )
    EndpointDashboard(stack, "Dashboard", endpoint=metrics, alarms=alarms)
    widgets = widgets_of()
    # In the unit of the graph, whatever that of the alarm is.
    assert horizontal(widgets["Model latency, ms"]) == [("alarm: 250", 250)]
    assert horizontal(widgets["Errors, % of the requests"]) == [("alarm, 5xx: 2", 2), ("alarm, model errors: 1", 1)]
    assert horizontal(widgets["Overhead latency, ms"]) == []


def test_bounds_of_the_scaling_are_horizontal_lines(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    scaling = EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=100)
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(EndpointVariant(scaling=scaling)))
    assert horizontal(widgets_of()["Instances"]) == [("primary: least", 2), ("primary: most", 6)]


def test_a_release_draws_itself(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, widgets_of: Callable[..., Any]
) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(), workflow=workflow)
    widgets = widgets_of()
    for title in OF_REQUESTS:
        drawn = [label for label, axis in lines(widgets[title]) if axis == "right"]
        assert drawn == ["release", "rollback"]
        # A release is 1 on an axis that ends at 1: a line over the full height.
        assert widgets[title]["properties"]["yAxis"]["right"] == {"min": 0, "max": 1, "showUnits": False}
    rows = widgets["Instances"]["properties"]["metrics"]
    assert "IF(FILL(released, 0) > 0, 1, 0)" in [row[0]["expression"] for row in rows if isinstance(row[0], dict)]
    (released,) = [row for row in rows if row[-1].get("id") == "released"]
    assert released[:3] == ["AWS/States", "ExecutionsSucceeded", "StateMachineArn"]
    assert released[3] == f"<{logical_id(workflow.state_machine)}>"
    assert [axis for _, axis in lines(widgets["Memory, %"])] == ["left"]


def test_without_a_workflow_no_release_is_drawn(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of())
    assert all(axis == "left" for widget in widgets_of().values() for _, axis in lines(widget))


def test_changes_are_vertical_lines_on_every_graph(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    log = ChangeLog(changes=(Change(date=datetime(2026, 11, 2, 9, tzinfo=UTC), label="ml.c6i.large", author="mika"),))
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(), change_log=log)
    for widget in widgets_of().values():
        assert widget["properties"]["annotations"]["vertical"] == [
            {"value": "2026-11-02T09:00:00Z", "label": "ml.c6i.large (mika)"}
        ]


def test_fails_when_the_change_log_cannot_be_read(stack: cdk.Stack, tmp_path: Path) -> None:
    with pytest.raises(ChangeLogError, match="cannot be read"):
        EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(), change_log=tmp_path / "missing.yaml")


def test_gpus_are_drawn_where_there_are_any(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    gpu = EndpointVariant(name="gpu", instance_type="ml.g5.xlarge")
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(EndpointVariant(), gpu))
    widgets = widgets_of()
    assert lines(widgets["GPU, %"]) == [("gpu busy", "left"), ("gpu memory", "left")]
    assert lines(widgets["CPU, % of a core"]) == [("primary", "left"), ("gpu", "left")]
    assert widgets["GPU, %"]["width"] == 8


def test_the_shadow_has_its_load_and_no_instances_of_its_own(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(shadow=ShadowVariant(percent=10)))
    widgets = widgets_of()
    assert lines(widgets["CPU, % of a core"]) == [("primary", "left"), ("shadow", "left")]
    assert lines(widgets["Instances"]) == [("primary", "left")]


def test_serverless_has_no_instances(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(EndpointVariant(serverless=ServerlessInference())))
    widgets = widgets_of()
    assert "Instances" not in widgets
    assert "CPU, % of a core" not in widgets
    assert widgets["Memory, %"]["width"] == 24


def test_an_endpoint_can_be_given_in_place_of_its_metrics(
    stack: cdk.Stack, widgets_of: Callable[..., Any], model_image: ModelImage, models: s3.IBucket
) -> None:
    endpoint = InferenceEndpoint(
        stack, "Endpoint", endpoint_name="toxic", image=model_image, model_bucket=models, model_key="model.tar.gz"
    )
    EndpointDashboard(stack, "Dashboard", endpoint=endpoint, dashboard_name="toxic")
    expression, row = widgets_of()["Invocations a minute"]["properties"]["metrics"]
    assert expression[0]["expression"] == "total_requests * 60 / PERIOD(total_requests)"
    assert row[:6] == ["AWS/SageMaker", "Invocations", "EndpointName", "toxic", "VariantName", "primary"]


def test_a_dashboard_that_is_there_gets_the_widgets(stack: cdk.Stack, widgets_of: Callable[..., Any]) -> None:
    board = cloudwatch.Dashboard(stack, "Board")
    assert EndpointDashboard(stack, "Dashboard", endpoint=metrics_of(), dashboard=board).dashboard is board
    assert list(widgets_of()) == ["text", *OF_REQUESTS, "CPU, % of a core", "Memory, %"]
