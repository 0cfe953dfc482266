import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fargate_capacity.alarms import Alarms
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.csv_series import CsvSeries
from fargate_capacity.dashboard_body import MetricWidget, read_dashboard_body
from fargate_capacity.sample_series import SampleSeries, SampleService
from fargate_capacity.time_window import TimeWindow
from fargate_capacity.widget_series import WidgetSeries, resolve_widget

_HOUR = TimeWindow(start=datetime(2026, 11, 1, 9, tzinfo=UTC), end=datetime(2026, 11, 1, 10, tzinfo=UTC))

Resolve = Callable[..., WidgetSeries]


@pytest.fixture
def resolve(write_assembly: Callable[..., Path]) -> Resolve:
    """Resolves a widget of these properties among these resources, on sample series unless a file is given."""

    def resolved(resources: dict[str, Any], *, data: CsvSeries | None = None, **properties: Any) -> WidgetSeries:
        assembly = CloudAssembly(write_assembly({"Resources": resources}))
        text = json.dumps({"widgets": [{"type": "metric", "properties": properties}]})
        (widget,) = read_dashboard_body(text).widgets
        assert isinstance(widget, MetricWidget)
        window = data.window if data else _HOUR
        return resolve_widget(
            widget,
            source=data or SampleSeries(window=window, service=SampleService(), seed="a"),
            window=window,
            alarms=Alarms(assembly=assembly, template=assembly.templates[0]),
        )

    return resolved


def test_an_expression_is_made_of_its_metrics(resolve: Resolve) -> None:
    drawn = resolve(
        {},
        metrics=[
            ["AWS/ECS", "CPUUtilization", {"id": "m1", "label": "cpu", "period": 60}],
            ["AWS/ECS", "MemoryUtilization", {"id": "m2", "visible": False, "period": 300}],
            [{"expression": "e2 / 2", "label": "half", "color": "#010203"}],
            [{"expression": "m1 + m2", "id": "e2", "visible": False}],
        ],
    )
    cpu, half = drawn.series
    assert (cpu.label, half.label, half.color, half.unit) == ("cpu", "half", "#010203", "No unit")
    # It has the longest period of what it is made of.
    assert (cpu.times.size, half.times.size) == (60, 12)
    assert drawn.notes == ()


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        ([["A", "X", "D", "1"]], ["X"]),
        ([["A", "X", "D", "1"], ["A", "X", "D", "2"]], ["1", "2"]),
        ([["A", "X", "D", "1"], ["A", "X", "D", "1", {"stat": "Sum"}]], ["Average", "Sum"]),
        ([["A", "X", "D", "1"], ["A", "Y"]], ["X", "Y"]),
        ([["A", "X", {"label": "${PROP('MetricName')} of ${PROP('Dim.D')}"}]], ["X of ${PROP('Dim.D')}"]),
        ([[{"expression": "TIME_SERIES(1500)", "label": "[${MAX}] ${LAST}"}]], ["[1.5K] 1.5K"]),
    ],
)
def test_a_label_is_what_tells_a_metric_from_the_others(resolve: Resolve, rows: list[Any], labels: list[str]) -> None:
    assert [series.label for series in resolve({}, metrics=rows).series] == labels


_ALARM = {
    "Type": "AWS::CloudWatch::Alarm",
    "Properties": {
        "AlarmName": "hot",
        "Namespace": "AWS/ECS",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "ServiceName", "Value": "api"}],
        "Statistic": "Maximum",
        "Period": 60,
        "Threshold": 80,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 2,
    },
}


@pytest.mark.parametrize("arn", ["${Hot.Arn}", "arn:aws:cloudwatch:eu-west-1:${AWS::AccountId}:alarm:hot"])
def test_an_alarm_brings_its_threshold_and_what_it_watches(resolve: Resolve, arn: str) -> None:
    drawn = resolve({"Hot": _ALARM}, annotations={"alarms": [arn]})
    (threshold,) = drawn.annotations.horizontal
    assert getattr(threshold, "value", None) == 80
    assert getattr(threshold, "label", None) == "CPUUtilization > 80"
    (series,) = drawn.series
    assert (series.label, series.unit, series.times.size) == ("CPUUtilization", "Percent", 60)


def test_an_alarm_beside_metrics_brings_its_threshold_alone(resolve: Resolve) -> None:
    drawn = resolve({"Hot": _ALARM}, metrics=[["Own", "Orders"]], annotations={"alarms": ["${Hot.Arn}"]})
    assert [series.label for series in drawn.series] == ["Orders"]
    assert len(drawn.annotations.horizontal) == 1


def test_an_alarm_on_metric_math_is_evaluated(resolve: Resolve) -> None:
    metric = {"Metric": {"Namespace": "Own", "MetricName": "Orders"}, "Stat": "Sum", "Period": 60}
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Threshold": 5,
            "ComparisonOperator": "LessThanThreshold",
            "Metrics": [
                {"Id": "e", "Expression": "o * 0 + 3", "Label": "three"},
                {"Id": "o", "MetricStat": metric, "ReturnData": False},
            ],
        },
    }
    (series,) = resolve({"Few": alarm}, annotations={"alarms": ["${Few.Arn}"]}).series
    assert series.label == "three"
    assert set(series.values.tolist()) == {3.0}


def test_alarms_without_a_threshold_are_told(resolve: Resolve) -> None:
    composite = {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {"AlarmName": "degraded", "AlarmRule": "x"}}
    drawn = resolve({"Degraded": composite}, annotations={"alarms": ["${Degraded.Arn}", "${Gone.Arn}"]})
    assert drawn.notes == (
        "alarm degraded: it has no threshold that is known before the deploy",
        "alarm ${Gone.Arn}: no template of this assembly declares it",
    )


def test_a_metric_without_a_column_leaves_out_what_is_made_of_it(resolve: Resolve, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,Own/A/Sum\n2026-11-01T09:00:00Z,1\n2026-11-01T09:01:00Z,\n2026-11-01T09:02:00Z,3\n")
    drawn = resolve(
        {},
        data=CsvSeries(path),
        stat="Sum",
        period=60,
        metrics=[
            ["Own", "A", {"id": "a"}],
            ["Own", "B", {"id": "b", "visible": False}],
            [{"expression": "a + b", "label": "both"}],
            [{"expression": "FILL(a, 0) * 2", "label": "twice"}],
        ],
    )
    assert [series.label for series in drawn.series] == ["A", "twice"]
    np.testing.assert_array_equal(drawn.series[0].values, [1, np.nan, 3])
    np.testing.assert_array_equal(drawn.series[1].values, [2, 0, 6])
    assert drawn.notes == ("series.csv has no column 'Own/B/Sum'",)


_SEARCH = "SEARCH('{AWS/Lambda,FunctionName} MetricName=\"Errors\"', 'Sum', 60)"


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        (_SEARCH, ["Errors FunctionName 1", "Errors FunctionName 2", "Errors FunctionName 3"]),
        (f"SORT({_SEARCH}, SUM, DESC, 2)", ["Errors 1", "Errors 2"]),
        (f"SUM({_SEARCH})", ["Errors"]),
        (f"100 * SUM({_SEARCH}) / 5", ["Errors"]),
        ('SELECT SUM(Errors) FROM SCHEMA("AWS/Lambda", FunctionName)', ["Errors"]),
        ("INSIGHT_RULE_METRIC('top', 'Sum')", ["Contributors"]),
        ("SLICE(" + _SEARCH + ", 1)", ["Errors 1", "Errors 2"]),
    ],
)
def test_what_only_cloudwatch_finds_is_drawn_as_samples_and_said(
    resolve: Resolve, expression: str, labels: list[str]
) -> None:
    drawn = resolve({}, metrics=[[{"expression": expression, "period": 60}]])
    assert [series.label for series in drawn.series] == labels
    assert all(series.values.size == 60 and np.isfinite(series.values).all() for series in drawn.series)
    assert any("samples stand for" in note for note in drawn.notes)


def test_several_series_may_be_used_by_their_id(resolve: Resolve) -> None:
    drawn = resolve(
        {},
        metrics=[
            [{"expression": _SEARCH, "id": "found", "visible": False, "period": 60}],
            [{"expression": "MAX(found)", "label": "most", "period": 60}],
        ],
    )
    assert [series.label for series in drawn.series] == ["most"]


def test_a_rule_of_contributor_insights_is_drawn(resolve: Resolve) -> None:
    drawn = resolve({}, insightRule={"ruleName": "top", "maxContributorCount": 2, "orderBy": "Sum"}, period=60)
    assert [series.label for series in drawn.series] == ["Contributors Contributor 1", "Contributors Contributor 2"]


def test_a_band_of_anomaly_detection_has_two_edges(resolve: Resolve) -> None:
    drawn = resolve(
        {},
        metrics=[["AWS/ECS", "CPUUtilization", {"id": "m1"}], [{"expression": "ANOMALY_DETECTION_BAND(m1, 2)"}]],
    )
    assert len(drawn.series) == 3


def test_a_query_has_no_series_among_ones_own_data(resolve: Resolve, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,errors\n2026-11-01T09:00:00Z,1\n2026-11-01T09:01:00Z,2\n")
    drawn = resolve(
        {},
        data=CsvSeries(path),
        metrics=[[{"expression": _SEARCH, "period": 60}], [{"expression": _SEARCH, "label": "errors", "period": 60}]],
    )
    assert [(series.label, series.values.tolist()) for series in drawn.series] == [("errors", [1.0, 2.0])]
    assert "has no column" in drawn.notes[0]


@pytest.mark.parametrize(
    ("stat", "whole"), [("Sum", 1 + 2 + 6), ("Maximum", 6), ("Minimum", 1), ("Average", 3), ("SampleCount", 9)]
)
@pytest.mark.parametrize("view", ["singleValue", "bar", "pie", "gauge"])
def test_a_number_may_be_of_the_whole_time(
    resolve: Resolve, tmp_path: Path, view: str, stat: str, whole: float
) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,x\n2026-11-01T09:00:00Z,1\n2026-11-01T09:01:00Z,6\n2026-11-01T09:02:00Z,2\n")
    properties = {"metrics": [["Own", "X", {"label": "x", "stat": stat, "period": 60}]], "view": view}
    (of_all,) = resolve({}, data=CsvSeries(path), setPeriodToTimeRange=True, **properties).series
    assert of_all.last == whole
    # Its course is drawn all the same.
    assert of_all.values.size == 3


def test_a_number_is_of_the_latest_period_else(resolve: Resolve, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,x\n2026-11-01T09:00:00Z,1\n2026-11-01T09:01:00Z,6\n2026-11-01T09:02:00Z,2\n")
    properties = {"metrics": [["Own", "X", {"label": "x", "stat": "Sum", "period": 60}]]}
    (latest,) = resolve({}, data=CsvSeries(path), view="singleValue", **properties).series
    assert latest.last == 2


def test_a_share_of_the_whole_time_is_made_of_whole_sums(resolve: Resolve, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,e,r\n2026-11-01T09:00:00Z,1,10\n2026-11-01T09:01:00Z,9,10\n2026-11-01T09:02:00Z,0,80\n")
    rows = [
        [{"expression": "100 * e / r", "label": "rate", "period": 60}],
        *(
            ["Own", name.upper(), {"id": name, "label": name, "stat": "Sum", "period": 60, "visible": False}]
            for name in ("e", "r")
        ),
    ]
    (rate,) = resolve({}, data=CsvSeries(path), metrics=rows, view="singleValue", setPeriodToTimeRange=True).series
    assert rate.last == 10


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("${PROP(\"Dim.D\")} ${PROP('Stat')}", "1 Average"),
        ("${DATAPOINT_COUNT} since ${FIRST_TIME}", "12 since 2026-11-01 09:00 UTC"),
        ("${LAST_TIME_RELATIVE}", "0m ago"),
        ("${PROP('Nothing')}", "${PROP('Nothing')}"),
    ],
)
def test_a_label_has_properties_and_times(resolve: Resolve, label: str, expected: str) -> None:
    (series,) = resolve({}, metrics=[["A", "X", "D", "1", {"label": label}]]).series
    assert series.label == expected


def test_a_label_tells_what_a_search_found(resolve: Resolve) -> None:
    drawn = resolve({}, metrics=[[{"expression": _SEARCH, "label": "[${PROP('Dim.FunctionName')}]", "period": 60}]])
    assert [series.label for series in drawn.series] == [f"[FunctionName {n}]" for n in (1, 2, 3)]


def test_a_quota_is_a_sample_above_what_is_used(resolve: Resolve) -> None:
    used, quota = resolve(
        {}, metrics=[["AWS/Usage", "ResourceCount", {"id": "m1"}], [{"expression": "SERVICE_QUOTA(m1)"}]]
    ).series
    assert (quota.values > used.values).all()
