"""The settings of a floor's forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .load_history import SLOT

LONGEST_LEAD_MINUTES = 120


class LookBack(StrEnum):
    """The earlier days from which a day is forecast."""

    # The seven days before.
    DAYS = "days"
    # The same weekday of the four weeks before.
    WEEKS = "weeks"

    @property
    def step_days(self) -> int:
        """The number of days from one such day to the next."""
        return 1 if self is LookBack.DAYS else 7

    @property
    def wanted(self) -> int:
        """How many such days the forecast uses."""
        return 7 if self is LookBack.DAYS else 4

    @property
    def least(self) -> int:
        """How many such days the forecast needs; with fewer there is no floor."""
        return 3 if self is LookBack.DAYS else 2

    @property
    def furthest(self) -> int:
        """How many such days the forecast tries if some are holidays or have no data."""
        return 2 * self.wanted

    @property
    def history(self) -> timedelta:
        """The length of the history that a first floor needs."""
        return timedelta(days=self.least * self.step_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorSettings:
    """All inputs of a floor besides the load.

    Args:
        minimum: the declared minimum; the floor is never below it.
        maximum: the declared maximum; the floor is never above it.
        utilization: the average CPU, percent, at which the floor's tasks would carry the forecast load.
        look_back: the earlier days that the forecast uses.
        lead_minutes: how long before the load the floor rises, in minutes, a multiple of 15.
        time_zone: the time zone of the days, a name of the IANA database: 8:00 stays 8:00 when clocks change.
        holidays: days that are forecast from earlier holidays, or from Sundays if there are too few, and that are not
            used to forecast other days.

    Raises:
        ValueError: a value out of its range.
    """

    minimum: int
    maximum: int
    utilization: float
    look_back: LookBack = LookBack.DAYS
    lead_minutes: int = 30
    time_zone: str = "UTC"
    holidays: frozenset[date] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.minimum < 0:
            raise ValueError(f"minimum: got {self.minimum}, allowed: 0 or more tasks")
        if self.maximum < self.minimum:
            raise ValueError(f"maximum: got {self.maximum}, allowed: at least the minimum ({self.minimum})")
        if not 0 < self.utilization <= 100:
            raise ValueError(f"utilization: got {self.utilization}, allowed: above 0, at most 100 percent")
        slot_minutes = int(SLOT.total_seconds()) // 60
        if not 0 <= self.lead_minutes <= LONGEST_LEAD_MINUTES or self.lead_minutes % slot_minutes:
            raise ValueError(
                f"lead_minutes: got {self.lead_minutes}, allowed: 0 to {LONGEST_LEAD_MINUTES}, a multiple of "
                f"{slot_minutes}"
            )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"time_zone: got {self.time_zone!r}, allowed: a name of the IANA database, as Asia/Tokyo"
            ) from None
