"""The time range of a dashboard's graphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.dashboard_body import DashboardBody, MetricWidget

_DURATION = re.compile(
    r"-?P(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_DEFAULT_LENGTH = timedelta(days=1)
# A window more than three times as long would look too different from CloudWatch's.
_STRETCH = 3
# Without annotations and data any day is possible; a fixed one makes pictures reproducible.
_SAMPLE_DAY_END = datetime(2026, 1, 6, tzinfo=UTC)
_MOST_POINTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """From `start` (inclusive) to `end` (exclusive).

    Raises:
        ValueError: the end is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"end: got {self.end.isoformat()}, allowed: after the start {self.start.isoformat()}")

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time <= self.end

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return (self.end - self.start).total_seconds()

    def drawn_period_s(self, period_s: int) -> int:
        """The period, or its smallest multiple that keeps the window below the maximum number of points."""
        return period_s * max(1, -(-int(self.seconds) // (period_s * _MOST_POINTS)))

    def grid(self, period_s: int) -> NDArray[np.int64]:
        """The starts of the periods, in seconds since 1970, on multiples of the period as CloudWatch aligns them."""
        first = -(-int(self.start.timestamp()) // period_s) * period_s
        return np.arange(first, int(self.end.timestamp()), period_s, dtype=np.int64)


def choose_window(body: DashboardBody, *, view: timedelta | None = None) -> TimeWindow:
    """The window for sample series: as long as the dashboard's own, and around the latest vertical annotations.

    It ends shortly after the latest annotation. To include earlier ones, it may be up to three times as long as the
    dashboard's range. A range that the body gives as two times is used unchanged.

    Args:
        body: the dashboard's body.
        view: a fixed length that replaces the dashboard's range. Default: the dashboard's.
    """
    if view is not None:
        changes = _moments(body)
        latest = _whole_hour_after(changes[-1] + view / 5) if changes else _SAMPLE_DAY_END
        return TimeWindow(start=latest - view, end=latest)
    end, length, start = _moment(body.end), _length(body.start), _moment(body.start)
    if start and end and start < end:
        return TimeWindow(start=start, end=end)
    if start:
        return TimeWindow(start=start, end=start + _DEFAULT_LENGTH)
    moments = _moments(body)
    if end is None:
        end = _whole_hour_after(moments[-1] + length / 5) if moments else _SAMPLE_DAY_END
    begin = end - length
    near = [moment for moment in moments if end - _STRETCH * length <= moment <= end]
    if near and near[0] < begin + length / 20:
        begin = max(end - _STRETCH * length, near[0] - length / 10)
    return TimeWindow(start=begin, end=end)


def widget_window(widget: MetricWidget, window: TimeWindow) -> TimeWindow:
    """A widget's time range: its own, ending at its own or the window's end; otherwise the window."""
    end = _moment(widget.end) or window.end
    length, start = _given_length(widget.start), _moment(widget.start)
    if start is None:
        # CloudWatch refuses an end without a start; here it is shown with the dashboard's length.
        start = end - (length or (window.end - window.start))
    return TimeWindow(start=start, end=end) if start < end else window


def _moments(body: DashboardBody) -> Sequence[datetime]:
    return sorted(
        line.time for widget in body.widgets if isinstance(widget, MetricWidget) for line in widget.annotations.moments
    )


def _whole_hour_after(time: datetime) -> datetime:
    return datetime.fromtimestamp(-(-time.timestamp() // 3600) * 3600, tz=UTC)


def _moment(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _length(text: str | None) -> timedelta:
    return _given_length(text) or _DEFAULT_LENGTH


def _given_length(text: str | None) -> timedelta | None:
    """Parses a duration such as `-P1DT6H`; a month is 30 days. None: not a duration."""
    found = _DURATION.fullmatch(text or "")
    if not found:
        return None
    units = {unit: int(number) for unit, number in found.groupdict().items() if number}
    days = units.pop("days", 0) + 30 * units.pop("months", 0)
    return timedelta(days=days, **units) or None
