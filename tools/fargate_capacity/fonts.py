"""The fonts that pictures are written in: matplotlib's own, then whatever the machine has for Japanese."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager

_LATIN = "DejaVu Sans"
_JAPANESE = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic")


@cache
def families() -> tuple[str, ...]:
    """Font families in the order in which a character is looked up."""
    installed = set(font_manager.get_font_names())
    return (_LATIN, *(family for family in _JAPANESE if family in installed))


@cache
def _characters() -> frozenset[int]:
    return frozenset(
        code
        for family in families()
        for code in font_manager.get_font(font_manager.findfont(family, fallback_to_default=False)).get_charmap()
    )


def characters_without_font(texts: Iterable[str]) -> str:
    """The characters that a PNG file can only show as boxes."""
    characters = {character for text in texts for character in text if character.isprintable()}
    return "".join(sorted(character for character in characters if ord(character) not in _characters()))


def without_missing(text: str) -> str:
    """The text with a box, about as wide as a Japanese character, for what no font has."""
    return "".join(one if ord(one) in _characters() or not one.isprintable() else "□" for one in text)


@contextmanager
def drawing_settings() -> Iterator[None]:
    """matplotlib as dashboards need it: a `$` is a dollar, text in SVG stays text, the same input is the same file."""
    settings: Any = {
        "font.family": list(families()),
        "text.parse_math": False,
        # Hinted letters are as wide as the resolution makes them: what is measured would not be what is drawn.
        "text.hinting": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "dashboard",
        "path.simplify_threshold": 0.3,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text that SVG keeps as text is shown in the fonts of the reader.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield
