"""Draws the cost of candidates against their breaches, and marks the chosen ones."""

from __future__ import annotations

from pathlib import Path

from fargate_capacity import theme
from fargate_capacity.canvas import Box, Canvas, points, wrapped
from fargate_capacity.fonts import drawing_settings
from fargate_capacity.page import Picture
from fargate_capacity.plan.recommended import FrontierPoint, Recommendation

TITLE = "Cost against breach on the searched part"
_WIDTH, _HEIGHT = 1_112.0, 440.0
_OTHER, _FRONTIER, _CURRENT, _CHOSEN = "#9aa5b1", "#2074d5", "#b4540a", "#1b7f4b"
# Multiple of the tolerance at which the axis ends: otherwise candidates that breach far more would compress it.
_HIGHEST = 3.0


def write_frontier(found: Recommendation, *, unit: str, output: Path) -> tuple[Path, Picture]:
    """Writes `frontier.png` into a folder; returns it and the same picture for a page.

    Args:
        found: the recommendation to draw.
        unit: the unit of its costs.
        output: the folder, which exists.
    """
    path = output / "frontier.png"
    with drawing_settings():
        drawn = draw_frontier(found, unit=unit, background=theme.PAGE)
        path.write_bytes(drawn.png())
        return path, Picture(title=TITLE, canvas=draw_frontier(found, unit=unit, has_readers_fonts=True))


def draw_frontier(
    found: Recommendation, *, unit: str, background: str | None = None, has_readers_fonts: bool = False
) -> Canvas:
    """Draws one point per candidate and a line along the Pareto frontier."""
    canvas = Canvas(width=_WIDTH, height=_HEIGHT, background=background, has_readers_fonts=has_readers_fonts)
    canvas.rectangle(Box(x=0.5, y=0.5, width=_WIDTH - 1, height=_HEIGHT - 1), face=theme.CARD, edge=theme.BORDER)
    canvas.text(14, 20, TITLE, size=theme.TITLE_SIZE, is_bold=True)
    for number, text in enumerate(wrapped(found.why, _WIDTH - 28, theme.SMALL_SIZE)[:2]):
        canvas.text(14, 39 + 14 * number, text, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    current = next(each for each in found.frontier if each.simulation is found.current_first)
    chosen = next(each for each in found.frontier if each.simulation is found.chosen_first)
    tolerated = current.breached_percent + found.tolerance.percent
    highest = max(_HIGHEST * tolerated, 1.2 * current.breached_percent, 0.01)
    shown = [each for each in found.frontier if each.breached_percent <= highest]
    axes = canvas.axes(Box(x=64, y=84, width=_WIDTH - 84, height=_HEIGHT - 138), facecolor="none")
    line = [each for each in shown if each.is_on_frontier]
    axes.plot(
        [each.cost for each in line],
        [each.breached_percent for each in line],
        color=_FRONTIER,
        linewidth=points(1.5),
        drawstyle="steps-post",
    )
    axes.axhline(tolerated, color=theme.ANNOTATION, linewidth=points(1.2), linestyle=(0, (4, 3)))

    def mark(which: list[FrontierPoint], color: str, size: float) -> None:
        axes.scatter(
            [each.cost for each in which],
            [each.breached_percent for each in which],
            s=points(size) ** 2,
            color=color,
            zorder=3,
            clip_on=False,
        )

    mark([each for each in shown if not each.is_on_frontier], _OTHER, 5)
    mark(line, _FRONTIER, 6)
    mark([current], _CURRENT, 11)
    if not found.keeps:
        mark([chosen], _CHOSEN, 11)
    axes.set_ylim(0, highest)
    axes.grid(color=theme.GRID, linewidth=points(1))
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=points(theme.SMALL_SIZE), labelcolor=theme.SOFT_INK, length=0)
    for spine in axes.spines.values():
        spine.set_color(theme.BORDER)
    hidden = len(found.frontier) - len(shown)
    above = f"   ({hidden} beyond {highest:.2g} %)" if hidden else ""
    canvas.text(14, 74, f"requests beyond the guardrail, %{above}", size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    canvas.text(_WIDTH - 20, _HEIGHT - 34, f"cost, {unit}", size=theme.SMALL_SIZE, color=theme.SOFT_INK, align="right")
    legend = [
        (_FRONTIER, "nothing that breaches as little costs less"),
        (_OTHER, "other candidates"),
        (theme.ANNOTATION, f"tolerated: {tolerated:.2f} %"),
        (_CURRENT, f"current, {current.breached_percent:.2f} %" + (": kept" if found.keeps else "")),
    ]
    if not found.keeps:
        legend.append((_CHOSEN, f"recommended, {chosen.breached_percent:.2f} %"))
    for index, (color, label) in enumerate(legend):
        x = 14 + 218 * index + (70 if index else 0)
        canvas.swatch(Box(x=x, y=_HEIGHT - 21, width=9, height=9), color)
        canvas.text(x + 14, _HEIGHT - 16, label, size=theme.SMALL_SIZE, color=theme.SOFT_INK)
    return canvas
