"""Traffic from an Application Load Balancer's access logs: each line is a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.compressed import UNREADABLE, open_bytes
from fargate_capacity.traffic.trace import Trace

# The type of the request, then the time of the response.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
_LINE = re.compile(rb"(?:https?|h2|grpcs|wss?) (\d{4}-\d\d-\d\dT\d\d:\d\d):\d\d")
_LONGEST_MINUTES = 2 * 366 * 1440
_TOLD_EVERY = 50


def is_access_log(start: bytes) -> bool:
    """Whether a file with this beginning is an access log."""
    return _LINE.match(start) is not None


def read_access_logs(path: Path, *, on_progress: Callable[[int], None] = lambda rows: None) -> Trace:
    """Requests per minute in a file, or in all files of a folder and its subfolders; a minute without a line has zero.

    Raises:
        InputError: there is no access log, or the logs cover more than two years.
    """
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    minutes: Counter[bytes] = Counter()
    others = lines = 0
    for number, file in enumerate(files, start=1):
        try:
            with open_bytes(file) as log:
                for line in log:
                    found = _LINE.match(line)
                    if found is None:
                        others += bool(line.strip())
                        continue
                    minutes[found[1]] += 1
                    lines += 1
        except UNREADABLE as error:
            raise InputError(f"{file.name}: cannot be read ({error}); allowed: whole access logs") from None
        if number % _TOLD_EVERY == 0:
            on_progress(lines)
    if len(minutes) < 2:
        raise InputError(
            f"{path.name}: got {lines} requests in {len(files)} files, allowed: an ALB's access logs of two minutes or "
            "more"
        )
    counts = {_minute(text): count for text, count in minutes.items()}
    first, last = min(counts), max(counts)
    if last - first > _LONGEST_MINUTES:
        raise InputError(f"{path.name}: got logs of more than two years, allowed: one stretch of time")
    requests = np.zeros(last - first + 1)
    for minute, count in counts.items():
        requests[minute - first] = count
    return Trace.of(
        [requests],
        name=path.name,
        start=datetime.fromtimestamp(first * 60, tz=UTC),
        notes=(f"{others:,} lines are no requests and do not count",) if others else (),
    )


def _minute(text: bytes) -> int:
    return int(datetime.fromisoformat(f"{text.decode()}+00:00").timestamp()) // 60
