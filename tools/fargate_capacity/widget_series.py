"""What a metric widget draws: its metrics' series, its expressions evaluated, its labels made, its alarms found."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fargate_capacity import metric_math
from fargate_capacity.alarms import Alarms
from fargate_capacity.annotations import Annotations, Axis, HorizontalLine
from fargate_capacity.compact_number import compact_number
from fargate_capacity.dashboard_body import Expression, Line, Metric, MetricWidget
from fargate_capacity.metric_kind import unit_of
from fargate_capacity.time_window import TimeWindow

Values = NDArray[np.float64]
_DYNAMIC_LABEL = re.compile(r"\$\{(MIN|MAX|AVG|SUM|FIRST|LAST|LABEL|PROP\('([^']+)'\))\}")
_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")


class SeriesSource(Protocol):
    """Where the values of metrics come from."""

    def period_s(self, metric: Metric) -> int:
        """The period at which a metric is drawn, in seconds."""
        ...

    def values(self, metric: Metric, label: str | None, period_s: int) -> Values | None:
        """The values on the window's grid of a period, NaN for a gap; `None` if there is no such metric."""
        ...

    def note(self, metric: Metric, label: str | None) -> str | None:
        """Why there are none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSeries:
    """One line of a graph; the times are seconds since 1970, a gap is NaN."""

    label: str
    times: NDArray[np.int64]
    values: Values
    color: str
    axis: Axis
    unit: str

    @property
    def last(self) -> float:
        """The latest value that is there; NaN if none is."""
        present = self.values[~np.isnan(self.values)]
        return float(present[-1]) if present.size else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetSeries:
    """All that a metric widget draws, and one line for each thing that it cannot."""

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
    """Makes a widget's series.

    Args:
        widget: as the dashboard has it.
        source: where the series are from.
        window: the time that is drawn.
        alarms: those of the assembly, for the thresholds that are drawn.
        period_s: the period at which every metric and expression is drawn. Default: each at its own.
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
        # A widget of an alarm alone shows what the alarm watches.
        if not widget.lines:
            lines.extend(alarm.lines)
    if period_s is not None:
        lines = [
            dataclasses.replace(line, source=dataclasses.replace(line.source, period_s=period_s)) for line in lines
        ]
    resolver = _Resolver(lines, source=source, window=window, notes=notes)
    series = resolver.drawn()
    annotations = dataclasses.replace(
        widget.annotations, horizontal=(*widget.annotations.horizontal, *thresholds), alarms=(), unread=()
    )
    return WidgetSeries(series=tuple(series), annotations=annotations, notes=tuple(dict.fromkeys(notes)))


class _Resolver:
    def __init__(self, lines: list[Line], *, source: SeriesSource, window: TimeWindow, notes: list[str]) -> None:
        self._lines, self._source, self._window, self._notes = lines, source, window, notes
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
            except metric_math.MetricMathError as error:
                text = line.source.text if isinstance(line.source, Expression) else ""
                self._notes.append(f"{label}: the expression {text} cannot be drawn: {error}")
                continue
            if value is None:
                continue
            times = self._window.grid(period_s)
            several = value if isinstance(value, list) else [value]
            for number, one in enumerate(several, start=1):
                values = np.full(times.shape, one) if isinstance(one, float) else one
                numbered = f"{label} {number}" if len(several) > 1 else label
                color = line.color if line.color and len(several) == 1 else _COLORS[len(drawn) % len(_COLORS)]
                drawn.append(
                    DrawnSeries(
                        label=_with_dynamic_parts(numbered, line, values),
                        times=times,
                        values=values,
                        color=color,
                        axis=line.axis,
                        unit=unit_of(line.source) if isinstance(line.source, Metric) else "No unit",
                    )
                )
        return drawn

    def _period_s(self, line: Line, above: frozenset[int]) -> int:
        """An expression takes its own period, else the longest of what it is made of."""
        if isinstance(line.source, Metric):
            return self._source.period_s(line.source)
        if id(line) in above:
            return 60
        periods = [self._period_s(part, above | {id(line)}) for part in self._parts(line.source)]
        own = line.source.period_s
        return max([self._window.drawn_period_s(own), *periods] if own else [*periods, 60 if not periods else 1])

    def _parts(self, expression: Expression) -> list[Line]:
        try:
            node = metric_math.parse(expression.text)
        except metric_math.MetricMathError:
            return []
        named = [self._by_id[name] for name in metric_math.references(node) if name in self._by_id]
        return named + (self._metrics() if metric_math.uses_all_metrics(node) else [])

    def _metrics(self) -> list[Line]:
        return [line for line in self._lines if line.id and isinstance(line.source, Metric)]

    def _value(self, line: Line, period_s: int, above: frozenset[str]) -> metric_math.Value | None:
        label = line.label
        if isinstance(line.source, Metric):
            values = self._source.values(line.source, label, period_s)
            if values is None and (note := self._source.note(line.source, label)):
                self._notes.append(note)
            return values
        if line.id and line.id in above:
            raise metric_math.MetricMathError(f"{line.id} is made of itself")
        node = metric_math.parse(line.source.text)
        series: dict[str, Values] = {}
        names = metric_math.references(node) & self._by_id.keys()
        parts = [self._by_id[name] for name in sorted(names)]
        for part in (*parts, *(self._metrics() if metric_math.uses_all_metrics(node) else ())):
            value = self._value(part, period_s, above | {line.id or ""})
            if value is None:
                return None
            if isinstance(value, list):
                raise metric_math.MetricMathError(f"{part.id} is several series, allowed here: one")
            series[part.id or ""] = (
                np.full(self._window.grid(period_s).shape, value) if isinstance(value, float) else value
            )
        inputs = metric_math.Inputs(
            times=self._window.grid(period_s),
            period_s=period_s,
            series=series,
            metrics=[line.id for line in self._metrics() if line.id],
        )
        return metric_math.evaluate(node, inputs)


def _labels(lines: list[Line]) -> list[str]:
    """A metric without a label goes by what tells it from the other metrics of its widget."""
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
            labels.append(line.id or line.source.text)
        elif id(line) not in parts or len(is_alike) > 1:
            labels.append(line.source.name)
        else:
            own = parts[id(line)]
            telling = [part for index, part in enumerate(own) if len({other[index] for other in parts.values()}) > 1]
            labels.append(" ".join(telling) or line.source.name)
    return labels


def _with_dynamic_parts(label: str, line: Line, values: Values) -> str:
    """A label's `${MAX}`, `${LAST}`, `${PROP('MetricName')}` and their like, filled in."""

    def fill(found: re.Match[str]) -> str:
        what, property_name = found[1], found[2]
        if property_name:
            return _property(line, property_name) or found[0]
        if what == "LABEL":
            return line.source.name if isinstance(line.source, Metric) else line.source.text
        present = values[~np.isnan(values)]
        if not present.size:
            return "-"
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
        return None
    if name.startswith("Dim."):
        return dict(line.source.dimensions).get(name.removeprefix("Dim."))
    return {
        "MetricName": line.source.name,
        "Namespace": line.source.namespace,
        "Stat": line.source.stat,
        "Period": str(line.source.period_s),
    }.get(name)
