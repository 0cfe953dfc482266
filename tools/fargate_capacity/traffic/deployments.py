"""Deployments, during which nothing scales in."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.input_error import InputError

_NONE: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Deployments:
    """Pairs of start and end, each with a time zone."""

    spans: tuple[tuple[datetime, datetime], ...] = ()

    def flags(self, start: datetime, minutes: int) -> NDArray[np.int64]:
        """1 for each minute of a deployment; empty if there is none in these minutes."""
        end = start + timedelta(minutes=minutes)
        flags = _NONE
        for begin, finish in self.spans:
            if begin < end and finish > start:
                if not flags.size:
                    flags = np.zeros(minutes, dtype=np.int64)
                first = max(0, int((begin - start).total_seconds() // 60))
                last = int(-(-(finish - start).total_seconds() // 60))
                flags[first:last] = 1
        return flags


def read_deployments(path: Path) -> Deployments:
    """Reads a CSV file with columns `start` and `end`, ISO 8601 with a time zone.

    Raises:
        InputError: the message names the line and what is allowed.
    """
    spans = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                try:
                    start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
                    if start.tzinfo is None or end.tzinfo is None or not start < end:
                        raise ValueError
                except (KeyError, TypeError, ValueError):
                    raise InputError(
                        f"{path}, line {line}: got {list(row.values())}, allowed: start and end, ISO 8601 with a zone, "
                        "the start before the end"
                    ) from None
                spans.append((start, end))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); allowed: CSV with the columns start and end") from None
    return Deployments(tuple(spans))
