"""The shorthand of a widget's metrics: `.` repeats one element of the previous metric, `...` several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One expanded row.

    Args:
        elements: namespace, metric name, then name and value of each dimension; empty for an expression.
        options: the object at the end of the row. Default: none.
    """

    elements: tuple[str, ...]
    options: dict[str, Any]


def expand_shorthand(rows: Sequence[Any]) -> list[MetricRow]:
    """Expands the rows of a widget's `metrics`.

    Raises:
        ValueError: a row is not a metric, or has shorthand without a previous metric; the message names the row.
    """
    expanded: list[MetricRow] = []
    before: tuple[str, ...] = ()
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or not row:
            raise ValueError(f"metric {number}: got {row!r}, allowed: an array")
        given, options = (row[:-1], row[-1]) if isinstance(row[-1], dict) else (row, {})
        if not given:
            if "expression" not in options:
                raise ValueError(f"metric {number}: got neither a metric nor an expression")
            expanded.append(MetricRow(elements=(), options=options))
            continue
        elements = _written_out([str(element) for element in given], before, number)
        if len(elements) < 2 or len(elements) % 2:
            raise ValueError(
                f"metric {number}: got {len(elements)} elements, allowed: namespace, name, pairs of a dimension"
            )
        expanded.append(MetricRow(elements=elements, options=options))
        before = elements
    return expanded


def _written_out(given: list[str], before: tuple[str, ...], number: int) -> tuple[str, ...]:
    elements: list[str] = []
    for index, element in enumerate(given):
        if element == "...":
            # It stands for all elements that the following ones do not replace.
            up_to = len(before) - (len(given) - index - 1)
            if up_to <= len(elements):
                raise ValueError(f"metric {number}: got '...' with nothing before it to repeat")
            elements.extend(before[len(elements) : up_to])
        elif element == ".":
            if len(elements) >= len(before):
                raise ValueError(f"metric {number}: got '.' with nothing before it to repeat")
            elements.append(before[len(elements)])
        else:
            elements.append(element)
    return tuple(elements)
