"""Traffic in CSV files that CloudWatch's console saves for a graph: rows of labels, then one row per time."""

from __future__ import annotations

import csv
import itertools
from datetime import datetime
from pathlib import Path

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.compressed import open_text
from fargate_capacity.traffic.datapoints import number_of, time_of, trace_of, zoned
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.trace_csv import CsvColumns

_MOST_LABEL_ROWS = 20


def is_console_csv(path: Path, columns: CsvColumns) -> bool:
    """Whether a CSV file has rows of labels, then times in its first column, and no column with the expected name."""
    labels, first = _label_rows(path)
    return first is not None and bool(labels) and not any(columns.timestamp in row for row in labels)


def read_console_csv(path: Path, *, columns: CsvColumns, period_minutes: int | None) -> Trace:
    """The trace of the only series, of the named one, or of the one with RequestCount in its label.

    The console writes no time zone: times are in `columns.zone`, or assumed to be in UTC, which the trace notes.

    Raises:
        InputError: several series and none is named, or a row that cannot be read.
    """
    labels, _ = _label_rows(path)
    index = _column(path, labels, columns.requests)
    points = []
    has_zone = True
    with open_text(path) as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if line <= len(labels) or not row or index >= len(row) or not row[index].strip():
                continue
            where = f"{path}, line {line}"
            time = _time(row[0])
            if time is None:
                raise InputError(f"{where}: got the time {row[0]!r}, allowed: as 2026/11/23 09:00:00")
            has_zone = has_zone and time.tzinfo is not None
            try:
                count = number_of(row[index])
            except ValueError:
                raise InputError(f"{where}: got {row[index]!r} requests, allowed: a number, 0 or more") from None
            points.append((zoned(time, columns.zone), count))
    is_assumed = not has_zone and columns.zone is None
    return trace_of(
        points,
        name=path.name,
        period_minutes=period_minutes,
        notes=("times without a zone are taken as UTC; give another with --time-zone",) if is_assumed else (),
    )


def _label_rows(path: Path) -> tuple[list[list[str]], list[str] | None]:
    """The rows before the first that begins with a time, and that row."""
    labels: list[list[str]] = []
    try:
        with open_text(path) as file:
            for row in itertools.islice(csv.reader(file), _MOST_LABEL_ROWS):
                if row and _time(row[0]) is not None:
                    return labels, row
                labels.append([cell.strip() for cell in row])
    except (csv.Error, UnicodeDecodeError):
        # The reader of plain CSV then reports the error.
        return [], None
    return labels, None


def _column(path: Path, labels: list[list[str]], wanted: str) -> int:
    width = max(len(row) for row in labels)
    names = [{row[index] for row in labels if index < len(row)} - {""} for index in range(width)]
    series = [index for index in range(1, width) if names[index]]
    for is_meant in (lambda name: name == wanted, lambda name: "RequestCount" in name):
        found = [index for index in series if any(map(is_meant, names[index]))]
        if len(found) == 1:
            return found[0]
    if len(series) == 1:
        return series[0]
    shown = ", ".join(sorted(names[index])[0] for index in series[:5])
    raise InputError(
        f"{path}: got {len(series)} series ({shown}), allowed: one of requests; name it with --requests-column"
    )


def _time(text: str) -> datetime | None:
    try:
        return time_of(text)
    except (ValueError, OverflowError):
        return None
