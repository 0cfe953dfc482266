"""Traffic: requests a minute, on disk, read back in blocks."""

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

# A week of minutes: long enough that a block's overhead does not show, 80 KB.
BLOCK_MINUTES = 10_080
DAY_MINUTES = 1440
_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Minutes in a row without data."""

    start: datetime
    minutes: int


class _MinutesFile:
    """A file that goes when nothing refers to it any more. It is open only while it is read or written."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="fargate-capacity-")
        os.close(handle)
        self.path = Path(name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)


@dataclass(slots=True, kw_only=True)
class Trace:
    """Requests a minute from `start` on; NaN where there are no data.

    The numbers lie in a temporary file, so that memory does not grow with the trace; it goes with the object.

    Args:
        name: where it came from.
        start: the first minute, in UTC.
        minutes: how many, gaps included.
        gaps: of these, in order.
        period_minutes: of the source; a longer period's requests are spread evenly.
        notes: one line for each thing that was taken for granted of the source.
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
        """A trace of blocks of requests a minute."""
        writer = TraceWriter()
        for block in blocks:
            writer.write(block)
        return writer.trace(name=name, start=start, gaps=gaps, period_minutes=period_minutes, notes=notes)

    @property
    def end(self) -> datetime:
        """The minute after the last."""
        return self.start + timedelta(minutes=self.minutes)

    @property
    def missing_minutes(self) -> int:
        """How many minutes have no data."""
        return sum(gap.minutes for gap in self.gaps)

    def blocks(self, minutes: int = BLOCK_MINUTES) -> Iterator[NDArray[np.float64]]:
        """The trace in blocks of so many minutes, the last one shorter."""
        for begin in range(0, self.minutes, minutes):
            yield self.block(begin, min(minutes, self.minutes - begin))

    def block(self, begin: int, minutes: int) -> NDArray[np.float64]:
        """So many minutes from the minute `begin` on."""
        return np.fromfile(
            self._file.path,
            dtype=np.float64,
            count=min(minutes, self.minutes - begin),
            offset=(self.first + begin) * _WIDTH,
        )

    def times(self, factor: float) -> Trace:
        """So many times the requests, and as many times those before it, on a file of its own."""
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
        """It and all that came before it in the trace that it is a part of. The gaps are its own."""
        return replace(
            self, start=self.start - timedelta(minutes=self.first), minutes=self.first + self.minutes, first=0
        )

    def part(self, begin: int, minutes: int) -> Trace:
        """A part of it as a trace of its own, on the same file."""
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
    """Takes requests a minute as they come."""

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
        """The trace of all that was written."""
        return Trace(
            name=name,
            start=start,
            minutes=self._minutes,
            gaps=gaps,
            period_minutes=period_minutes,
            notes=notes,
            _file=self._file,
        )
