"""How long a target is watched before the next step."""

from enum import StrEnum


class Observation(StrEnum):
    """How long a target is watched, and which earlier hours its latency is compared with: the same hours of a day."""

    TWO_DAYS = "two_days"
    """Two days, compared with the two days before."""

    SEVEN_DAYS = "seven_days"
    """Seven days, compared with the week before."""

    MATCHING_WEEKDAYS = "matching_weekdays"
    """Two days, compared with the same weekdays of the week before."""
