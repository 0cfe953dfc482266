"""Draws requests per task before and after a change, with the target level."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from fargate_capacity import theme
from fargate_capacity.canvas import Box, Canvas, points, wrapped
from fargate_capacity.fonts import drawing_settings
from fargate_capacity.plan.saving import BLOCK_DAYS, Saving

_WIDTH, _HEIGHT = 1_112.0, 520.0
_DAY, _WEEK, _LEVEL, _BEFORE = "#9aa5b1", "#2074d5", "#1b7f4b", "#b4540a"


def write_saving(found: Saving, *, title: str, summary: str, output: Path) -> Path:
    """Writes `saved.png` into a folder, which exists."""
    path = output / "saved.png"
    with drawing_settings():
        path.write_bytes(_draw(found, title=title, summary=summary).png())
    return path


def _number(day: date) -> float:
    return float(date2num(day))  # type: ignore[no-untyped-call]


def _draw(found: Saving, *, title: str, summary: str) -> Canvas:
    canvas = Canvas(width=_WIDTH, height=_HEIGHT, background=theme.PAGE)
    canvas.rectangle(Box(x=0.5, y=0.5, width=_WIDTH - 1, height=_HEIGHT - 1), face=theme.CARD, edge=theme.BORDER)
    canvas.text(14, 20, title, size=theme.TITLE_SIZE, is_bold=True)
    for number, text in enumerate(wrapped(summary, _WIDTH - 28, theme.SMALL_SIZE)[:2]):
        canvas.text(14, 39 + 14 * number, text, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    dates = [*found.before.dates, *found.after.dates]
    times = [_number(day) for day in dates]
    since = _number(found.since)
    for name, top, height, of_days in (
        ("requests per task and minute", 84.0, 210.0, "requests_per_task"),
        ("task-hours per day", 340.0, 124.0, "task_hours"),
    ):
        axes = canvas.axes(Box(x=64, y=top, width=_WIDTH - 84, height=height), facecolor="none")
        values = [
            days.requests_per_task if of_days == "requests_per_task" else days.task_hours.sum(axis=1)
            for days in (found.before, found.after)
        ]
        axes.plot(times, np.concatenate(values), color=_DAY, linewidth=points(1), marker=".", markersize=points(4))
        at = 0
        for of_part in values:
            if len(of_part) >= BLOCK_DAYS:
                week = np.convolve(of_part, np.ones(BLOCK_DAYS) / BLOCK_DAYS, mode="valid")
                axes.plot(
                    times[at + BLOCK_DAYS - 1 : at + len(of_part)], week, color=_WEEK, linewidth=points(2), zorder=3
                )
            at += len(of_part)
        if of_days == "requests_per_task":
            axes.axhline(found.level, color=_LEVEL, linewidth=points(1.4))
            before = found.before.requests_per_task_hour / 60
            axes.axhline(before, color=_BEFORE, linewidth=points(1.2), linestyle=(0, (4, 3)))
        axes.axvline(since, color=theme.ANNOTATION, linewidth=points(1.4))
        axes.set_ylim(0, None)
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
        axes.grid(color=theme.GRID, linewidth=points(1))
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=points(theme.SMALL_SIZE), labelcolor=theme.SOFT_INK, length=0)
        for spine in axes.spines.values():
            spine.set_color(theme.BORDER)
        canvas.text(14, top - 10, name, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    legend = (
        (_DAY, "day"),
        (_WEEK, "mean of seven days"),
        (_BEFORE, "before, all days"),
        (_LEVEL, f"level to return to: {found.level:,.1f}"),
        (theme.ANNOTATION, f"since {found.since}"),
    )
    x = 64.0
    for color, text in legend:
        canvas.swatch(Box(x=x, y=_HEIGHT - 21, width=9, height=9), color)
        canvas.text(x + 14, _HEIGHT - 16, text, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
        x += 40 + 6.5 * len(text)
    return canvas
