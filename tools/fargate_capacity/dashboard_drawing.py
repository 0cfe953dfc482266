"""Draws a whole dashboard as one picture: its name, its grid of widgets, and notes below."""

from __future__ import annotations

from collections.abc import Sequence

from fargate_capacity import theme
from fargate_capacity.canvas import Box, Canvas, shortened, wrapped
from fargate_capacity.dashboard_body import COLUMNS, Place, Widget
from fargate_capacity.dashboards import Dashboard
from fargate_capacity.time_window import TimeWindow
from fargate_capacity.widget_drawing import WidgetDrawing

_MARGIN = 16.0
_HEADER = 62.0
_NOTE_ROW = 17.0
WIDTH = COLUMNS * theme.COLUMN + 2 * _MARGIN


def draw_dashboard(dashboard: Dashboard, drawing: WidgetDrawing, *, notes: Sequence[str], subtitle: str) -> Canvas:
    """Draws a dashboard.

    Args:
        dashboard: the dashboard.
        drawing: draws the widgets.
        notes: notes below the grid, one per line.
        subtitle: the line below the name.
    """
    widgets = dashboard.body.widgets
    grid_height = theme.ROW * max((one.place.y + one.place.height for one in widgets), default=2)
    lines = [line for note in notes for line in wrapped(note, WIDTH - 2 * _MARGIN, theme.TEXT_SIZE)]
    footer = 20 + _NOTE_ROW * len(lines) if lines else 0.0
    canvas = Canvas(width=WIDTH, height=_HEADER + grid_height + footer + _MARGIN, background=theme.PAGE)
    name = shortened(dashboard.name, WIDTH - 2 * _MARGIN, 21, is_bold=True)
    canvas.text(_MARGIN + 4, 22, name, size=21, is_bold=True)
    canvas.text(_MARGIN + 4, 46, subtitle, color=theme.SOFT_INK)
    if not widgets:
        canvas.text(_MARGIN + 4, _HEADER + 30, "this dashboard has no widgets", color=theme.SOFT_INK)
    for widget in widgets:
        drawing.draw(canvas, place_box(widget.place), widget)
    for index, line in enumerate(lines):
        canvas.text(_MARGIN + 4, _HEADER + grid_height + 22 + _NOTE_ROW * index, line, color=theme.SOFT_INK)
    return canvas


def place_box(place: Place) -> Box:
    """The box of a widget in the picture."""
    return Box(
        x=_MARGIN + place.x * theme.COLUMN + theme.GAP / 2,
        y=_HEADER + place.y * theme.ROW + theme.GAP / 2,
        width=place.width * theme.COLUMN - theme.GAP,
        height=place.height * theme.ROW - theme.GAP,
    )


def described(dashboard: Dashboard, window: TimeWindow, origin: str) -> str:
    """The line below a dashboard's name: stack, time range, source of the series."""
    stack = dashboard.template.stack
    return f"stack {stack}  ·  {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC  ·  {origin}"


def shared_notes(notes: Sequence[tuple[Widget, Sequence[str]]]) -> list[str]:
    """The notes of all widgets, each once, with the titles of its widgets."""
    by_note: dict[str, list[str]] = {}
    for widget, lines in notes:
        title = getattr(widget, "title", "") or "untitled"
        for line in lines:
            by_note.setdefault(line, []).append(title)
    return [f"{line}   ({', '.join(dict.fromkeys(titles))})" for line, titles in by_note.items()]
