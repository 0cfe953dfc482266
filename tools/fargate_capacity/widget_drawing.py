"""Draws any widget as a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fargate_capacity import theme
from fargate_capacity.alarms import Alarms
from fargate_capacity.canvas import Box, Canvas, shortened, text_width, wrapped
from fargate_capacity.dashboard_body import AlarmWidget, FrameWidget, Metric, MetricWidget, TextWidget, Widget
from fargate_capacity.figure_drawing import draw_bars, draw_gauges, draw_pie, draw_single_values, draw_table
from fargate_capacity.graph_drawing import draw_graph
from fargate_capacity.markdown_text import plain_lines
from fargate_capacity.time_window import TimeWindow, widget_window
from fargate_capacity.widget_series import SeriesSource, WidgetSeries, resolve_widget

_PADDING = 12.0
_TITLE_HEIGHT = 26.0
_MONOSPACED_WIDER = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetDrawing:
    """The settings for drawing widgets.

    Args:
        source: returns the series of a window.
        window: the dashboard's time range.
        alarms: the assembly's alarms.
        period_s: returns the period of all graphs for a window. Default: each metric's own period.
        keeps_window: whether a widget with its own time range shows the dashboard's, because there are no other data.
        watermark: text across each graph. Default: none.
    """

    source: Callable[[TimeWindow], SeriesSource]
    window: TimeWindow
    alarms: Alarms
    period_s: Callable[[TimeWindow], int] | None = None
    keeps_window: bool = False
    watermark: str | None = None

    def draw(self, canvas: Canvas, box: Box, widget: Widget) -> list[str]:
        """Draws a widget into a box, and returns a message for each thing that cannot be shown."""
        if isinstance(widget, TextWidget):
            _draw_text(canvas, box, widget)
            return []
        if isinstance(widget, FrameWidget):
            return _draw_frame(canvas, box, widget)
        canvas.rectangle(box, face=theme.CARD, edge=theme.BORDER)
        inner = _draw_title(canvas, box.inset(left=_PADDING, right=_PADDING, top=8, bottom=8), _title(widget))
        if isinstance(widget, AlarmWidget):
            self._draw_alarms(canvas, inner, widget)
            return []
        window = self.window if self.keeps_window else widget_window(widget, self.window)
        drawn = resolve_widget(
            widget,
            source=self.source(window),
            window=window,
            alarms=self.alarms,
            period_s=self.period_s(window) if self.period_s else None,
        )
        return [*self._draw_metrics(canvas, inner, widget, drawn, window), *drawn.notes]

    def _draw_metrics(
        self, canvas: Canvas, box: Box, widget: MetricWidget, drawn: WidgetSeries, window: TimeWindow
    ) -> list[str]:
        if not drawn.series and not drawn.annotations.horizontal and not drawn.annotations.vertical:
            message = drawn.notes[0] if drawn.notes else "this widget has no metrics"
            lines = wrapped(message, box.width - 20, theme.TEXT_SIZE)
            for index, line in enumerate(lines[: int(box.height // 16)]):
                y = box.y + box.height / 2 + 16 * (index - (len(lines) - 1) / 2)
                canvas.text(box.x + box.width / 2, y, line, color=theme.SOFT_INK, align="center")
            return []
        if widget.view == "timeSeries":
            return draw_graph(canvas, box, widget, drawn, window, watermark=self.watermark)
        if self.watermark:
            canvas.text(
                box.x + box.width,
                box.y - _TITLE_HEIGHT + 10,
                self.watermark,
                size=theme.SMALL_SIZE,
                color=theme.SOFT_INK,
                alpha=0.75,
                align="right",
                has_background=True,
            )
        match widget.view:
            case "singleValue":
                draw_single_values(canvas, box, widget, drawn.series)
            case "gauge":
                draw_gauges(canvas, box, widget, drawn)
            case "bar":
                draw_bars(canvas, box, drawn)
            case "pie":
                draw_pie(canvas, box, drawn.series)
            case "table":
                draw_table(canvas, box, drawn.series)
        return []

    def _draw_alarms(self, canvas: Canvas, box: Box, widget: AlarmWidget) -> None:
        y = box.y + 10
        for index, arn in enumerate(widget.alarms):
            left_over = len(widget.alarms) - index
            if y + 22 > box.y + box.height and left_over > 1:
                canvas.text(box.x, y, f"+{left_over} more alarms", size=theme.SMALL_SIZE, color=theme.SOFT_INK)
                return
            alarm = self.alarms.find(arn)
            canvas.rectangle(Box(x=box.x, y=y - 9, width=box.width, height=20), face=theme.GRID)
            canvas.swatch(Box(x=box.x, y=y - 9, width=4, height=20), theme.SOFT_INK)
            name = shortened(self.alarms.shown_name(arn), box.width * 0.95 - 12, theme.SMALL_SIZE)
            canvas.text(box.x + 12, y + 1, name, size=theme.SMALL_SIZE)
            start = 24 + text_width(name, theme.SMALL_SIZE)
            if alarm and box.width - start > 80:
                summary = shortened(alarm.summary, box.width - start - 6, theme.SMALL_SIZE)
                canvas.text(box.x + start, y + 1, summary, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
            y += 25


def _title(widget: MetricWidget | AlarmWidget) -> str:
    if widget.title or isinstance(widget, AlarmWidget):
        return widget.title
    # CloudWatch uses its only metric as the title of an untitled graph.
    shown = [line for line in widget.lines if line.is_visible]
    if len(shown) == 1 and widget.view == "timeSeries":
        only = shown[0]
        return only.label or (only.source.name if isinstance(only.source, Metric) else only.source.text)
    return ""


def _draw_title(canvas: Canvas, box: Box, title: str) -> Box:
    if title:
        text = shortened(title, box.width, theme.TITLE_SIZE, is_bold=True)
        canvas.text(box.x, box.y + 9, text, size=theme.TITLE_SIZE, is_bold=True)
    return box.inset(top=_TITLE_HEIGHT)


def _draw_text(canvas: Canvas, box: Box, widget: TextWidget) -> None:
    if widget.has_background:
        canvas.rectangle(box, face=theme.CARD, edge=theme.BORDER)
    y, right = box.y + 8, box.width - 2 * _PADDING
    for line in plain_lines(widget.markdown):
        if line.is_monospaced:
            if y + theme.SMALL_SIZE * 1.45 > box.y + box.height:
                canvas.text(
                    box.x + box.width - _PADDING, box.y + box.height - 9, "…", color=theme.SOFT_INK, align="right"
                )
                return
            # All characters of this font have the width of a digit.
            most = max(int(right / text_width("0", theme.SMALL_SIZE) / _MONOSPACED_WIDER), 1)
            text = line.text if len(line.text) <= most else line.text[: most - 1] + "…"
            if text:
                middle = y + theme.SMALL_SIZE * 0.72
                canvas.text(box.x + _PADDING, middle, text, size=theme.SMALL_SIZE, is_monospaced=True)
            y += theme.SMALL_SIZE * 1.45
            continue
        size = {0: theme.TEXT_SIZE, 1: 19.0, 2: 16.0, 3: 14.0}.get(line.heading, 12.5)
        for part in wrapped(line.text, right, size, is_bold=line.heading > 0):
            if y + size * 1.45 > box.y + box.height:
                canvas.text(
                    box.x + box.width - _PADDING, box.y + box.height - 9, "…", color=theme.SOFT_INK, align="right"
                )
                return
            canvas.text(box.x + _PADDING, y + size * 0.72, part, size=size, is_bold=line.heading > 0)
            y += size * (1.45 if part else 0.8)


def _frame_note(kind: str) -> str:
    return kind if "cannot be drawn" in kind else f"{kind}: CloudWatch fills it"


def _draw_frame(canvas: Canvas, box: Box, widget: FrameWidget) -> list[str]:
    canvas.rectangle(box, face=theme.CARD, edge=theme.SOFT_INK, dashed=True)
    inner = _draw_title(canvas, box.inset(left=_PADDING, right=_PADDING, top=8, bottom=8), widget.title or widget.kind)
    canvas.text(inner.x, inner.y, _frame_note(widget.kind), size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    y = inner.y + 20
    for line in wrapped(widget.content, inner.width * 0.82, theme.SMALL_SIZE):
        if y > inner.y + inner.height - 4:
            canvas.text(inner.x, y - 4, "…", color=theme.SOFT_INK)
            break
        canvas.text(inner.x, y, line, size=theme.SMALL_SIZE, is_monospaced=True)
        y += 15
    return []
