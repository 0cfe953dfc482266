"""Reads traffic from CSV: a timestamp with a time zone, and the requests of the period that begins then."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.compressed import open_text
from fargate_capacity.traffic.datapoints import number_of, time_of
from fargate_capacity.traffic.trace import BLOCK_MINUTES, Gap, Trace, TraceWriter

_MOST_PERIOD_MINUTES = 60
# A longer gap means that traces were concatenated, or a wrong year.
_LONGEST_GAP_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvColumns:
    """A file's column names, and the time zone of timestamps without one.

    Args:
        timestamp: the column with ISO 8601 timestamps.
        requests: the column with the numbers.
        zone: the time zone. Default: timestamps without one are refused.
    """

    timestamp: str = "timestamp"
    requests: str = "requests"
    zone: tzinfo | None = None


def read_trace(
    path: Path,
    *,
    columns: CsvColumns | None = None,
    period_minutes: int | None = None,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> Trace:
    """Reads a trace.

    Args:
        path: the file's path.
        columns: the columns. Default: `timestamp` and `requests`.
        period_minutes: the period of a row. Default: the time between the first two rows.
        on_progress: called regularly with the number of rows read.

    Raises:
        InputError: unsorted, negative, duplicate, mixed time zones, empty, wrong columns; the message names the line
            and what is allowed.
    """
    columns = columns or CsvColumns()
    rows = _rows(path, columns)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{path}: got no rows, allowed: at least two periods of traffic")
    second = next(rows, None)
    if second is None:
        raise InputError(f"{path}: got one row, allowed: at least two periods of traffic")
    period = _period(path, first, second, period_minutes)
    step = timedelta(minutes=period)
    writer, gaps, pending = TraceWriter(), [], [first.requests]
    expected = first.time + step
    for number, row in enumerate(_chain(second, rows), start=2):
        if row.time != expected:
            absent, rest = divmod(row.time - expected, step)
            if rest or row.time < expected:
                raise InputError(
                    f"{path}, line {row.line}: got {row.time.isoformat()}, allowed: periods of {period} minutes from "
                    f"{first.time.isoformat()} on; state another with --period"
                )
            if absent * step > timedelta(days=_LONGEST_GAP_DAYS):
                raise InputError(
                    f"{path}, line {row.line}: got {row.time.isoformat()} after {(expected - step).isoformat()}, "
                    f"allowed: gaps of at most {_LONGEST_GAP_DAYS} days"
                )
            gaps.append(Gap(start=expected, minutes=absent * period))
            pending.extend([math.nan] * absent)
        pending.append(row.requests)
        expected = row.time + step
        if len(pending) >= BLOCK_MINUTES:
            writer.write(_per_minute(pending, period))
            pending.clear()
            on_progress(number)
    writer.write(_per_minute(pending, period))
    return writer.trace(name=path.name, start=first.time, gaps=tuple(gaps), period_minutes=period)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    time: datetime
    requests: float


def _rows(path: Path, columns: CsvColumns) -> Iterator[_Row]:
    try:
        file = open_text(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); allowed: a CSV file of traffic") from None
    with file:
        try:
            # In some countries spreadsheets separate columns by semicolons.
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
            header = next(reader, [])
            names = [name.strip() for name in header]
            for name in (columns.timestamp, columns.requests):
                if name not in names:
                    raise InputError(
                        f"{path}: got the columns {', '.join(names) or '(none)'}, allowed: {columns.timestamp} and "
                        f"{columns.requests}; name yours with --timestamp-column and --requests-column"
                    )
            yield from _parsed(path, reader, columns, names.index(columns.timestamp), names.index(columns.requests))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as CSV in UTF-8 ({error})") from None


def _parsed(
    path: Path, reader: Iterator[list[str]], columns: CsvColumns, timestamp: int, requests: int
) -> Iterator[_Row]:
    latest: datetime | None = None
    offset: timedelta | None = None
    needed = max(timestamp, requests) + 1
    for line, cells in enumerate(reader, start=2):
        if not cells:
            continue
        where = f"{path}, line {line}"
        if len(cells) < needed:
            raise InputError(f"{where}: got {len(cells)} columns, allowed: {needed} or more")
        time = _time(where, cells[timestamp], columns.zone)
        if offset is None:
            offset = time.utcoffset()
        elif columns.zone is None and time.utcoffset() != offset:
            raise InputError(
                f"{where}: got {cells[timestamp]}, in another time zone than before; write all in one, as UTC"
            )
        if latest is not None and time <= latest:
            fault = "a second time" if time == latest else "after a later one: unsorted"
            raise InputError(f"{where}: got {cells[timestamp]} {fault}; allowed: each period once, in order")
        latest = time
        if not cells[requests].strip():
            # No data point: treated like a missing row, which makes a gap.
            continue
        yield _Row(line, time.astimezone(UTC), _count(where, cells[requests]))


def _time(where: str, text: str, zone: tzinfo | None) -> datetime:
    try:
        time = time_of(text)
    except (ValueError, OverflowError):
        raise InputError(
            f"{where}: got the timestamp {text!r}, allowed: ISO 8601, as 2026-11-23T09:00:00Z, or seconds since 1970"
        ) from None
    if time.tzinfo is None:
        if zone is None:
            raise InputError(
                f"{where}: got {text!r} without a time zone, allowed: one with, as 2026-11-23T09:00:00Z; "
                "or give the zone with --time-zone"
            )
        return time.replace(tzinfo=zone).astimezone(UTC)
    return time


def _count(where: str, text: str) -> float:
    try:
        count = number_of(text)
    except ValueError:
        raise InputError(f"{where}: got {text!r} requests, allowed: a number, 0 or more") from None
    if not 0 <= count < math.inf:
        raise InputError(f"{where}: got {text} requests, allowed: a number, 0 or more; leave out what is unknown")
    return count


def _period(path: Path, first: _Row, second: _Row, stated: int | None) -> int:
    if stated is not None:
        if not 1 <= stated <= _MOST_PERIOD_MINUTES:
            raise InputError(f"--period: got {stated}, allowed: 1 to {_MOST_PERIOD_MINUTES} minutes")
        return stated
    minutes = (second.time - first.time).total_seconds() / 60
    if minutes != int(minutes) or not 1 <= minutes <= _MOST_PERIOD_MINUTES:
        raise InputError(
            f"{path}: got {minutes:g} minutes between the first two rows, allowed: 1 to {_MOST_PERIOD_MINUTES} whole "
            "minutes; state the period with --period"
        )
    return int(minutes)


def _per_minute(counts: list[float], period: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.repeat(np.array(counts) / period, period)


def _chain(second: _Row, rows: Iterator[_Row]) -> Iterator[_Row]:
    yield second
    yield from rows
