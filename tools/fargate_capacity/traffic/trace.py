"""Traffic: requests per minute, stored on disk and read in blocks."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# A week of minutes (80 KB): long enough to make a block's overhead negligible.
BLOCK_MINUTES = 10_080
DAY_MINUTES = 1440
_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Consecutive minutes without data."""

    start: datetime
    minutes: int


class _MinutesFile:
    """A file that is deleted when nothing refers to it any more. It is open only during reads and writes."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="fargate-capacity-")
        os.close(handle)
        self.path = Path(name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)


@dataclass(slots=True, kw_only=True)
class Trace:
    """Requests per minute from `start` on; NaN without data.

    The numbers are in a temporary file, so that memory does not grow with the trace; it is deleted with the object.

    Args:
        name: the source.
        start: the first minute, in UTC.
        minutes: number of minutes, gaps included.
        gaps: the gaps, in order.
        period_minutes: the source's period; requests of longer periods are spread evenly.
        notes: one message per assumption about the source.
    """

    name: str
    start: datetime
    minutes: int
    gaps: tuple[Gap, ...] = ()
    period_minutes: int = 1
    notes: tuple[str, ...] = ()
    first: int = 0
    _file: _MinutesFile = field(repr=False)

    @classmethod
    def of(
        cls,
        blocks: Iterable[NDArray[np.float64]],
        *,
        name: str,
        start: datetime,
        gaps: tuple[Gap, ...] = (),
        period_minutes: int = 1,
        notes: tuple[str, ...] = (),
    ) -> Trace:
        """Creates a trace from blocks of requests per minute."""
        writer = TraceWriter()
        for block in blocks:
            writer.write(block)
        return writer.trace(name=name, start=start, gaps=gaps, period_minutes=period_minutes, notes=notes)

    @property
    def end(self) -> datetime:
        """The minute after the last one."""
        return self.start + timedelta(minutes=self.minutes)

    @property
    def missing_minutes(self) -> int:
        """The number of minutes without data."""
        return sum(gap.minutes for gap in self.gaps)

    def blocks(self, minutes: int = BLOCK_MINUTES) -> Iterator[NDArray[np.float64]]:
        """The trace in blocks of this many minutes; the last may be shorter."""
        for begin in range(0, self.minutes, minutes):
            yield self.block(begin, min(minutes, self.minutes - begin))

    def block(self, begin: int, minutes: int) -> NDArray[np.float64]:
        """This many minutes from minute `begin` on."""
        return np.fromfile(
            self._file.path,
            dtype=np.float64,
            count=min(minutes, self.minutes - begin),
            offset=(self.first + begin) * _WIDTH,
        )

    def times(self, factor: float) -> Trace:
        """The trace and its past with the requests multiplied, in a new file."""
        whole = self.with_past()
        more = Trace.of(
            (factor * block for block in whole.blocks()),
            name=self.name,
            start=whole.start,
            gaps=self.gaps,
            period_minutes=self.period_minutes,
            notes=self.notes,
        )
        return more.part(self.first, self.minutes)

    def with_past(self) -> Trace:
        """The trace together with the earlier part of the trace that it is taken from. The gaps are only its own."""
        return replace(
            self, start=self.start - timedelta(minutes=self.first), minutes=self.first + self.minutes, first=0
        )

    def part(self, begin: int, minutes: int) -> Trace:
        """A part of the trace as a separate trace on the same file."""
        start = self.start + timedelta(minutes=begin)
        end = start + timedelta(minutes=minutes)
        gaps = tuple(
            Gap(start=first, minutes=int((last - first).total_seconds()) // 60)
            for gap in self.gaps
            if (first := max(gap.start, start)) < (last := min(gap.start + timedelta(minutes=gap.minutes), end))
        )
        return Trace(
            name=self.name,
            start=start,
            minutes=minutes,
            gaps=gaps,
            period_minutes=self.period_minutes,
            notes=self.notes,
            first=self.first + begin,
            _file=self._file,
        )


class TraceWriter:
    """Writes requests per minute."""

    def __init__(self) -> None:
        self._file = _MinutesFile()
        self._minutes = 0

    def write(self, requests: NDArray[np.float64]) -> None:
        """Appends a block."""
        with self._file.path.open("ab") as file:
            file.write(np.ascontiguousarray(requests, dtype=np.float64).tobytes())
        self._minutes += len(requests)

    def trace(
        self,
        *,
        name: str,
        start: datetime,
        gaps: tuple[Gap, ...],
        period_minutes: int = 1,
        notes: tuple[str, ...] = (),
    ) -> Trace:
        """The trace of everything written."""
        return Trace(
            name=name,
            start=start,
            minutes=self._minutes,
            gaps=gaps,
            period_minutes=period_minutes,
            notes=notes,
            _file=self._file,
        )
