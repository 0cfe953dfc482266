"""Draws time series: lines or stacked areas, two value axes, thresholds, changes, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from matplotlib.axes import Axes

from fargate_capacity import theme
from fargate_capacity.annotations import HorizontalBand, HorizontalLine, VerticalBand, VerticalLine
from fargate_capacity.canvas import Box, Canvas, points, shortened, text_width
from fargate_capacity.compact_number import compact_number, compact_numbers
from fargate_capacity.dashboard_body import MetricWidget, YAxis
from fargate_capacity.time_window import TimeWindow
from fargate_capacity.widget_series import DrawnSeries, WidgetSeries

_TIME_STEPS = tuple(
    60 * minutes
    for minutes in (
        1,
        2,
        5,
        10,
        15,
        30,
        60,
        120,
        180,
        360,
        720,
        1440,
        2880,
        4320,
        10080,
        20160,
        43200,
        86400,
        172800,
        525600,
    )
)
_TICK_WIDTH = 62.0
# From this time range on, two ticks may have the same day and month.
_YEAR_S = 360 * 86_400
_LEGEND_ROW = 17.0
_LABEL_ROW = 14.0
_LABEL_ROWS = 4


def draw_graph(
    canvas: Canvas, box: Box, widget: MetricWidget, drawn: WidgetSeries, window: TimeWindow, *, watermark: str | None
) -> list[str]:
    """Draws a graph into a box; returns a message for each annotation without room or outside the window."""
    plot = _draw_legend(canvas, box, widget, drawn.series)
    on_left = [series for series in drawn.series if series.axis == "left"]
    on_right = [series for series in drawn.series if series.axis == "right"]
    has_right = bool(on_right) or any(_axis_of(line) == "right" for line in drawn.annotations.horizontal)
    left_unit, right_unit = _axis_title(widget.left, on_left), _axis_title(widget.right, on_right)
    top = 20.0 if left_unit or (has_right and right_unit) else 6.0
    limits = {
        side: _limits(
            series, axis, [line for line in drawn.annotations.horizontal if _axis_of(line) == side], widget.is_stacked
        )
        for side, series, axis in (("left", on_left, widget.left), ("right", on_right, widget.right))
    }
    ticks = {side: _value_ticks(low, high, plot.height - top) for side, (low, high) in limits.items()}
    margin = 8 + max(text_width(label, theme.SMALL_SIZE) for label in compact_numbers(ticks["left"]))
    right_margin = (
        8 + max(text_width(label, theme.SMALL_SIZE) for label in compact_numbers(ticks["right"])) if has_right else 10.0
    )
    if left_unit:
        canvas.text(plot.x, plot.y + 5, left_unit, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    if has_right and right_unit:
        canvas.text(
            plot.x + plot.width, plot.y + 5, right_unit, size=theme.SMALL_SIZE, color=theme.SOFT_INK, align="right"
        )
    plot = plot.inset(left=margin, right=right_margin, top=top, bottom=18)
    axes = canvas.axes(plot, facecolor="none")
    right_axes = axes.twinx() if has_right else None
    for one, side in ((axes, "left"), (right_axes, "right")):
        if one is not None:
            _prepare(one, limits[side], ticks[side], window)
    axes.grid(axis="y", color=theme.GRID, linewidth=points(1))
    _draw_time_ticks(axes, window, plot.width)
    if watermark:
        axes.text(
            0.5,
            0.5,
            watermark,
            transform=axes.transAxes,
            fontsize=points(min(plot.height / 5, plot.width / 11)),
            color=theme.SOFT_INK,
            fontweight="bold",
            ha="center",
            va="center",
            alpha=0.11,
            zorder=0.7,
        )
    for one, series in ((axes, on_left), (right_axes, on_right)):
        if one is not None:
            (_draw_stacked if widget.is_stacked else _draw_lines)(one, series)
    placed: list[Box] = []
    cut: list[str] = []
    for one, side in ((axes, "left"), (right_axes, "right")):
        if one is not None:
            lines = [line for line in drawn.annotations.horizontal if _axis_of(line) == side]
            cut += _draw_horizontal(canvas, one, plot, lines, limits[side], placed)
    return [*cut, *_draw_vertical(canvas, axes, plot, drawn.annotations.vertical, window, placed)]


def _axis_of(line: HorizontalLine | HorizontalBand) -> str:
    return line.lower.axis if isinstance(line, HorizontalBand) else line.axis


def _axis_title(axis: YAxis, series: Sequence[DrawnSeries]) -> str:
    if axis.label:
        return axis.label
    units = {one.unit for one in series} if axis.shows_units else set()
    return "Various units" if len(units) > 1 else "".join(units)


# ---- axes --------------------------------------------------------------------------------------------------------
def _limits(
    series: Sequence[DrawnSeries],
    axis: YAxis,
    lines: Sequence[HorizontalLine | HorizontalBand],
    is_stacked: bool,
) -> tuple[float, float]:
    """The axis's own limits, otherwise those of the data and thresholds, with a margin."""
    values = [_stacked(series)[-1]] if is_stacked and series else [one.values for one in series]
    found = np.concatenate([*values, np.array([v for line in lines for v in _values_of(line)], dtype=float)])
    found = found[np.isfinite(found)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    if is_stacked:
        low = min(low, 0.0)
    air = 0.08 * ((high - low) or abs(high) or 1.0)
    # The axis of a series that is always zero begins at zero.
    bottom = low - air if low < 0 else (0.0 if low < 0.5 * high or high == low else low - air)
    bottom = axis.min if axis.min is not None else bottom
    upper = axis.max if axis.max is not None else high + air
    return (bottom, upper) if upper > bottom else (bottom, bottom + 1.0)


def _values_of(line: HorizontalLine | HorizontalBand) -> tuple[float, ...]:
    return (line.lower.value, line.upper.value) if isinstance(line, HorizontalBand) else (line.value,)


def _value_ticks(low: float, high: float, height: float) -> list[float]:
    about = max(2, min(5, int(height / 34)))
    rough = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(rough))
    # There is no half task: steps of 2.5 are used only from tens on.
    factors = (1, 2, 2.5, 5, 10) if magnitude >= 10 else (1, 2, 5, 10)
    step = next(factor * magnitude for factor in factors if factor * magnitude >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)] or [low]


def _prepare(axes: Axes, limits: tuple[float, float], ticks: Sequence[float], window: TimeWindow) -> None:
    axes.set_xlim(window.start.timestamp(), window.end.timestamp())
    axes.set_ylim(*limits)
    axes.set_yticks(ticks, compact_numbers(ticks))
    axes.tick_params(
        axis="both", labelsize=points(theme.SMALL_SIZE), labelcolor=theme.SOFT_INK, length=0, pad=points(4)
    )
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.BORDER)
        spine.set_linewidth(points(1))
    axes.set_axisbelow(True)


def _draw_time_ticks(axes: Axes, window: TimeWindow, width: float) -> None:
    most = max(2, int(width / _TICK_WIDTH))
    step = next((step for step in _TIME_STEPS if window.seconds / step <= most), _TIME_STEPS[-1])
    first = math.ceil(window.start.timestamp() / step) * step
    last = window.end.timestamp()
    # A label in the corner would be cut off.
    room = window.seconds * 18 / width
    times = [t for t in range(first, int(last) + 1, step) if window.start.timestamp() + room < t < last - room]
    axes.set_xticks(times, [_time_label(time, has_year=window.seconds > _YEAR_S) for time in times])


def _time_label(time: float, *, has_year: bool) -> str:
    at = datetime.fromtimestamp(time, tz=UTC)
    if has_year:
        return f"{at:%b %Y}"
    return f"{at:%b} {at.day}" if (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"


# ---- series ------------------------------------------------------------------------------------------------------
def _draw_lines(axes: Axes, series: Sequence[DrawnSeries]) -> None:
    for one in series:
        axes.plot(one.times, one.values, color=one.color, linewidth=points(1.4), solid_joinstyle="round")
        is_there = np.concatenate(([False], ~np.isnan(one.values), [False]))
        is_alone = is_there[1:-1] & ~is_there[:-2] & ~is_there[2:]
        if is_alone.any():
            axes.plot(one.times[is_alone], one.values[is_alone], ".", color=one.color, markersize=points(5))


def _stacked(series: Sequence[DrawnSeries]) -> list[np.ndarray]:
    """The upper edges at the times of the first series; a gap counts as zero."""
    times = series[0].times
    on_one_grid = [
        np.nan_to_num(one.values)
        if np.array_equal(one.times, times)
        else np.interp(times, one.times, np.nan_to_num(one.values))
        for one in series
    ]
    return list(np.cumsum(on_one_grid, axis=0))


def _draw_stacked(axes: Axes, series: Sequence[DrawnSeries]) -> None:
    if not series:
        return
    below = np.zeros(series[0].times.shape)
    for one, edge in zip(series, _stacked(series), strict=True):
        axes.fill_between(series[0].times, below, edge, color=one.color, alpha=0.55, linewidth=0)
        axes.plot(series[0].times, edge, color=one.color, linewidth=points(1.2))
        below = edge


# ---- annotations -------------------------------------------------------------------------------------------------
def _draw_horizontal(
    canvas: Canvas,
    axes: Axes,
    plot: Box,
    lines: Sequence[HorizontalLine | HorizontalBand],
    limits: tuple[float, float],
    placed: list[Box],
) -> list[str]:
    """Draws horizontal annotations and returns the shortened labels."""
    low, high = limits
    labelled: list[tuple[float, str, str]] = []
    for index, line in enumerate(lines):
        if isinstance(line, HorizontalBand):
            color = line.color or _annotation_color(index)
            axes.axhspan(line.lower.value, line.upper.value, color=color, alpha=0.13, linewidth=0, zorder=0.5)
            edges = [line.lower, line.upper]
        else:
            color = line.color or _annotation_color(index)
            if line.fill:
                edge = high if line.fill == "above" else low
                axes.axhspan(line.value, edge, color=color, alpha=0.13, linewidth=0, zorder=0.5)
            edges = [line]
        for edge_line in edges:
            axes.axhline(edge_line.value, color=color, linewidth=points(1.4), zorder=2.5)
            if edge_line.label and low <= edge_line.value <= high:
                labelled.append((edge_line.value, edge_line.label, color))
    cut: list[str] = []
    for value, label, color in sorted(labelled):
        text = shortened(label, plot.width * 0.9, theme.SMALL_SIZE)
        if text != " ".join(label.split()):
            cut.append(f"{compact_number(value)}  {label}")
        width = text_width(text, theme.SMALL_SIZE)
        y = plot.y + plot.height * (high - value) / (high - low)
        on_left = axes.yaxis.get_ticks_position() != "right"
        x = plot.x + 5 if on_left else plot.x + plot.width - 5 - width
        # Above its line if there is room, otherwise below, otherwise at the nearest free place.
        offsets = [-9.0, 9.0, *(sign * (9 + _LABEL_ROW * n) for n in (1, 2, 3, 4) for sign in (-1, 1))]
        candidates = [Box(x=x, y=y + offset - 6, width=width, height=12) for offset in offsets]
        inside = [one for one in candidates if plot.y <= one.y and one.y + one.height <= plot.y + plot.height]
        free = [one for one in inside if not any(one.overlaps(other) for other in placed)]
        spot = (free or inside or candidates)[0]
        placed.append(spot)
        canvas.text(spot.x, spot.y + 6, text, size=theme.SMALL_SIZE, color=color, has_background=True)
    # The labels of vertical lines, drawn later, must not cover the lines themselves.
    for value, _, _ in labelled:
        y = plot.y + plot.height * (high - value) / (high - low)
        placed.append(Box(x=plot.x, y=y - 1, width=plot.width, height=2))
    return cut


def _annotation_color(index: int) -> str:
    return ("#d62728", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b")[index % 5]


def _draw_vertical(
    canvas: Canvas,
    axes: Axes,
    plot: Box,
    lines: Sequence[VerticalLine | VerticalBand],
    window: TimeWindow,
    placed: list[Box],
) -> list[str]:
    untold: list[VerticalLine] = []
    for line in lines:
        color = line.color or theme.ANNOTATION
        if isinstance(line, VerticalBand):
            if line.end.time < window.start or line.start.time > window.end:
                untold.extend((line.start, line.end))
                continue
            axes.axvspan(
                line.start.time.timestamp(), line.end.time.timestamp(), color=color, alpha=0.13, linewidth=0, zorder=0.5
            )
            edges = [line.start, line.end]
        else:
            if line.fill and line.time in window:
                edge = (window.start if line.fill == "before" else window.end).timestamp()
                axes.axvspan(line.time.timestamp(), edge, color=color, alpha=0.13, linewidth=0, zorder=0.5)
            edges = [line]
        for one in edges:
            if one.time not in window:
                untold.append(one)
                continue
            axes.axvline(one.time.timestamp(), color=color, linewidth=points(1.4), zorder=2.5)
            if one.label and not _place_vertical_label(canvas, plot, one, color, window, placed):
                untold.append(one)
    axes.set_xlim(window.start.timestamp(), window.end.timestamp())
    return [_told(line) for line in untold]


def _place_vertical_label(
    canvas: Canvas, plot: Box, line: VerticalLine, color: str, window: TimeWindow, placed: list[Box]
) -> bool:
    """Writes the label beside the top of its line; returns whether all of it fits."""
    x = plot.x + plot.width * (line.time - window.start).total_seconds() / window.seconds
    width = text_width(line.label, theme.SMALL_SIZE)
    for row in range(min(_LABEL_ROWS, int(plot.height / 2 / _LABEL_ROW) or 1)):
        y = plot.y + 2 + row * _LABEL_ROW
        for left in (x + 5, x - 5 - width):
            spot = Box(x=left, y=y, width=width, height=12)
            is_inside = plot.x <= left and left + width <= plot.x + plot.width
            if is_inside and not any(spot.overlaps(other) for other in placed):
                placed.append(spot)
                canvas.text(left, y + 6, line.label, size=theme.SMALL_SIZE, color=color, has_background=True)
                return True
    return False


def _told(line: VerticalLine) -> str:
    return f"{line.time:%Y-%m-%d %H:%M} UTC  {line.label or 'a line without a label'}"


# ---- legend ------------------------------------------------------------------------------------------------------
def _draw_legend(canvas: Canvas, box: Box, widget: MetricWidget, series: Sequence[DrawnSeries]) -> Box:
    """Draws the legend and returns the remaining box for the plot."""
    if widget.legend == "hidden" or not series:
        return box
    if widget.legend == "right":
        width = min(0.3 * box.width, 28 + max(text_width(one.label, theme.SMALL_SIZE) for one in series))
        area = Box(x=box.x + box.width - width, y=box.y, width=width, height=box.height)
        draw_legend_entries(canvas, area, [[one] for one in series])
        return box.inset(right=width + 6)
    rows = legend_rows(series, box.width, most=max(1, int(box.height / 5 / _LEGEND_ROW)))
    height = _LEGEND_ROW * len(rows)
    draw_legend_entries(canvas, Box(x=box.x, y=box.y + box.height - height + 2, width=box.width, height=height), rows)
    return box.inset(bottom=height + 2)


def legend_rows(series: Sequence[DrawnSeries], width: float, *, most: int) -> list[list[DrawnSeries]]:
    """The entries in rows that fit a width; the last row gets all remaining entries."""
    rows: list[list[DrawnSeries]] = [[]]
    used = 0.0
    for one in series:
        needed = 30 + text_width(one.label, theme.SMALL_SIZE)
        if rows[-1] and used + needed > width and len(rows) < most:
            rows.append([])
            used = 0.0
        rows[-1].append(one)
        used += needed
    return rows


def draw_legend_entries(canvas: Canvas, area: Box, rows: Sequence[Sequence[DrawnSeries]]) -> None:
    """Draws rows of swatches with labels; entries that do not fit are only counted."""
    for number, row in enumerate(rows):
        x, y = area.x, area.y + _LEGEND_ROW * number + 7
        if y > area.y + area.height:
            return
        for index, one in enumerate(row):
            room = area.x + area.width - x - 16
            left_over = len(row) - index
            if room < 40 and index:
                canvas.text(x, y, f"+{left_over} more", size=theme.SMALL_SIZE, color=theme.SOFT_INK)
                break
            # Reserves space for "+3 more" unless it is the last entry.
            text = shortened(one.label, max(room - (50 if left_over > 1 and len(row) > 1 else 0), 20), theme.SMALL_SIZE)
            if len(text) < len(one.label) and left_over > 1 and index:
                canvas.text(x, y, f"+{left_over} more", size=theme.SMALL_SIZE, color=theme.SOFT_INK)
                break
            canvas.swatch(Box(x=x, y=y - 4.5, width=9, height=9), one.color)
            canvas.text(x + 14, y, text, size=theme.SMALL_SIZE)
            x += 30 + text_width(text, theme.SMALL_SIZE)
