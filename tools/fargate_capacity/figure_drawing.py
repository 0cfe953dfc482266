"""Draws the views that are not graphs over time: single values, gauges, bars, pies and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Wedge

from fargate_capacity import theme
from fargate_capacity.annotations import HorizontalBand, HorizontalLine
from fargate_capacity.canvas import Box, Canvas, points, shortened, text_width
from fargate_capacity.compact_number import compact_number, compact_numbers, full_number
from fargate_capacity.dashboard_body import MetricWidget
from fargate_capacity.graph_drawing import draw_legend_entries, legend_rows
from fargate_capacity.widget_series import DrawnSeries, WidgetSeries

_UNITS = {"Percent": "%", "Seconds": "s", "Milliseconds": "ms", "Microseconds": "µs", "Bytes": "B"}


def draw_single_values(canvas: Canvas, box: Box, widget: MetricWidget, series: Sequence[DrawnSeries]) -> None:
    """The latest value of each series, large, with its label and optionally a sparkline."""
    for cell, one in zip(_cells(box, len(series), shape=2.0), series, strict=True):
        size = min(34.0, cell.height * 0.45, cell.width / 4.5)
        unit = _UNITS.get(one.unit, "")
        room = max(int((cell.width - 16 - text_width(unit, size * 0.5)) / text_width("0", size)), 3)
        number = full_number(one.last, most=room) if widget.has_full_precision else compact_number(one.last)
        number_width, unit_width = text_width(number, size), text_width(unit, size * 0.5)
        middle = cell.x + cell.width / 2
        has_course = widget.has_sparkline and cell.height > 60
        y = cell.y + cell.height * (0.32 if has_course else 0.4)
        start = middle - (number_width + unit_width + 3) / 2
        canvas.text(start, y, number, size=size)
        canvas.text(start + number_width + 3, y + size * 0.18, unit, size=size * 0.5, color=theme.SOFT_INK)
        _centered_label(canvas, cell, one, y + size * 0.5 + 10)
        if has_course:
            axes = canvas.axes(cell.inset(top=y - cell.y + size * 0.5 + 22, left=8, right=8), facecolor="none")
            axes.plot(one.times, one.values, color=one.color, linewidth=points(1.5))
            axes.set_axis_off()


def draw_gauges(canvas: Canvas, box: Box, widget: MetricWidget, drawn: WidgetSeries) -> None:
    """The latest value of each series on an arc between the minimum and the maximum of the left axis."""
    low = 0.0 if widget.left.min is None else widget.left.min
    high = 100.0 if widget.left.max is None else widget.left.max
    for cell, one in zip(_cells(box, len(drawn.series), shape=1.2), drawn.series, strict=True):
        radius = max(min(cell.width / 2 - 22, cell.height - 44), 8.0)
        x, y = cell.x + cell.width / 2, cell.y + (cell.height - 26 + radius) / 2
        axes = canvas.axes(Box(x=x - radius, y=y - radius, width=2 * radius, height=radius), facecolor="none")
        axes.set_xlim(-1, 1)
        axes.set_ylim(0, 1)
        axes.set_axis_off()
        share = min(max((one.last - low) / (high - low), 0.0), 1.0) if math.isfinite(one.last) and high > low else 0.0
        axes.add_patch(Wedge((0, 0), 1, 0, 180, width=0.26, facecolor=theme.GRID, edgecolor="none"))
        axes.add_patch(Wedge((0, 0), 1, 180 - 180 * share, 180, width=0.26, facecolor=one.color, edgecolor="none"))
        for line in drawn.annotations.horizontal:
            for value, color in _edges(line):
                if low <= value <= high:
                    angle = math.pi * (1 - (value - low) / (high - low))
                    across = np.array([0.68, 1.0])
                    axes.plot(across * math.cos(angle), across * math.sin(angle), color=color, linewidth=points(2.5))
        size = min(26.0, radius * 0.34)
        canvas.text(
            x, y - size * 0.5, f"{compact_number(one.last)}{_UNITS.get(one.unit, '')}", size=size, align="center"
        )
        for at, value in ((-0.87, low), (0.87, high)):
            canvas.text(
                x + at * radius,
                y + 9,
                compact_number(value),
                size=theme.SMALL_SIZE,
                color=theme.SOFT_INK,
                align="center",
            )
        _centered_label(canvas, cell, one, y + 26)


def _edges(line: HorizontalLine | HorizontalBand) -> list[tuple[float, str]]:
    color = line.color or theme.ANNOTATION
    if isinstance(line, HorizontalBand):
        return [(line.lower.value, color), (line.upper.value, color)]
    return [(line.value, color)]


def draw_bars(canvas: Canvas, box: Box, drawn: WidgetSeries) -> None:
    """One bar per series: its latest value, or that of the whole time range if the widget sets this."""
    series = drawn.series
    box = _with_legend(canvas, box, series)
    totals = [_figure(one) for one in series]
    thresholds = [value for line in drawn.annotations.horizontal for value, _ in _edges(line)]
    high = max([*totals, *thresholds, 0.0]) or 1.0
    plot = box.inset(left=8 + text_width(compact_number(high), theme.SMALL_SIZE), right=8, top=14, bottom=6)
    axes = canvas.axes(plot, facecolor="none")
    axes.bar(range(len(series)), totals, color=[one.color for one in series], width=0.6)
    axes.set_ylim(min([*totals, 0.0]), high * 1.08)
    axes.set_xticks([])
    ticks = [0, high / 2, high]
    axes.set_yticks(ticks, compact_numbers(ticks))
    axes.tick_params(labelsize=points(theme.SMALL_SIZE), labelcolor=theme.SOFT_INK, length=0)
    axes.grid(axis="y", color=theme.GRID, linewidth=points(1))
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.BORDER)
    for line in drawn.annotations.horizontal:
        for value, color in _edges(line):
            axes.axhline(value, color=color, linewidth=points(1.4))
    for index, total in enumerate(totals):
        x = plot.x + plot.width * (index + 0.7) / (len(series) + 0.4) if len(series) > 1 else plot.x + plot.width / 2
        y = plot.y + plot.height * (1 - total / (high * 1.08)) - 8
        canvas.text(x, y, compact_number(total), size=theme.SMALL_SIZE, align="center")
    axes.set_xlim(-0.7, len(series) - 0.3)


def draw_pie(canvas: Canvas, box: Box, series: Sequence[DrawnSeries]) -> None:
    """The share of each series in the sum, of the latest values or those of the whole time range."""
    box = _with_legend(canvas, box, series)
    side = min(box.width, box.height) - 4
    axes = canvas.axes(
        Box(x=box.x + (box.width - side) / 2, y=box.y + (box.height - side) / 2, width=side, height=side),
        facecolor="none",
    )
    totals = [max(_figure(one), 0.0) for one in series]
    axes.set_axis_off()
    if not sum(totals):
        return
    wedges, _ = axes.pie(
        totals,
        colors=[one.color for one in series],
        startangle=90,
        counterclock=False,
        radius=1.25,
        wedgeprops={"width": 0.5, "edgecolor": theme.CARD},
    )
    for wedge, total in zip(wedges, totals, strict=True):
        share = total / sum(totals)
        if share >= 0.06:
            angle = math.radians((wedge.theta1 + wedge.theta2) / 2)
            axes.text(
                math.cos(angle),
                math.sin(angle),
                f"{share:.0%}",
                ha="center",
                va="center",
                fontsize=points(theme.SMALL_SIZE),
                color="white",
                fontweight="bold",
            )


def draw_table(canvas: Canvas, box: Box, series: Sequence[DrawnSeries]) -> None:
    """The minimum, mean, maximum and latest value of each series."""
    figures = ("min", "avg", "max", "last")
    first_column = box.width * 0.44
    step = (box.width - first_column) / len(figures)
    for index, name in enumerate(figures):
        x = box.x + first_column + step * (index + 1)
        canvas.text(x, box.y + 8, name, size=theme.SMALL_SIZE, color=theme.SOFT_INK, align="right")
    for number, one in enumerate(series, start=1):
        y = box.y + 8 + 20 * number
        if y > box.y + box.height:
            return
        canvas.swatch(Box(x=box.x, y=y - 4.5, width=9, height=9), one.color)
        canvas.text(box.x + 14, y, shortened(one.label, first_column - 18, theme.SMALL_SIZE), size=theme.SMALL_SIZE)
        there = one.values[~np.isnan(one.values)]
        values = (there.min(), there.mean(), there.max(), there[-1]) if there.size else (math.nan,) * 4
        for index, value in enumerate(values):
            x = box.x + first_column + step * (index + 1)
            canvas.text(x, y, compact_number(float(value)), size=theme.SMALL_SIZE, align="right")


def _with_legend(canvas: Canvas, box: Box, series: Sequence[DrawnSeries]) -> Box:
    rows = legend_rows(series, box.width, most=max(1, int(box.height / 60)))
    height = 17.0 * len(rows)
    draw_legend_entries(canvas, Box(x=box.x, y=box.y + box.height - height + 2, width=box.width, height=height), rows)
    return box.inset(bottom=height + 4)


def _figure(series: DrawnSeries) -> float:
    return series.last if math.isfinite(series.last) else 0.0


def _centered_label(canvas: Canvas, cell: Box, one: DrawnSeries, y: float) -> None:
    label = shortened(one.label, cell.width - 24, theme.SMALL_SIZE)
    width = text_width(label, theme.SMALL_SIZE)
    start = cell.x + (cell.width - width - 14) / 2
    canvas.swatch(Box(x=start, y=y - 4.5, width=9, height=9), one.color)
    canvas.text(start + 14, y, label, size=theme.SMALL_SIZE, color=theme.SOFT_INK)


def _cells(box: Box, count: int, *, shape: float) -> list[Box]:
    """Equal cells, in so many columns that each is about `shape` times as wide as high."""
    if not count:
        return []
    columns = min(count, max(1, round(math.sqrt(count * box.width / (shape * box.height)))))
    rows = math.ceil(count / columns)
    width, height = box.width / columns, box.height / rows
    return [
        Box(x=box.x + width * (index % columns), y=box.y + height * (index // columns), width=width, height=height)
        for index in range(count)
    ]
