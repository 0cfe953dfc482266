"""CloudWatch's data of a service, per minute."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.trace import Gap, Trace

COLUMNS = ("requests", "cpu_average", "cpu_maximum", "tasks", "latency_ms")
_LEAST_MINUTES = 120
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """One column per metric with one value per minute from `start` on; NaN without a data point.

    Args:
        name: the file's name.
        start: the first minute, in UTC.
        cpu_average, cpu_maximum: percent.
        latency: seconds.
    """

    name: str
    start: datetime
    requests: Column
    cpu_average: Column
    cpu_maximum: Column
    tasks: Column
    latency: Column

    @property
    def minutes(self) -> int:
        """Number of minutes."""
        return len(self.requests)

    @property
    def empty_columns(self) -> tuple[str, ...]:
        """The file's names of columns without any number."""
        columns = (self.requests, self.cpu_average, self.cpu_maximum, self.tasks, self.latency)
        return tuple(name for name, column in zip(COLUMNS, columns, strict=True) if np.isnan(column).all())

    def part(self, begin: int, end: int) -> Observations:
        """The minutes from `begin` until before `end`."""
        return replace(
            self,
            start=self.start + timedelta(minutes=begin),
            requests=self.requests[begin:end],
            cpu_average=self.cpu_average[begin:end],
            cpu_maximum=self.cpu_maximum[begin:end],
            tasks=self.tasks[begin:end],
            latency=self.latency[begin:end],
        )

    def trace(self) -> Trace:
        """The observed traffic as a trace."""
        absent = np.flatnonzero(np.isnan(self.requests))
        runs = np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1) if absent.size else []
        gaps = tuple(Gap(start=self.start + timedelta(minutes=int(run[0])), minutes=len(run)) for run in runs)
        return Trace.of([self.requests], name=self.name, start=self.start, gaps=gaps)


def read_observations(path: Path) -> Observations:
    """Reads a CSV file as written by `fetch`: `timestamp` and the columns; an empty cell is a missing data point.

    Raises:
        InputError: the message names the line and what is allowed.
    """
    times: list[int] = []
    rows: list[list[float]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            absent = [name for name in ("timestamp", *COLUMNS[:-1]) if name not in names]
            if absent:
                raise InputError(
                    f"{path}: got the columns {', '.join(names) or '(none)'}, allowed: timestamp, {', '.join(COLUMNS)}"
                    f"; {', '.join(absent)} is missing"
                )
            for line, row in enumerate(reader, start=2):
                times.append(_minute(f"{path}, line {line}", row["timestamp"], times[-1] if times else None))
                rows.append([_number(f"{path}, line {line}: {name}", row.get(name)) for name in COLUMNS])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); allowed: a CSV file as `fetch` writes it") from None
    if len(times) < _LEAST_MINUTES:
        raise InputError(f"{path}: got {len(times)} minutes, allowed: at least {_LEAST_MINUTES} to fit a model on")
    table = np.full((times[-1] - times[0] + 1, len(COLUMNS)), math.nan)
    table[np.array(times) - times[0]] = rows
    return Observations(
        name=path.name,
        start=datetime.fromtimestamp(times[0] * 60, tz=UTC),
        requests=table[:, 0].copy(),
        cpu_average=table[:, 1],
        cpu_maximum=table[:, 2],
        tasks=table[:, 3],
        latency=table[:, 4] / 1000,
    )


def _minute(where: str, text: str | None, latest: int | None) -> int:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        raise InputError(f"{where}: got the timestamp {text!r}, allowed: ISO 8601, as 2026-11-23T09:00:00Z") from None
    if time.tzinfo is None:
        raise InputError(f"{where}: got {text!r} without a time zone, allowed: one with, as 2026-11-23T09:00:00Z")
    minute, rest = divmod(int(time.timestamp()), 60)
    if rest or (latest is not None and minute <= latest):
        raise InputError(f"{where}: got {text}, allowed: whole minutes, each once, in order")
    return minute


def _number(where: str, text: str | None) -> float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        raise InputError(f"{where}: got {text!r}, allowed: a number, 0 or more, or nothing") from None
    if not 0 <= number < math.inf:
        raise InputError(f"{where}: got {text}, allowed: a number, 0 or more, or nothing")
    return number
