"""The lines and bands that a widget's annotations draw across its graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from fargate_capacity.hex_color import hex_color

Axis = Literal["left", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizontalLine:
    """A line at a value; `fill` shades the area above or below it."""

    value: float
    label: str = ""
    color: str | None = None
    fill: Literal["above", "below"] | None = None
    axis: Axis = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizontalBand:
    """Two lines, shaded between."""

    lower: HorizontalLine
    upper: HorizontalLine
    color: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerticalLine:
    """A line at a time; `fill` shades the area before or after it."""

    time: datetime
    label: str = ""
    color: str | None = None
    fill: Literal["before", "after"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerticalBand:
    """Two times, shaded between."""

    start: VerticalLine
    end: VerticalLine
    color: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """A widget's annotations.

    Args:
        alarms: the ARNs of alarms whose thresholds are drawn.
        unread: one message per annotation that cannot be drawn.
    """

    horizontal: tuple[HorizontalLine | HorizontalBand, ...] = ()
    vertical: tuple[VerticalLine | VerticalBand, ...] = ()
    alarms: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def moments(self) -> tuple[VerticalLine, ...]:
        """The times of all vertical lines, including the edges of bands."""
        return tuple(
            line
            for one in self.vertical
            for line in ((one.start, one.end) if isinstance(one, VerticalBand) else (one,))
        )


def read_annotations(declared: Any) -> Annotations:
    """Reads the `annotations` of a widget; omits invisible ones and lists unreadable ones in `unread`."""
    if not isinstance(declared, dict):
        return Annotations()
    unread: list[str] = []
    horizontal: list[HorizontalLine | HorizontalBand] = []
    vertical: list[VerticalLine | VerticalBand] = []
    for one in _visible(declared.get("horizontal")):
        try:
            if isinstance(one, list):
                first, second = (_horizontal_line(each) for each in _pair(one))
                lower, upper = sorted((first, second), key=lambda line: line.value)
                horizontal.append(HorizontalBand(lower=lower, upper=upper, color=first.color or second.color))
            else:
                horizontal.append(_horizontal_line(one))
        except ValueError as error:
            unread.append(f"horizontal line {error}")
    for one in _visible(declared.get("vertical")):
        try:
            if isinstance(one, list):
                begin, end = sorted((_vertical_line(each) for each in _pair(one)), key=lambda line: line.time)
                vertical.append(VerticalBand(start=begin, end=end, color=begin.color or end.color))
            else:
                vertical.append(_vertical_line(one))
        except ValueError as error:
            unread.append(f"vertical line {error}")
    alarms = declared.get("alarms")
    return Annotations(
        horizontal=tuple(horizontal),
        vertical=tuple(vertical),
        alarms=tuple(str(arn) for arn in alarms) if isinstance(alarms, list) else (),
        unread=tuple(unread),
    )


def _visible(declared: Any) -> list[Any]:
    def shown(one: Any) -> bool:
        first = one[0] if isinstance(one, list) and one else one
        return not (isinstance(first, dict) and first.get("visible") is False)

    return [one for one in declared if shown(one)] if isinstance(declared, list) else []


def _pair(one: list[Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if len(one) != 2 or not all(isinstance(each, dict) for each in one):
        raise ValueError(f"got {one!r}, allowed: two values for a band")
    first, second = one
    # The second edge of a band has the axis and the color of the first.
    inherited = {key: first[key] for key in ("yAxis", "color") if key in first}
    return first, {**inherited, **second}


def _horizontal_line(one: Any) -> HorizontalLine:
    if not isinstance(one, dict):
        raise ValueError(f"got {one!r}, allowed: an object with a value")
    label, value = str(one.get("label", "")), one.get("value")
    fill = one.get("fill")
    return HorizontalLine(
        value=_number(value, label),
        label=label,
        color=hex_color(one.get("color")),
        fill=fill if fill in ("above", "below") else None,
        axis="right" if one.get("yAxis") == "right" else "left",
    )


def _number(value: Any, label: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        shown = f"'{label}': " if label else ""
        if isinstance(value, str) and ("${" in value or "{{" in value):
            raise ValueError(f"{shown}its value {value} is known only after the deploy")
        raise ValueError(f"{shown}got the value {value!r}, allowed: a number")
    return number


def _vertical_line(one: Any) -> VerticalLine:
    if not isinstance(one, dict):
        raise ValueError(f"got {one!r}, allowed: an object with a value")
    label, value = str(one.get("label", "")), one.get("value")
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        shown = f"'{label}': " if label else ""
        raise ValueError(f"{shown}got the value {value!r}, allowed: a date and time, as ISO 8601 has it") from None
    fill = one.get("fill")
    return VerticalLine(
        # CloudWatch reads a time without a zone as UTC.
        time=(time.replace(tzinfo=UTC) if time.tzinfo is None else time).astimezone(UTC),
        label=label,
        color=hex_color(one.get("color")),
        fill=fill if fill in ("before", "after") else None,
    )
