"""The time range in which posts were received, in the review table's format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from post_purge.input_error import InputError


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `since` (inclusive) to `until` (exclusive)."""

    since: datetime
    until: datetime

    @classmethod
    def read(cls, since: str, until: str) -> Self:
        """Read two times in ISO 8601; one without an offset is in UTC, a date alone means midnight.

        Raises InputError for an invalid time or an empty range.
        """
        wanted = cls(_time("--since", since), _time("--until", until))
        if wanted.since >= wanted.until:
            raise InputError(f"--until is {until!r}: give a time after --since, {since!r}")
        return wanted

    @property
    def first(self) -> str:
        """The first time of the range, in the format of `received`."""
        return self.since.isoformat(timespec="milliseconds")

    @property
    def last(self) -> str:
        """The last time of the range: posts are stored to the millisecond."""
        return (self.until - timedelta(milliseconds=1)).isoformat(timespec="milliseconds")


def _time(option: str, given: str) -> datetime:
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"{option} is {given!r}: give a time as 2026-11-23T09:00Z, or a day as 2026-11-23") from None
