"""Builds a trace from data points in any order, as CloudWatch and Prometheus return them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.trace import Gap, Trace

_LONGEST_GAP_MINUTES = 366 * 1440
_MOST_PERIOD_MINUTES = 60
# Formats of spreadsheets and people: 15,000 or 15 000 or 15'000, with a decimal point.
_THOUSANDS = re.compile(r"\d{1,3}(?:(?P<mark>[,'’_ \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?:\.\d+)?")
_EPOCH = re.compile(r"(\d{9,10}|\d{12,13})(?:\.\d+)?")
_SLASHES = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})[ T]")


def number_of(text: str) -> float:
    """Parses a number with or without thousands separators.

    Raises:
        ValueError: it is not a number.
    """
    text = text.strip()
    if found := _THOUSANDS.fullmatch(text):
        text = text.replace(found["mark"], "")
    if "_" in text:
        # Python accepts 1_000, but in a file it has another meaning.
        raise ValueError(text)
    return float(text)


def time_of(text: str) -> datetime:
    """Parses a time: ISO 8601, `2026/11/23 09:00:00`, or seconds or milliseconds since 1970 in UTC.

    Raises:
        ValueError: it has another format.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds >= 1e11 else seconds, tz=UTC)
    text = _SLASHES.sub(lambda found: f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}T", text)
    return datetime.fromisoformat(text.removesuffix(" UTC") + ("+00:00" if text.endswith(" UTC") else ""))


def zoned(time: datetime, zone: tzinfo | None) -> datetime:
    """The time in UTC; without a time zone it is in `zone`, or in UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=zone or UTC)).astimezone(UTC)


def trace_of(
    points: Sequence[tuple[datetime, float]],
    *,
    name: str,
    period_minutes: int | None,
    is_per_second: bool = False,
    notes: tuple[str, ...] = (),
) -> Trace:
    """The trace of data points with one period, in any order; requests of periods over a minute are spread evenly.

    Periods shorter than a minute are summed. A minute without a data point is a gap.

    Raises:
        InputError: fewer than two data points, two at one time, or times without a common period.
    """
    times = np.array([time.timestamp() for time, _ in points])
    values = np.array([value for _, value in points], dtype=float)
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    if len(times) < 2:
        raise InputError(f"{name}: got {len(times)} datapoints, allowed: at least two periods of traffic")
    if not np.all(np.isfinite(values) & (values >= 0)):
        wrong = values[~(np.isfinite(values) & (values >= 0))][0]
        raise InputError(f"{name}: got {wrong:g} requests, allowed: a number, 0 or more")
    steps = np.diff(times)
    if not steps.all():
        at = datetime.fromtimestamp(times[1:][steps == 0][0], tz=UTC)
        raise InputError(f"{name}: got {at.isoformat()} twice, allowed: each time once")
    step = float(steps.min()) if period_minutes is None else 60.0 * period_minutes
    if is_per_second:
        values = values * step
    if step < 60:
        minutes, first = np.unique(times // 60, return_index=True)
        times, values, step = 60.0 * minutes, np.add.reduceat(values, first), 60.0
    if step % 60 or not 1 <= step / 60 <= _MOST_PERIOD_MINUTES:
        raise InputError(
            f"{name}: got {step / 60:g} minutes between datapoints, allowed: 1 to {_MOST_PERIOD_MINUTES} whole ones; "
            "state the period with --period"
        )
    places = (times - times[0]) / step
    if np.any(places % 1):
        off = datetime.fromtimestamp(times[places % 1 > 0][0], tz=UTC)
        raise InputError(f"{name}: got {off.isoformat()}, allowed: periods of {step / 60:g} minutes from the first on")
    whole = places.astype(np.int64)
    if np.diff(whole).max() * step / 60 > _LONGEST_GAP_MINUTES:
        raise InputError(f"{name}: got a gap of more than 366 days, allowed: one stretch of time")
    period = int(step // 60)
    counts = np.full(int(whole[-1]) + 1, math.nan)
    counts[whole] = values
    # A row that does not begin at a full minute belongs to its minute.
    start = datetime.fromtimestamp(times[0] // 60 * 60, tz=UTC)
    return Trace.of(
        [np.repeat(counts / period, period)],
        name=name,
        start=start,
        gaps=tuple(_gaps(counts, start, period)),
        period_minutes=period,
        notes=notes,
    )


def _gaps(counts: np.ndarray[tuple[int], np.dtype[np.float64]], start: datetime, period: int) -> list[Gap]:
    absent = np.flatnonzero(np.isnan(counts))
    runs = np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1) if absent.size else []
    return [Gap(start=start + timedelta(minutes=int(run[0]) * period), minutes=len(run) * period) for run in runs]
