"""A figure with coordinates in pixels from its top left corner, as on a screen."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle

from fargate_capacity import theme
from fargate_capacity.fonts import characters_without_font, families, without_missing

_PIXELS_PER_INCH = 100
_POINTS_PER_INCH = 72
_PNG_SCALE = 1.5
_MEASURED_SCALE = 10
# The renderer fails at a side of 65,536 pixels.
_MOST_PIXELS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels; `x` and `y` are its top left corner."""

    x: float
    y: float
    width: float
    height: float

    def inset(self, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Box:
        """The box inside margins."""
        return Box(
            x=self.x + left,
            y=self.y + top,
            width=max(self.width - left - right, 1),
            height=max(self.height - top - bottom, 1),
        )

    def overlaps(self, other: Box) -> bool:
        """Whether two boxes share a pixel."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


def points(pixels: float) -> float:
    """matplotlib measures fonts and lines in points."""
    return pixels * _POINTS_PER_INCH / _PIXELS_PER_INCH


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(8, 8, _PIXELS_PER_INCH * _MEASURED_SCALE)  # type: ignore[no-untyped-call]


@cache
def text_width(text: str, size: float, *, is_bold: bool = False) -> float:
    """The width of a line of text in pixels."""
    properties = FontProperties(family=list(families()), size=points(size), weight="bold" if is_bold else "normal")
    width, _, _ = _renderer().get_text_width_height_descent(  # type: ignore[no-untyped-call]
        without_missing(text), properties, ismath=False
    )
    return float(width) / _MEASURED_SCALE


def shortened(text: str, width: float, size: float, *, is_bold: bool = False) -> str:
    """The text, shortened to a width with an ellipsis."""
    text = " ".join(text.split())
    if text_width(text, size, is_bold=is_bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size, is_bold=is_bold) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrapped(text: str, width: float, size: float, *, is_bold: bool = False) -> list[str]:
    """The text in lines that fit a width; a longer word is broken."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            while word:
                tried = f"{line} {word}" if line else word
                if text_width(tried, size, is_bold=is_bold) <= width:
                    line, word = tried, ""
                elif line:
                    lines.append(line)
                    line = ""
                else:
                    fits = max(len(shortened(word, width, size, is_bold=is_bold)) - 1, 1)
                    lines.append(word[:fits])
                    word = word[fits:]
        lines.append(line)
    return lines


class Canvas:
    """A figure of a size in pixels.

    Args:
        background: the background color. Default: transparent.
        has_readers_fonts: the text is shown in the reader's fonts, as in SVG. Default: in this machine's fonts;
            characters that they lack are boxes.
    """

    def __init__(
        self, *, width: float, height: float, background: str | None = None, has_readers_fonts: bool = False
    ) -> None:
        self.width, self.height = width, height
        self._has_readers_fonts = has_readers_fonts
        self._texts: list[str] = []
        self.figure = Figure(figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH), dpi=_PIXELS_PER_INCH)
        FigureCanvasAgg(self.figure)
        self.figure.patch.set_facecolor(background or "none")

    def axes(self, box: Box, **settings: Any) -> Axes:
        """Axes that fill a box."""
        return self.figure.add_axes(
            (
                box.x / self.width,
                1 - (box.y + box.height) / self.height,
                box.width / self.width,
                box.height / self.height,
            ),
            **settings,
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = theme.TEXT_SIZE,
        color: str = theme.INK,
        is_bold: bool = False,
        align: Literal["left", "center", "right"] = "left",
        is_monospaced: bool = False,
        alpha: float = 1.0,
        has_background: bool = False,
    ) -> None:
        """A line of text whose middle is at the height `y`."""
        self._texts.append(text)
        background = {"facecolor": theme.CARD, "edgecolor": "none", "alpha": 0.8, "pad": 0.4}
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            text if self._has_readers_fonts else without_missing(text),
            fontsize=points(size),
            color=color,
            fontweight="bold" if is_bold else "normal",
            ha=align,
            va="center_baseline",
            alpha=alpha,
            bbox=background if has_background else None,
            fontfamily="DejaVu Sans Mono" if is_monospaced else list(families()),
        )

    def rectangle(self, box: Box, *, face: str = "none", edge: str = "none", dashed: bool = False) -> None:
        """A filled rectangle with round corners."""
        self.figure.add_artist(
            FancyBboxPatch(
                (box.x / _PIXELS_PER_INCH, (self.height - box.y - box.height) / _PIXELS_PER_INCH),
                box.width / _PIXELS_PER_INCH,
                box.height / _PIXELS_PER_INCH,
                boxstyle="round,pad=0,rounding_size=0.04",
                transform=self.figure.dpi_scale_trans,
                facecolor=face,
                edgecolor=edge,
                linewidth=points(1),
                linestyle=(0, (4, 3)) if dashed else "-",
                # Axes have z-order 0: cards are behind them.
                zorder=-1,
            )
        )

    def frame(self, box: Box, color: str, *, thickness: float = 3) -> None:
        """A frame around a box, above its content."""
        self.figure.add_artist(
            Rectangle(
                (box.x / _PIXELS_PER_INCH, (self.height - box.y - box.height) / _PIXELS_PER_INCH),
                box.width / _PIXELS_PER_INCH,
                box.height / _PIXELS_PER_INCH,
                transform=self.figure.dpi_scale_trans,
                facecolor="none",
                edgecolor=color,
                linewidth=points(thickness),
                zorder=10,
            )
        )

    def swatch(self, box: Box, color: str) -> None:
        """A small square of a color."""
        self.figure.add_artist(
            Rectangle(
                (box.x / _PIXELS_PER_INCH, (self.height - box.y - box.height) / _PIXELS_PER_INCH),
                box.width / _PIXELS_PER_INCH,
                box.height / _PIXELS_PER_INCH,
                transform=self.figure.dpi_scale_trans,
                facecolor=color,
                edgecolor="none",
            )
        )

    @property
    def characters_without_font(self) -> str:
        """The written characters that no font of this machine has."""
        return characters_without_font(self._texts)

    def png(self, *, scale: float = _PNG_SCALE) -> bytes:
        """The picture at 1.5 times its size, so that it stays sharp; smaller if it exceeds the renderer's limit."""
        scale = min(scale, _MOST_PIXELS / max(self.width, self.height))
        written = io.BytesIO()
        self.figure.savefig(written, format="png", dpi=_PIXELS_PER_INCH * scale, metadata={"Software": None})
        return written.getvalue()

    def svg(self) -> str:
        """The picture as an SVG element, without the XML prologue."""
        written = io.StringIO()
        self.figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        text = written.getvalue()
        return text[text.index("<svg") :]
