"""Numbers as a dashboard writes them."""

from __future__ import annotations

import math

_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def compact_number(value: float) -> str:
    """Three figures and a letter for the thousands: `12.3K`, `0.0457`, `640`."""
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
