"""Resolves a metric widget: series of its metrics, values of its expressions, labels and alarms."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fargate_capacity import metric_expression, metric_math, metric_queries
from fargate_capacity.alarms import Alarms
from fargate_capacity.annotations import Annotations, Axis, HorizontalLine
from fargate_capacity.compact_number import compact_number
from fargate_capacity.dashboard_body import Expression, Line, Metric, MetricWidget
from fargate_capacity.metric_kind import is_total, unit_of
from fargate_capacity.time_window import TimeWindow

# CloudWatch's default period of a metric.
_QUERY_PERIOD_S = 300
Values = NDArray[np.float64]
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
_DYNAMIC_LABEL = re.compile(
    r"\$\{\s*((?:MIN|MAX|FIRST|LAST)(?:_TIME(?:_RELATIVE)?)?|AVG|SUM|DATAPOINT_COUNT|LABEL|"
    r"PROP\(\s*['\"]?([^'\")]+)['\"]?\s*\))\s*\}"
)
_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")


class SeriesSource(Protocol):
    """A source of metric values."""

    @property
    def is_sample(self) -> bool:
        """Whether the series are samples, available for any metric."""
        ...

    def period_s(self, metric: Metric) -> int:
        """The period at which a metric is drawn, in seconds."""
        ...

    def values(self, metric: Metric, label: str | None, period_s: int) -> Values | None:
        """The values on the window's grid of a period, NaN for a gap; `None` if the metric is missing."""
        ...

    def note(self, metric: Metric, label: str | None) -> str | None:
        """The reason why there are none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSeries:
    """One line of a graph; times are in seconds since 1970, gaps are NaN.

    Args:
        whole: the value for the whole time range. Default: numbers show the latest value.
    """

    label: str
    times: NDArray[np.int64]
    values: Values
    color: str
    axis: Axis
    unit: str
    whole: float | None = None

    @property
    def last(self) -> float:
        """The value for the whole time range if set, otherwise the latest value; NaN if there is none."""
        if self.whole is not None:
            return self.whole
        present = self.values[~np.isnan(self.values)]
        return float(present[-1]) if present.size else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetSeries:
    """Everything that a metric widget draws, and one message per thing that it cannot draw."""

    series: tuple[DrawnSeries, ...]
    annotations: Annotations
    notes: tuple[str, ...]


def resolve_widget(
    widget: MetricWidget,
    *,
    source: SeriesSource,
    window: TimeWindow,
    alarms: Alarms,
    period_s: int | None = None,
) -> WidgetSeries:
    """Computes a widget's series.

    Args:
        widget: the dashboard's widget.
        source: the source of the series.
        window: the drawn time range.
        alarms: the assembly's alarms, for thresholds.
        period_s: the period of every metric and expression. Default: each one's own.
    """
    notes = list(widget.annotations.unread)
    lines, thresholds = list(widget.lines), list[HorizontalLine]()
    for arn in widget.annotations.alarms:
        alarm = alarms.find(arn)
        if alarm is None:
            notes.append(f"alarm {alarms.shown_name(arn)}: no template of this assembly declares it")
            continue
        if alarm.threshold is None:
            notes.append(f"alarm {alarm.name}: it has no threshold that is known before the deploy")
        else:
            thresholds.append(alarm.threshold)
        # A widget with only an alarm shows the alarm's metrics.
        if not widget.lines:
            lines.extend(alarm.lines)
    if period_s is not None:
        lines = [
            dataclasses.replace(line, source=dataclasses.replace(line.source, period_s=period_s)) for line in lines
        ]
    resolver = _Resolver(lines, source=source, window=window, notes=notes)
    series = resolver.drawn()
    if widget.shows_whole_range:
        wholes = _Resolver(lines, source=source, window=window, notes=[], is_whole=True).drawn()
        if len(wholes) == len(series):
            series = [dataclasses.replace(one, whole=all_of.last) for one, all_of in zip(series, wholes, strict=True)]
    annotations = dataclasses.replace(
        widget.annotations, horizontal=(*widget.annotations.horizontal, *thresholds), alarms=(), unread=()
    )
    return WidgetSeries(series=tuple(series), annotations=annotations, notes=tuple(dict.fromkeys(notes)))


class _Resolver:
    """Computes the series of a widget's lines.

    Args:
        is_whole: whether each metric has one value for the whole time range, on which expressions are evaluated.
    """

    def __init__(
        self,
        lines: list[Line],
        *,
        source: SeriesSource,
        window: TimeWindow,
        notes: list[str],
        is_whole: bool = False,
    ) -> None:
        self._lines, self._source, self._window, self._notes = lines, source, window, notes
        self._is_whole = is_whole
        # The results of a line's queries, in the order of its series.
        self._found: dict[int, list[Metric]] = {}
        self._by_id = {line.id: line for line in lines if line.id}
        self._labels = _labels(lines)

    def drawn(self) -> list[DrawnSeries]:
        drawn: list[DrawnSeries] = []
        for index, line in enumerate(self._lines):
            if not line.is_visible:
                continue
            label = self._labels[index]
            period_s = self._period_s(line, frozenset())
            try:
                value = self._value(line, period_s, frozenset())
            except metric_expression.MetricMathError as error:
                text = line.source.text if isinstance(line.source, Expression) else ""
                self._notes.append(f"{label}: the expression {text} cannot be drawn: {error}")
                continue
            if value is None:
                continue
            times = self._grid(period_s)
            several = value if isinstance(value, list) else [value]
            found = self._found.get(id(line), [])
            named = _names_of(found) if len(found) == len(several) else [str(n + 1) for n in range(len(several))]
            for number, one in enumerate(several):
                values = np.full(times.shape, one) if isinstance(one, float) else one
                # A label that already includes the results is complete.
                is_told = found and ("PROP(" in label or "${LABEL}" in label)
                numbered = f"{label} {named[number]}" if len(several) > 1 and not is_told else label
                shown = dataclasses.replace(line, source=found[number]) if len(found) == len(several) else line
                color = line.color if line.color and len(several) == 1 else _COLORS[len(drawn) % len(_COLORS)]
                drawn.append(
                    DrawnSeries(
                        label=_with_dynamic_parts(numbered, shown, times, values),
                        times=times,
                        values=values,
                        color=color,
                        axis=line.axis,
                        unit=unit_of(shown.source) if isinstance(shown.source, Metric) else "No unit",
                    )
                )
        return drawn

    def _period_s(self, line: Line, above: frozenset[int]) -> int:
        """An expression's own period, otherwise the longest period of its metrics."""
        if isinstance(line.source, Metric):
            return self._source.period_s(line.source)
        if id(line) in above:
            return 60
        periods = [self._period_s(part, above | {id(line)}) for part in self._parts(line.source)]
        own = line.source.period_s or self._queried_period_s(line.source.text)
        return max([self._window.drawn_period_s(own), *periods] if own else [*periods, 60 if not periods else 1])

    def _grid(self, period_s: int) -> NDArray[np.int64]:
        if self._is_whole:
            return np.array([int(self._window.start.timestamp())], dtype=np.int64)
        return self._window.grid(period_s)

    def _queried_period_s(self, text: str) -> int | None:
        """The longest period of the queries in an expression; five minutes if they have none."""
        if metric_queries.is_metrics_insights(text):
            return _QUERY_PERIOD_S
        try:
            calls = metric_expression.queries(metric_expression.parse(text))
        except metric_expression.MetricMathError:
            return None
        return max((_query_of(call).period_s or _QUERY_PERIOD_S for call in calls), default=None)

    def _queried(self, line: Line, query: metric_queries.MetricQuery, period_s: int) -> metric_math.Value:
        """Sample series for the results of a query."""
        if not self._source.is_sample:
            values = self._measured(query.found[0], line.label, period_s) if line.label else None
            if values is None:
                raise metric_expression.MetricMathError(
                    "what a query finds has no column, allowed: one of the line's label"
                )
            return values
        self._notes.append(query.note)
        series = []
        for number, metric in enumerate(query.found):
            values = self._measured(metric, None, period_s)
            # Otherwise all series would show the same service's day.
            series.append((values if values is not None else np.array([])) * 0.87**number)
        self._found.setdefault(id(line), []).extend(query.found)
        return series if len(series) > 1 else series[0]

    def _measured(self, metric: Metric, label: str | None, period_s: int) -> Values | None:
        values = self._source.values(metric, label, period_s)
        if values is None or not self._is_whole:
            return values
        present = values[~np.isnan(values)]
        if not present.size:
            return np.array([np.nan])
        match metric.stat:
            case stat if is_total(stat):
                return np.array([present.sum()])
            case "Maximum":
                return np.array([present.max()])
            case "Minimum":
                return np.array([present.min()])
        return np.array([present.mean()])

    def _parts(self, expression: Expression) -> list[Line]:
        try:
            node = metric_expression.parse(expression.text)
        except metric_expression.MetricMathError:
            return []
        named = [self._by_id[name] for name in metric_expression.references(node) if name in self._by_id]
        return named + (self._metrics() if metric_expression.uses_all_metrics(node) else [])

    def _metrics(self) -> list[Line]:
        return [line for line in self._lines if line.id and isinstance(line.source, Metric)]

    def _value(self, line: Line, period_s: int, above: frozenset[str]) -> metric_math.Value | None:
        label = line.label
        if isinstance(line.source, Metric):
            values = self._measured(line.source, label, period_s)
            if values is None and (note := self._source.note(line.source, label)):
                self._notes.append(note)
            return values
        if line.id and line.id in above:
            raise metric_expression.MetricMathError(f"{line.id} is made of itself")
        if metric_queries.is_metrics_insights(line.source.text):
            return self._queried(line, metric_queries.metrics_insights(line.source.text), period_s)
        node = metric_expression.parse(line.source.text)
        series: dict[str, Values] = {}
        several: dict[str, list[Values]] = {}
        names = metric_expression.references(node) & self._by_id.keys()
        parts = [self._by_id[name] for name in sorted(names)]
        for part in (*parts, *(self._metrics() if metric_expression.uses_all_metrics(node) else ())):
            value = self._value(part, period_s, above | {line.id or ""})
            if value is None:
                return None
            if isinstance(value, list):
                several[part.id or ""] = value
                continue
            series[part.id or ""] = np.full(self._grid(period_s).shape, value) if isinstance(value, float) else value
        inputs = metric_math.Inputs(
            times=self._grid(period_s),
            period_s=int(self._window.seconds) if self._is_whole else period_s,
            series=series,
            several=several,
            metrics=[line.id for line in self._metrics() if line.id],
            query=lambda function, arguments: self._queried(
                line, _query_of(metric_expression.Call(function, arguments)), period_s
            ),
        )
        return metric_math.evaluate(node, inputs)


def _query_of(call: metric_expression.Call) -> metric_queries.MetricQuery:
    """The query of a call that searches for metrics."""
    texts = [each.value for each in call.arguments if isinstance(each, metric_expression.Text)]
    numbers = [int(each.value) for each in call.arguments if isinstance(each, metric_expression.Number)]
    if call.function == "SEARCH":
        stat = texts[1] if len(texts) > 1 else None
        return metric_queries.search(texts[0] if texts else "", stat, next(iter(numbers), None) or None)
    if call.function == "INSIGHT_RULE":
        return metric_queries.contributor_insights(texts[0] if texts else "", next(iter(numbers), 10))
    if call.function == "INSIGHT_RULE_METRIC":
        return metric_queries.contributor_insights(texts[0] if texts else "", 1)
    return metric_queries.search(f'Namespace="AWS/RDS" MetricName="{texts[-1] if texts else "DBLoad"}"', None, None)


def _names_of(found: list[Metric]) -> list[str]:
    """The differences between the found metrics."""
    several = len({metric.name for metric in found}) > 1
    names = []
    for number, metric in enumerate(found, start=1):
        values = [value for _, value in metric.dimensions]
        names.append(" ".join([*([metric.name] if several else []), *values]) or str(number))
    return names


def _labels(lines: list[Line]) -> list[str]:
    """A metric without a label is named by its differences to the other metrics of the widget."""
    shown = [line for line in lines if line.is_visible and isinstance(line.source, Metric)]
    parts = {
        id(line): (line.source.name, *(value for _, value in line.source.dimensions), line.source.stat)
        for line in shown
        if isinstance(line.source, Metric)
    }
    is_alike = {len(part) for part in parts.values()}
    labels = []
    for line in lines:
        if line.label:
            labels.append(line.label)
        elif isinstance(line.source, Expression):
            labels.append(_queried_name(line.source.text) or line.id or line.source.text)
        elif id(line) not in parts or len(is_alike) > 1:
            labels.append(line.source.name)
        else:
            own = parts[id(line)]
            telling = [part for index, part in enumerate(own) if len({other[index] for other in parts.values()}) > 1]
            labels.append(" ".join(telling) or line.source.name)
    return labels


def _queried_name(text: str) -> str | None:
    """The metric name that an expression searches for; None if it does not search."""
    if metric_queries.is_metrics_insights(text):
        return metric_queries.metrics_insights(text).found[0].name
    try:
        calls = metric_expression.queries(metric_expression.parse(text))
    except metric_expression.MetricMathError:
        return None
    return _query_of(calls[0]).found[0].name if calls else None


def _with_dynamic_parts(label: str, line: Line, times: NDArray[np.int64], values: Values) -> str:
    """Replaces a label's `${MAX}`, `${LAST}`, `${PROP('MetricName')}` and similar parts."""

    def fill(found: re.Match[str]) -> str:
        what, property_name = found[1], found[2]
        if property_name:
            return _property(line, property_name.strip()) or found[0]
        if what == "LABEL":
            return line.source.name if isinstance(line.source, Metric) else line.source.text
        is_there = ~np.isnan(values)
        present = values[is_there]
        if what == "DATAPOINT_COUNT":
            return str(present.size)
        if not present.size:
            return "-"
        kind, is_time, relative = what.partition("_TIME")
        if is_time:
            index = {"MIN": int(present.argmin()), "MAX": int(present.argmax()), "FIRST": 0, "LAST": -1}[kind]
            at = int(times[is_there][index])
            if relative:
                return f"{round((int(times[-1]) - at) / 60)}m ago"
            return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%d %H:%M} UTC"
        figures = {
            "MIN": present.min(),
            "MAX": present.max(),
            "AVG": present.mean(),
            "SUM": present.sum(),
            "FIRST": present[0],
            "LAST": present[-1],
        }
        return compact_number(float(figures[what]))

    return _DYNAMIC_LABEL.sub(fill, label)


def _property(line: Line, name: str) -> str | None:
    if not isinstance(line.source, Metric):
        return {"Expression": line.source.text, "Period": str(line.source.period_s or "")}.get(name)
    if name.startswith("Dim."):
        return dict(line.source.dimensions).get(name.removeprefix("Dim."))
    return {
        "MetricName": line.source.name,
        "Namespace": line.source.namespace,
        "Stat": line.source.stat,
        "Period": str(line.source.period_s),
    }.get(name)
