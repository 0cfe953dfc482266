"""The colors and sizes of a dashboard, close to CloudWatch's own."""

from __future__ import annotations

from typing import Final

# No series has these colors: the HTML page replaces each by that of the reader's light or dark scheme.
INK: Final = "#16191e"
SOFT_INK: Final = "#545b65"
CARD: Final = "#fefefe"
BORDER: Final = "#d5dbdc"
GRID: Final = "#eaedee"
PAGE: Final = "#f2f3f4"
ANNOTATION: Final = "#8c4bb8"

DARK: Final = {
    INK: "#e9ebed",
    SOFT_INK: "#a0a8b3",
    CARD: "#161d26",
    BORDER: "#414d5c",
    GRID: "#2a3440",
    PAGE: "#0f141a",
    ANNOTATION: "#b98ae0",
}

# Pixels.
COLUMN: Final = 60.0
ROW: Final = 50.0
GAP: Final = 8.0
TITLE_SIZE: Final = 13.0
TEXT_SIZE: Final = 11.5
SMALL_SIZE: Final = 10.5
