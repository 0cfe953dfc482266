"""Flags graphs whose meaning changes: another period for a statistic that depends on the period."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.judges.flagged import flag, what
from cdk_review.reference_text import as_list, json_of, number_of, text_of
from fargate_capacity.metric_kind import is_total

TYPE = "AWS::CloudWatch::Dashboard"


def dashboard_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags of each dashboard that exists before and after."""
    for change in stack.changes:
        if change.type == TYPE and change.both:
            yield from _of_dashboard(change)


def widgets_of(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """The widgets of a dashboard's body; none if it is not JSON."""
    body = json_of(properties.get("DashboardBody"))
    widgets = body.get("widgets") if isinstance(body, dict) else None
    return [widget for widget in as_list(widgets) if isinstance(widget, dict)]


def widget_name(widget: dict[str, Any]) -> str:
    """A widget's name for people: its title, otherwise its kind and position."""
    properties = widget.get("properties")
    title = properties.get("title") if isinstance(properties, dict) else None
    return str(title) if title else f"{widget.get('type')} at {widget.get('x', 0)}, {widget.get('y', 0)}"


def _of_dashboard(change: Change) -> Iterator[Flag]:
    old = {widget_name(widget): widget for widget in widgets_of(change.was)}
    new = {widget_name(widget): widget for widget in widgets_of(change.now)}
    for name in sorted(old.keys() & new.keys()):
        was, now = (_counted(side[name]) for side in (old, new))
        lines = _lines(new[name])
        for series in sorted(was.keys() & now.keys()):
            before, after = was[series], now[series]
            if before == after:
                continue
            statistic = series.rpartition(" ")[2]
            if statistic == "SampleCount" or lines:
                yield flag(
                    change,
                    "period",
                    "high" if statistic == "SampleCount" else "medium",
                    f"{what(change)}: “{name}” counts {series} by {_period(after)} instead of {_period(before)}: "
                    f"its values are {_factor(before, after)}, or coarser where they are divided by the period",
                )
        # A line that follows a setting has the new value in its label.
        kept = {_without_numbers(line) for line in lines}
        lost = [line for line in _lines(old[name]) if _without_numbers(line) not in kept]
        if lost:
            yield flag(
                change,
                "loosened",
                "low",
                f"{what(change)}: “{name}” no longer draws the line {', '.join(sorted(lost)[:3])}",
            )


def _counted(widget: dict[str, Any]) -> dict[str, float | str]:
    """The period of each series whose values depend on it, by metric and statistic."""
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        return {}
    found: dict[str, float | str] = {}
    default_period, default_statistic = properties.get("period", 300), properties.get("stat", "Average")
    rows = [row for row in as_list(properties.get("metrics")) if isinstance(row, list)]
    expressions = [
        str(part["expression"]) for row in rows for part in row if isinstance(part, dict) and "expression" in part
    ]
    previous: list[Any] = []
    for row in rows:
        options = row[-1] if row and isinstance(row[-1], dict) else {}
        parts = [part for part in row if not isinstance(part, dict)]
        # A dot repeats the element above.
        named = [previous[place] if part == "." and place < len(previous) else part for place, part in enumerate(parts)]
        if parts[:1] == ["..."]:
            named = [*previous[: max(len(previous) - len(parts) + 1, 0)], *parts[1:]]
        previous = named
        statistic = str(options.get("stat", default_statistic))
        # The value of a total grows with the period: a threshold for one minute is wrong for five.
        if not is_total(statistic) or not named or (statistic != "SampleCount" and _is_divided(options, expressions)):
            continue
        period = options.get("period", default_period)
        number = number_of(period)
        key = " ".join([*map(text_of, named[1:2]), *map(text_of, named[3::2]), statistic])
        found[key] = text_of(period) if number is None else number
    return found


def _is_divided(options: dict[str, Any], expressions: list[str]) -> bool:
    """Whether a series is not drawn, and every expression that uses it is a quotient."""
    name = str(options.get("id", ""))
    if options.get("visible", True) is not False or not name:
        return False
    uses = [expression for expression in expressions if re.search(rf"\b{re.escape(name)}\b", expression)]
    # A quotient of two counts is the same at any period.
    return all("/" in expression for expression in uses)


def _lines(widget: dict[str, Any]) -> set[str]:
    properties = widget.get("properties")
    annotations = properties.get("annotations") if isinstance(properties, dict) else None
    horizontal = annotations.get("horizontal") if isinstance(annotations, dict) else None
    found = set()
    for line in as_list(horizontal):
        for end in as_list(line):
            if isinstance(end, dict):
                found.add(text_of(end.get("label", end.get("value", ""))))
    return found


def _without_numbers(label: str) -> str:
    return re.sub(r"\d+(?:[.,]\d+)*", "", label)


def _period(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value / 60:g} min" if value >= 60 else f"{value:g} s"


def _factor(before: float | str, after: float | str) -> str:
    if isinstance(before, str) or isinstance(after, str) or not before:
        return "others"
    factor = after / before
    return f"{factor:g} × as large" if factor >= 1 else f"{1 / factor:g} × smaller"
