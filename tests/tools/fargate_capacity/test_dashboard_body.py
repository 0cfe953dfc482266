import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from fargate_capacity.annotations import HorizontalBand, HorizontalLine, VerticalBand, VerticalLine
from fargate_capacity.dashboard_body import (
    DashboardBody,
    Expression,
    Metric,
    MetricWidget,
    Place,
    TextWidget,
    YAxis,
    read_dashboard_body,
)


def _read(*widgets: Any, **further: Any) -> DashboardBody:
    return read_dashboard_body(json.dumps({"widgets": list(widgets), **further}))


def _metric_widget(**properties: Any) -> MetricWidget:
    (widget,) = _read({"type": "metric", "properties": properties}).widgets
    assert isinstance(widget, MetricWidget)
    return widget


def test_a_metric_takes_what_its_widget_says_and_its_options_override() -> None:
    widget = _metric_widget(
        metrics=[["AWS/ECS", "CPUUtilization", "ServiceName", "api"], ["...", {"stat": "Maximum", "period": 300}]],
        stat="Sum",
        period=60,
    )
    first, second = (line.source for line in widget.lines)
    assert first == Metric(
        namespace="AWS/ECS", name="CPUUtilization", dimensions=(("ServiceName", "api"),), stat="Sum", period_s=60
    )
    assert isinstance(second, Metric)
    assert (second.stat, second.period_s) == ("Maximum", 300)


def test_reads_how_lines_and_axes_are_drawn() -> None:
    widget = _metric_widget(
        metrics=[[{"expression": "m1*2", "id": "e1", "label": "twice", "color": "#ff0000", "yAxis": "right"}]],
        yAxis={"right": {"min": 0, "max": 50, "label": "$", "showUnits": False}},
        stacked=True,
        legend={"position": "hidden"},
    )
    (line,) = widget.lines
    assert line.source == Expression(text="m1*2")
    assert (line.id, line.label, line.color, line.axis) == ("e1", "twice", "#ff0000", "right")
    assert widget.right == YAxis(min=0, max=50, label="$", shows_units=False)
    assert (widget.is_stacked, widget.legend) == (True, "hidden")


def test_reads_lines_and_bands_across() -> None:
    widget = _metric_widget(
        annotations={
            "horizontal": [
                {"value": 5, "label": "five", "fill": "above", "color": "#112233", "yAxis": "right"},
                [{"value": 80, "label": "spike"}, {"value": 60, "label": "target"}],
                {"value": 1, "visible": False},
            ],
            "vertical": [
                {"value": "2026-11-01T09:00:00+09:00", "label": "deploy", "fill": "after"},
                [{"value": "2026-11-01T02:00:00Z", "label": "from"}, {"value": "2026-11-01T01:00:00", "label": "to"}],
            ],
        }
    )
    line, band = widget.annotations.horizontal
    assert line == HorizontalLine(value=5, label="five", fill="above", color="#112233", axis="right")
    assert isinstance(band, HorizontalBand)
    assert (band.lower.label, band.upper.label) == ("target", "spike")
    moment, span = widget.annotations.vertical
    assert moment == VerticalLine(time=datetime(2026, 11, 1, tzinfo=UTC), label="deploy", fill="after")
    assert isinstance(span, VerticalBand)
    assert (span.start.label, span.end.label) == ("to", "from")
    assert widget.annotations.unread == ()


def test_tells_of_annotations_that_cannot_be_drawn() -> None:
    widget = _metric_widget(
        annotations={
            "horizontal": [{"value": "${Target.Value}", "label": "target"}, {"label": "none"}, [{"value": 1}]],
            "vertical": [{"value": "yesterday", "label": "deploy"}],
        }
    )
    assert [line.partition(",")[0] for line in widget.annotations.unread] == [
        "horizontal line 'target': its value ${Target.Value} is known only after the deploy",
        "horizontal line 'none': got the value None",
        "horizontal line got [{'value': 1}]",
        "vertical line 'deploy': got the value 'yesterday'",
    ]


def test_a_reference_stands_where_a_number_should() -> None:
    text = (
        '{"widgets":[{"type":"metric","properties":{"title":"a \\"${x}\\"","metrics":[],'
        '"annotations":{"horizontal":[{"value":${Target.Value}},{"value":{{resolve:ssm:/shop/target}}}]}}}]}'
    )
    (widget,) = read_dashboard_body(text).widgets
    assert isinstance(widget, MetricWidget)
    assert widget.title == 'a "${x}"'
    assert [line.partition(" is known")[0] for line in widget.annotations.unread] == [
        "horizontal line its value ${Target.Value}",
        "horizontal line its value {{resolve:ssm:/shop/target}}",
    ]


def test_widgets_without_a_place_follow_each_other() -> None:
    text = {"type": "text", "properties": {"markdown": "x"}}
    body = _read({**text, "width": 12}, {**text, "width": 12, "height": 3}, {**text, "width": 6}, text)
    assert [widget.place for widget in body.widgets] == [
        Place(x=0, y=0, width=12, height=6),
        Place(x=12, y=0, width=12, height=3),
        Place(x=0, y=6, width=6, height=6),
        Place(x=6, y=6, width=6, height=6),
    ]


def test_a_widget_stays_on_the_grid() -> None:
    (widget,) = _read({"type": "text", "x": 20, "y": 1, "width": 99, "properties": {"markdown": "x"}}).widgets
    assert isinstance(widget, TextWidget)
    assert widget.place == Place(x=0, y=1, width=24, height=6)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "the body is not JSON"),
        ("[]", "got a body without widgets"),
        ('{"widgets": {}}', "got a body without widgets"),
        ('{"widgets": [${Widgets}', "the body is not JSON"),
    ],
)
def test_fails_when_it_is_no_body(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read_dashboard_body(text)
