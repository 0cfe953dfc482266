"""Series from a CSV file: `timestamp` and one column per metric."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.dashboard_body import Metric
from fargate_capacity.input_error import InputError
from fargate_capacity.metric_kind import is_total
from fargate_capacity.time_window import TimeWindow

Series = NDArray[np.float64]
_TIME = "timestamp"


class CsvSeries:
    """The columns of a CSV file, each for the metric whose label, or `namespace/metric name/stat`, is its name.

    An empty cell or a missing row is a gap.

    Raises:
        InputError: the file is invalid; the message names the line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._drawn: set[str] = set()
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.reader(file, strict=True))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}; allowed: a CSV file") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: got no CSV in UTF-8 ({error}); save it as one") from None
        if not rows:
            raise InputError(f"{path}: got an empty file, allowed: a header with {_TIME} and the metrics, then rows")
        header = [name.strip() for name in rows[0]]
        self._check_header(header)
        self._times, columns = self._read(header, rows[1:])
        self._columns = dict(zip((name for name in header if name != _TIME), columns, strict=True))
        steps = np.diff(self._times)
        self._step_s = int(np.median(steps)) if steps.size else 60

    @property
    def window(self) -> TimeWindow:
        """From the first row to the end of the last row's period."""
        first, last = (datetime.fromtimestamp(int(self._times[index]), tz=UTC) for index in (0, -1))
        return TimeWindow(start=first, end=last + timedelta(seconds=self._step_s))

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    @property
    def columns_not_drawn(self) -> Sequence[str]:
        """The columns that no metric uses."""
        return [name for name in self._columns if name not in self._drawn]

    @property
    def is_sample(self) -> bool:
        """False: a metric without a column is not drawn."""
        return False

    def period_s(self, metric: Metric) -> int:
        """The metric's period, or that of the file if it is longer."""
        return self.window.drawn_period_s(max(metric.period_s, self._step_s))

    def values(self, metric: Metric, label: str | None, period_s: int) -> Series | None:
        """The metric's value in each period of the window's grid. `None` if it has no column."""
        name = self._column(metric, label)
        if name is None:
            return None
        self._drawn.add(name)
        grid = self.window.grid(period_s)
        column = self._columns[name]
        has_value = ~np.isnan(column)
        values = np.full(grid.shape, np.nan)
        indices = (self._times - (grid[0] if grid.size else 0)) // period_s
        inside = has_value & (indices >= 0) & (indices < grid.size)
        if inside.any():
            periods, firsts = np.unique(indices[inside], return_index=True)
            values[periods] = _aggregated(metric.stat, column[inside], firsts)
        return values

    def note(self, metric: Metric, label: str | None) -> str | None:
        """The reason why a metric is not drawn, if so."""
        if self._column(metric, label) is not None:
            return None
        either = f"'{label}' or " if label else ""
        return f"{self._path.name} has no column {either}'{column_name(metric)}'"

    def _column(self, metric: Metric, label: str | None) -> str | None:
        return next((name for name in (label, column_name(metric)) if name and name in self._columns), None)

    def _check_header(self, header: list[str]) -> None:
        if _TIME not in header:
            raise InputError(
                f"{self._path}: got the columns {', '.join(header)}, allowed: {_TIME} and one for each metric; "
                f"name the column of times {_TIME}"
            )
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise InputError(f"{self._path}: got the column {twice[0]} twice, allowed: each once; remove one")
        if len(header) < 2 or "" in header:
            raise InputError(
                f"{self._path}: got {'no column' if len(header) < 2 else 'a column without a name'} beside {_TIME}, "
                "allowed: a metric's label or namespace/metric name/stat; name the metric"
            )

    def _read(self, header: list[str], rows: list[list[str]]) -> tuple[NDArray[np.int64], list[Series]]:
        time_index = header.index(_TIME)
        times: list[int] = []
        values: list[list[float]] = []
        for line, row in enumerate(rows, start=2):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise self._at(line, f"got {len(row)} cells, allowed: {len(header)}, as in the header")
            time = self._time(line, row[time_index].strip())
            if times and time <= times[-1]:
                said = "twice" if time == times[-1] else "after a later one"
                raise self._at(
                    line, f"{_TIME}: got {row[time_index].strip()} {said}, allowed: ascending; sort the rows"
                )
            times.append(time)
            values.append(
                [
                    self._number(line, name, cell.strip())
                    for name, cell in zip(header, row, strict=True)
                    if name != _TIME
                ]
            )
        if not times:
            raise InputError(f"{self._path}: got a header and no row, allowed: one row at least")
        return np.array(times, dtype=np.int64), list(np.array(values, dtype=float).T)

    def _time(self, line: int, text: str) -> int:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            what = f"{text} without a zone" if time else repr(text)
            raise self._at(line, f"{_TIME}: got {what}, allowed: ISO 8601 with a zone, as 2026-11-01T09:00:00Z")
        return int(time.timestamp())

    def _number(self, line: int, name: str, text: str) -> float:
        if not text:
            return math.nan
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._at(line, f"{name}: got {text!r}, allowed: a number, or nothing for a gap")
        return number

    def _at(self, line: int, fault: str) -> InputError:
        return InputError(f"{self._path}, line {line}: {fault}")


def column_name(metric: Metric) -> str:
    """The column name for a metric without a label: `AWS/ECS/CPUUtilization/Average`."""
    return f"{metric.namespace}/{metric.name}/{metric.stat}"


def _aggregated(stat: str, values: Series, firsts: NDArray[np.intp]) -> Series:
    """Aggregates each run of values that begins at one of `firsts`."""
    match stat:
        case "Maximum":
            return np.maximum.reduceat(values, firsts)
        case "Minimum":
            return np.minimum.reduceat(values, firsts)
    sums = np.add.reduceat(values, firsts)
    return sums if is_total(stat) else sums / np.diff(np.append(firsts, values.size))
