"""Draws the dashboards of a cloud assembly before they are deployed."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from fargate_capacity import theme
from fargate_capacity.alarms import Alarms
from fargate_capacity.auto_period import auto_period_s
from fargate_capacity.canvas import Box, Canvas
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.csv_series import CsvSeries
from fargate_capacity.dashboard_body import FrameWidget
from fargate_capacity.dashboard_drawing import described, draw_dashboard, place_box, shared_notes
from fargate_capacity.dashboards import Dashboard
from fargate_capacity.fonts import drawing_settings
from fargate_capacity.input_error import InputError
from fargate_capacity.page import DashboardSection, Picture, write_page
from fargate_capacity.sample_series import SampleSeries, SampleService
from fargate_capacity.time_window import TimeWindow, choose_window
from fargate_capacity.widget_drawing import WidgetDrawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The result of writing a preview.

    Args:
        characters_without_font: characters that the PNG files show as boxes.
        not_drawn: a message per dashboard or widget that could not be drawn.
    """

    files: tuple[Path, ...]
    characters_without_font: str
    not_drawn: tuple[str, ...] = ()


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def write_preview(
    assembly: CloudAssembly,
    dashboards: Sequence[Dashboard],
    *,
    output: Path,
    data: CsvSeries | None,
    advance: Callable[[str], None],
    view: timedelta | None = None,
    title: str = "Dashboards of the cloud assembly",
    pictures: Sequence[Picture] = (),
) -> Preview:
    """Writes `index.html` and one PNG file per dashboard into a folder.

    Args:
        assembly: the cloud assembly.
        dashboards: the dashboards to draw.
        output: the output folder.
        data: the source of the series. Default: sample series.
        advance: called before each dashboard is drawn.
        view: the time range of sample series. Default: each dashboard's own.
        title: the page's title.
        pictures: pictures below the dashboards. Default: none.

    Raises:
        InputError: the folder cannot be created, or no dashboard can be drawn.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output: got {output} ({error.strerror}), allowed: a folder that can be written") from None
    sections, written, missing = [], [], ""
    not_drawn: list[str] = []
    names = file_names([(dashboard.name, dashboard.template.stack) for dashboard in dashboards])
    with drawing_settings():
        for dashboard, name in zip(dashboards, names, strict=True):
            advance(dashboard.name)
            try:
                section = dashboard_section(assembly, dashboard, data=data, view=view, not_drawn=not_drawn)
            except ValueError as error:
                not_drawn.append(f"dashboard {dashboard.name} of stack {dashboard.template.stack}: {error}")
                continue
            sections.append(section)
            canvas = draw_section(section)
            path = output / f"{name}.png"
            path.write_bytes(canvas.png())
            written.append(path)
            missing += canvas.characters_without_font
        if not sections:
            raise InputError(not_drawn[0])
        page = output / "index.html"
        page.write_text(write_page(sections, title=title, pictures=pictures), encoding="utf-8")
    return Preview(
        files=(page, *written),
        characters_without_font="".join(sorted(set(missing))),
        not_drawn=tuple(not_drawn),
    )


def file_names(dashboards: Sequence[tuple[str, str]]) -> list[str]:
    """A unique file name for each dashboard, from its name and stack, even on case-insensitive file systems."""
    names: list[str] = []
    for dashboard, stack in dashboards:
        name = _UNSAFE.sub("-", dashboard).strip("-.") or "dashboard"
        candidates = [
            name,
            f"{_UNSAFE.sub('-', stack)}-{name}",
            *(f"{name}-{n}" for n in range(2, len(dashboards) + 2)),
        ]
        taken = {one.casefold() for one in names}
        names.append(next(one for one in candidates if one.casefold() not in taken))
    return names


def draw_section(section: DashboardSection, *, frames: Mapping[int, str] | None = None) -> Canvas:
    """Draws a dashboard as one picture; `frames` maps widget numbers to the colors of their frames."""
    dashboard = section.dashboard
    notes = shared_notes(list(zip(dashboard.body.widgets, section.notes, strict=True)))
    canvas = draw_dashboard(dashboard, section.drawing, notes=notes, subtitle=section.subtitle)
    for number, color in (frames or {}).items():
        canvas.frame(place_box(dashboard.body.widgets[number].place), color)
    return canvas


def dashboard_section(
    assembly: CloudAssembly,
    dashboard: Dashboard,
    *,
    data: CsvSeries | None = None,
    view: timedelta | None = None,
    not_drawn: list[str],
    sampled_as: Dashboard | None = None,
) -> DashboardSection:
    """A dashboard with its series.

    Args:
        assembly: the cloud assembly.
        dashboard: one of its dashboards.
        data: the source of the series. Default: sample series.
        view: the time range of sample series. Default: the dashboard's own.
        not_drawn: called with a message for each widget that cannot be drawn.
        sampled_as: another dashboard whose time range and sample series are used. Default: its own.
    """
    sampled_as = sampled_as or dashboard
    alarms = Alarms(assembly=assembly, template=dashboard.template)
    if data is None:
        window = choose_window(sampled_as.body, view=view)
        service = SampleService.of(sampled_as.body)

        @functools.cache
        def samples(shown: TimeWindow) -> SampleSeries:
            return SampleSeries(window=shown, service=service, seed=sampled_as.name)

        drawing = WidgetDrawing(
            source=samples,
            window=window,
            alarms=alarms,
            period_s=None if dashboard.body.keeps_periods else _auto_period_s,
            watermark="sample data",
        )
        origin = "sample data, not measured"
        if not dashboard.body.keeps_periods:
            minutes = _auto_period_s(window) // 60
            origin = f"a point {'a minute' if minutes == 1 else f'every {minutes} minutes'}  ·  {origin}"
    else:
        window = data.window
        drawing = WidgetDrawing(source=lambda _: data, window=window, alarms=alarms, keeps_window=True)
        origin = f"data of {data.name}"
    # The widgets are drawn once to collect their notes, because the picture's height depends on them.
    notes, widgets = [], []
    for widget in dashboard.body.widgets:
        width = widget.place.width * theme.COLUMN - theme.GAP
        height = widget.place.height * theme.ROW - theme.GAP
        canvas = Canvas(width=width, height=height)
        try:
            notes.append(drawing.draw(canvas, Box(x=0, y=0, width=width, height=height), widget))
            widgets.append(widget)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Bodies may be written by hand: a widget of unexpected form must not prevent the others.
            what = f"{type(error).__name__}: {error}"
            title = getattr(widget, "title", "")
            not_drawn.append(f"dashboard {dashboard.name}, widget {title or len(widgets) + 1}: {what}")
            notes.append([])
            widgets.append(
                FrameWidget(place=widget.place, title=title, kind="a widget that cannot be drawn", content=what)
            )
    dashboard = replace(dashboard, body=replace(dashboard.body, widgets=tuple(widgets)))
    return DashboardSection(
        dashboard=dashboard, drawing=drawing, subtitle=described(dashboard, window, origin), notes=notes
    )


def _auto_period_s(window: TimeWindow) -> int:
    return auto_period_s(window.end - window.start)
