"""Numbers as a dashboard writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def compact_number(value: float) -> str:
    """Three significant digits and a suffix for thousands: `12.3K`, `0.0457`, `640`."""
    if not math.isfinite(value):
        return "–"
    for step, letter in _STEPS:
        # 999,950 would round to 1000K.
        if abs(value) >= 0.99995 * step:
            return f"{_three_figures(value / step)}{letter}"
    return _three_figures(value)


def _three_figures(value: float) -> str:
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(decimals, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact_numbers(values: Sequence[float]) -> list[str]:
    """Numbers of one scale, with enough digits to distinguish different values: `100.1`, `100.2`."""
    labels = [compact_number(value) for value in values]
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    step, letter = next(((step, letter) for step, letter in _STEPS if top >= 0.99995 * step), (1.0, ""))
    for decimals in range(1, 13):
        if len(set(labels)) == len(set(values)):
            return labels
        labels = [f"{value / step:.{decimals}f}{letter}" if math.isfinite(value) else "–" for value in values]
    return labels


def full_number(value: float, *, most: int) -> str:
    """All digits that fit into this number of characters, with thousands separators."""
    if not math.isfinite(value):
        return "–"
    for decimals in range(6, -1, -1):
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if len(text) <= most:
            return text
    return compact_number(value)
