"""Writes all dashboards as one self-contained HTML page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fargate_capacity import theme
from fargate_capacity.canvas import Box, Canvas
from fargate_capacity.dashboard_body import COLUMNS, TextWidget, Widget
from fargate_capacity.dashboards import Dashboard
from fargate_capacity.markdown_text import plain_lines
from fargate_capacity.widget_drawing import WidgetDrawing

_VARIABLES = {
    theme.INK: "--ink",
    theme.SOFT_INK: "--soft-ink",
    theme.CARD: "--card",
    theme.BORDER: "--border",
    theme.GRID: "--grid",
    theme.PAGE: "--page",
    theme.ANNOTATION: "--annotation",
}
_ID = re.compile(r'(\bid="|"#|url\(#)')

_STYLE = """
:root { color-scheme: light dark; %(light)s }
@media (prefers-color-scheme: dark) { :root { %(dark)s } }
body { margin: 0; padding: 16px; background: var(--page); color: var(--ink);
  font: 14px/1.45 "DejaVu Sans", Verdana, "Segoe UI", system-ui, sans-serif; }
main { max-width: 1472px; margin: auto; }
h1 { font-size: 18px; } h2 { font-size: 20px; margin: 28px 0 2px; }
p, li { color: var(--soft-ink); } .about { margin: 0 0 10px; }
nav a { color: inherit; margin-right: 14px; }
.grid { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); grid-auto-rows: minmax(42px, auto);
  gap: 8px; }
.widget { min-width: 0; overflow: hidden; } .widget svg { display: block; width: 100%%; height: auto; }
.widget ul { margin: 4px 0 6px; padding-left: 20px; font-size: 12px; } .widget li { overflow-wrap: anywhere; }
.text { background: var(--card); border: 1px solid var(--border); border-radius: 4px; padding: 8px 12px;
  overflow: auto; }
.text p, .text h3 { margin: 0 0 4px; color: var(--ink); overflow-wrap: anywhere; white-space: pre-wrap; }
.transparent { background: none; border-color: transparent; }
@media (max-width: 760px) { .grid { display: block; } .widget { margin-bottom: 8px; } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSection:
    """A dashboard on the page, with the notes of each widget."""

    dashboard: Dashboard
    drawing: WidgetDrawing
    subtitle: str
    notes: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture below the dashboards; its text is in the reader's fonts."""

    title: str
    canvas: Canvas


def write_page(sections: Sequence[DashboardSection], *, title: str, pictures: Sequence[Picture] = ()) -> str:
    """Writes the page."""
    style = _STYLE % {
        "light": " ".join(f"{name}: {color};" for color, name in _VARIABLES.items()),
        "dark": " ".join(f"{name}: {theme.DARK[color]};" for color, name in _VARIABLES.items()),
    }
    links = "".join(
        f'<a href="#dashboard-{number}">{html.escape(section.dashboard.name)}</a>'
        for number, section in enumerate(sections)
    )
    body = "\n".join(
        [
            *(_section(section, number) for number, section in enumerate(sections)),
            *(_picture(picture, number) for number, picture in enumerate(pictures)),
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{html.escape(title)}</h1>\n<nav>{links}</nav>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _section(section: DashboardSection, number: int) -> str:
    widgets = "\n".join(
        _widget(section, widget, notes, f"d{number}w{index}")
        for index, (widget, notes) in enumerate(zip(section.dashboard.body.widgets, section.notes, strict=True))
    )
    return (
        f'<section id="dashboard-{number}">\n<h2>{html.escape(section.dashboard.name)}</h2>\n'
        f'<p class="about">{html.escape(section.subtitle)}</p>\n<div class="grid">\n'
        f"{widgets or '<p>this dashboard has no widgets</p>'}\n</div>\n</section>"
    )


def _picture(picture: Picture, number: int) -> str:
    return (
        f'<section id="picture-{number}">\n<h2>{html.escape(picture.title)}</h2>\n'
        f'<div class="widget">{_inline(picture.canvas.svg(), f"p{number}")}</div>\n</section>'
    )


def _widget(section: DashboardSection, widget: Widget, notes: Sequence[str], name: str) -> str:
    place = widget.place
    where = (
        f"grid-column: {place.x + 1} / span {min(place.width, COLUMNS - place.x)}; "
        f"grid-row: {place.y + 1} / span {place.height}"
    )
    if isinstance(widget, TextWidget):
        background = "" if widget.has_background else " transparent"
        return f'<div class="widget text{background}" style="{where}">{_text(widget)}</div>'
    width, height = place.width * theme.COLUMN - theme.GAP, place.height * theme.ROW - theme.GAP
    canvas = Canvas(width=width, height=height, has_readers_fonts=True)
    # Half a pixel, so that the card's border is not cut in two.
    section.drawing.draw(canvas, Box(x=0.5, y=0.5, width=width - 1, height=height - 1), widget)
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    under = f"<ul>{listed}</ul>" if listed else ""
    return f'<div class="widget" style="{where}">{_inline(canvas.svg(), name)}{under}</div>'


def _text(widget: TextWidget) -> str:
    return "".join(
        f"<h3>{html.escape(line.text)}</h3>" if line.heading else f"<p>{html.escape(line.text)}</p>"
        for line in plain_lines(widget.markdown)
        if line.text.strip()
    )


def _inline(svg: str, name: str) -> str:
    """An SVG for a page with several: unique ids, the page's colors, the width of its cell."""
    svg = _ID.sub(lambda found: f"{found[1]}{name}-", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f"{head}>{rest}".strip()
