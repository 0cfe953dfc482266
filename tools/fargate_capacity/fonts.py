"""The fonts of pictures: matplotlib's own, then this machine's Japanese fonts."""

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
    """The font families, in the order of look-up."""
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
    """The characters that no font has: PNG files show them as boxes."""
    characters = {character for text in texts for character in text if character.isprintable()}
    return "".join(sorted(character for character in characters if ord(character) not in _characters()))


def without_missing(text: str) -> str:
    """The text with characters that no font has replaced by a box, about as wide as a Japanese character."""
    return "".join(one if ord(one) in _characters() or not one.isprintable() else "□" for one in text)


@contextmanager
def drawing_settings() -> Iterator[None]:
    """matplotlib's settings: `$` is a plain character, text in SVG stays text, the same input gives the same file."""
    settings: Any = {
        "font.family": list(families()),
        "text.parse_math": False,
        # The width of hinted letters depends on the resolution: text would be drawn wider or narrower than measured.
        "text.hinting": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "dashboard",
        "path.simplify_threshold": 0.3,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text in SVG is shown in the reader's fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield
