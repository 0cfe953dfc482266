"""Parses a CloudWatch dashboard body into widgets on a grid of 24 columns.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fargate_capacity.annotations import Annotations, Axis, read_annotations
from fargate_capacity.hex_color import hex_color
from fargate_capacity.metric_shorthand import MetricRow, expand_shorthand

COLUMNS = 24
_DEFAULT_PERIOD_S = 300
_VIEWS = ("timeSeries", "singleValue", "bar", "pie", "gauge", "table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric with the statistic that is drawn.

    Args:
        dimensions: pairs of name and value, in the body's order.
        period_s: seconds between two points.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()
    stat: str = "Average"
    period_s: int = _DEFAULT_PERIOD_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Metric math over the ids of the same widget.

    Args:
        period_s: seconds between two points. Default: the longest period of its metrics.
    """

    text: str
    period_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a widget's metrics, with its rendering options.

    Args:
        label: the label as given, with dynamic parts. Default: made from the differences to the widget's other metrics.
        is_visible: whether it is drawn; an invisible row is only an input of expressions.
    """

    source: Metric | Expression
    id: str | None = None
    label: str | None = None
    color: str | None = None
    axis: Axis = "left"
    is_visible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class YAxis:
    """A widget's settings of one value axis; `None` is chosen from the data."""

    min: float | None = None
    max: float | None = None
    label: str | None = None
    shows_units: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The position and size of a widget, in columns and rows of the grid from the top left."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWidget:
    """Metrics as a graph or as numbers (`view`).

    Args:
        start, end: the widget's time range, in the body's format. Default: the dashboard's.
        shows_whole_range: whether a number, bar, pie or gauge covers the whole time range instead of the latest period.
        has_full_precision: whether a number has all digits that fit.
    """

    place: Place
    title: str
    view: str
    lines: tuple[Line, ...]
    annotations: Annotations
    left: YAxis
    right: YAxis
    legend: str = "bottom"
    is_stacked: bool = False
    has_sparkline: bool = False
    start: str | None = None
    end: str | None = None
    shows_whole_range: bool = False
    has_full_precision: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWidget:
    """Markdown."""

    place: Place
    markdown: str
    has_background: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmWidget:
    """The state of alarms, named by their ARNs."""

    place: Place
    title: str
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameWidget:
    """A widget that only CloudWatch can fill: a frame with a description."""

    place: Place
    title: str
    kind: str
    content: str


Widget = MetricWidget | TextWidget | AlarmWidget | FrameWidget


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardBody:
    """A dashboard body.

    Args:
        start: as given, in ISO 8601: a time, or a duration before the end such as `-PT3H`. Default: the viewer's
            choice.
        end: as given: a time. Default: now.
        keeps_periods: whether graphs keep the periods of their metrics (`periodOverride` is `inherit`). Default: the
            period adapts to the time range.
    """

    widgets: tuple[Widget, ...]
    start: str | None = None
    end: str | None = None
    keeps_periods: bool = False


def read_dashboard_body(text: str) -> DashboardBody:
    """Parses a body whose intrinsic functions are already text. A reference instead of a JSON value is read as text.

    Raises:
        ValueError: it is not JSON, or not an object with a list of widgets.
    """
    try:
        body = json.loads(_with_bare_references_quoted(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
        raise ValueError("got a body without widgets, allowed: an object with a list of widgets")
    flow = _Flow()
    return DashboardBody(
        widgets=tuple(_read_widget(widget, flow) for widget in body["widgets"]),
        start=body.get("start") if isinstance(body.get("start"), str) else None,
        end=body.get("end") if isinstance(body.get("end"), str) else None,
        keeps_periods=body.get("periodOverride") == "inherit",
    )


def _with_bare_references_quoted(text: str) -> str:
    """Quotes numbers that are known only at deployment: the body has them as `"value":${Target}`."""
    written: list[str] = []
    in_string, index = False, 0
    while index < len(text):
        closing = {"${": "}", "{{": "}}"}.get(text[index : index + 2])
        is_reference = closing == "}" or text.startswith("{{resolve:", index)
        if not in_string and closing and is_reference and (end := text.find(closing, index)) >= 0:
            written.append(json.dumps(text[index : end + len(closing)]))
            index = end + len(closing)
            continue
        if in_string and text[index] == "\\":
            written.append(text[index : index + 2])
            index += 2
            continue
        in_string ^= text[index] == '"'
        written.append(text[index])
        index += 1
    return "".join(written)


@dataclass(slots=True)
class _Flow:
    """Places widgets without a position: to the right of the previous one, or below if there is no room."""

    x: int = 0
    y: int = 0
    row_height: int = field(default=0)

    def place(self, declared: Mapping[str, Any]) -> Place:
        width = min(max(_whole(declared.get("width"), 6), 1), COLUMNS)
        height = max(_whole(declared.get("height"), 6), 1)
        if "x" in declared and "y" in declared:
            x = min(max(_whole(declared["x"], 0), 0), COLUMNS - width)
            y = max(_whole(declared["y"], 0), 0)
        else:
            if self.x + width > COLUMNS:
                self.x, self.y, self.row_height = 0, self.y + self.row_height, 0
            x, y = self.x, self.y
        if y == self.y:
            self.row_height = max(self.row_height, height)
        else:
            self.row_height = height
        self.x, self.y = x + width, y
        return Place(x=x, y=y, width=width, height=height)


def _read_widget(declared: Any, flow: _Flow) -> Widget:
    widget: Mapping[str, Any] = declared if isinstance(declared, dict) else {}
    place = flow.place(widget)
    given = widget.get("properties")
    properties: Mapping[str, Any] = given if isinstance(given, dict) else {}
    title = str(properties.get("title", ""))
    match widget.get("type"):
        case "text":
            return TextWidget(
                place=place,
                markdown=str(properties.get("markdown", "")),
                has_background=properties.get("background") != "transparent",
            )
        case "alarm":
            alarms = properties.get("alarms")
            return AlarmWidget(
                place=place, title=title, alarms=tuple(map(str, alarms)) if isinstance(alarms, list) else ()
            )
        case "metric":
            try:
                return _metric_widget(place, title, properties)
            except ValueError as error:
                return FrameWidget(place=place, title=title, kind="metrics that cannot be drawn", content=str(error))
        case "log":
            query = str(properties.get("query", ""))
            return FrameWidget(place=place, title=title, kind="log query", content=query)
        case "explorer":
            content = _listed(properties.get("metrics"))
            return FrameWidget(place=place, title=title, kind="metrics explorer", content=content)
        case "custom":
            content = str(properties.get("endpoint", ""))
            return FrameWidget(place=place, title=title, kind="custom widget", content=content)
        case other:
            return FrameWidget(place=place, title=title, kind=f"widget of type {other}", content="")


def _listed(metrics: Any) -> str:
    rows = metrics if isinstance(metrics, list) else []
    named = [f"{row.get('metricName')} ({row.get('stat', 'Average')})" for row in rows if isinstance(row, dict)]
    return "\n".join(named)


def _metric_widget(place: Place, title: str, properties: Mapping[str, Any]) -> MetricWidget:
    rows = properties.get("metrics", [])
    if not isinstance(rows, list):
        raise ValueError(f"metrics: got {rows!r}, allowed: an array of arrays")
    rows = rows or _insight_rule(properties)
    view = properties.get("view", "timeSeries")
    if view not in _VIEWS:
        raise ValueError(f"view: got {view}, allowed: {', '.join(_VIEWS)}")
    axes = properties.get("yAxis") if isinstance(properties.get("yAxis"), dict) else {}
    legend = properties.get("legend")
    return MetricWidget(
        place=place,
        title=title,
        view=view,
        lines=tuple(_line(row, properties) for row in expand_shorthand(rows)),
        annotations=read_annotations(properties.get("annotations")),
        left=_y_axis(axes, "left"),
        right=_y_axis(axes, "right"),
        legend=str(legend.get("position", "bottom")) if isinstance(legend, dict) else "bottom",
        is_stacked=properties.get("stacked") is True,
        has_sparkline=properties.get("sparkline") is True,
        start=properties.get("start") if isinstance(properties.get("start"), str) else None,
        end=properties.get("end") if isinstance(properties.get("end"), str) else None,
        shows_whole_range=properties.get("setPeriodToTimeRange") is True and view not in ("timeSeries", "table"),
        has_full_precision=properties.get("singleValueFullPrecision") is True,
    )


def _insight_rule(properties: Mapping[str, Any]) -> list[Any]:
    """The row for a rule of Contributor Insights, whose widget has no metrics."""
    rule = properties.get("insightRule")
    if not isinstance(rule, dict):
        return []
    name = str(rule.get("ruleName", "")).replace('"', "")
    return [[{"expression": f'INSIGHT_RULE("{name}", {_whole(rule.get("maxContributorCount"), 10)})'}]]


def _line(row: MetricRow, properties: Mapping[str, Any]) -> Line:
    options = row.options
    source: Metric | Expression
    if row.elements:
        namespace, name, *rest = row.elements
        source = Metric(
            namespace=namespace,
            name=name,
            dimensions=tuple(zip(rest[::2], rest[1::2], strict=True)),
            stat=str(options.get("stat") or properties.get("stat") or "Average"),
            period_s=max(_whole(options.get("period"), _whole(properties.get("period"), _DEFAULT_PERIOD_S)), 1),
        )
    else:
        period_s = _whole(options.get("period"), 0)
        source = Expression(text=str(options["expression"]), period_s=period_s or None)
    return Line(
        source=source,
        id=str(options["id"]) if options.get("id") else None,
        label=str(options["label"]) if options.get("label") else None,
        color=hex_color(options.get("color")),
        axis="right" if options.get("yAxis") == "right" else "left",
        is_visible=options.get("visible") is not False,
    )


def _y_axis(axes: Any, side: Axis) -> YAxis:
    declared = axes.get(side)
    if not isinstance(declared, dict):
        return YAxis()
    return YAxis(
        min=_real(declared.get("min")),
        max=_real(declared.get("max")),
        label=str(declared["label"]) if declared.get("label") else None,
        shows_units=declared.get("showUnits") is not False,
    )


def _real(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any, default: int) -> int:
    number = _real(value)
    return default if number is None else int(number)
