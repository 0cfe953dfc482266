"""Reads traffic from CSV, JSON of CloudWatch or Prometheus, or a load balancer's access logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic import access_logs, console_csv, metric_json, trace_csv
from fargate_capacity.traffic.compressed import UNREADABLE, open_bytes
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.trace_csv import CsvColumns

# One or two terminal lines, with the program's name.
_LONGEST_ERROR = 180


def read_traffic(
    path: Path,
    *,
    columns: CsvColumns | None = None,
    period_minutes: int | None = None,
    is_per_second: bool = False,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> Trace:
    """Reads traffic; detects the format by the content.

    Args:
        path: CSV with a timestamp and the requests of each period; CSV saved by CloudWatch's console; JSON output of
            `aws cloudwatch get-metric-data` or `get-metric-statistics`, or of Prometheus's `query_range`; an ALB's
            access log, or a folder of them. Each may be compressed with gzip.
        columns: the columns of a CSV file; in JSON with several series, the name of the request series.
        period_minutes: the period of a row. Default: derived from the times.
        is_per_second: whether JSON has a rate per second, as from PromQL's `rate()`, instead of counts.
        on_progress: called regularly with the number of rows read.

    Raises:
        InputError: one line of at most 180 characters: what was given and what is allowed.
    """
    columns = columns or CsvColumns()
    try:
        if path.is_dir():
            return access_logs.read_access_logs(path, on_progress=on_progress)
        with open_bytes(path) as file:
            start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
        if start[:1] in (b"{", b"["):
            return metric_json.read_metric_json(
                _json_of(path),
                name=path.name,
                wanted=columns.requests,
                zone=columns.zone,
                period_minutes=period_minutes,
                is_per_second=is_per_second,
            )
        if access_logs.is_access_log(start):
            return access_logs.read_access_logs(path, on_progress=on_progress)
        if console_csv.is_console_csv(path, columns):
            return console_csv.read_console_csv(path, columns=columns, period_minutes=period_minutes)
        return trace_csv.read_trace(path, columns=columns, period_minutes=period_minutes, on_progress=on_progress)
    except UNREADABLE as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(_shortened(f"{path}: cannot be read ({why}); allowed: a file of traffic", path)) from None
    except InputError as error:
        raise InputError(_shortened(str(error), path)) from None


def _json_of(path: Path) -> object:
    try:
        with open_bytes(path) as file:
            return json.loads(file.read())
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read as JSON ({error}); allowed: one whole document") from None


def _shortened(text: str, path: Path) -> str:
    """Shortens a line for a terminal: removes first the folders of a path, then the end."""
    text = " ".join(text.split())
    if len(text) > _LONGEST_ERROR:
        text = text.replace(str(path), path.name)
    return text if len(text) <= _LONGEST_ERROR else f"{text[: _LONGEST_ERROR - 1]}…"
