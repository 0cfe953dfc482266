"""How long a target is watched before the next step."""

from enum import StrEnum

from ..scaling_decisions import ObservationPeriod


class Observation(StrEnum):
    """How long a target is watched, and which earlier hours its latency is compared with: the same hours of a day."""

    TWO_DAYS = ObservationPeriod.TWO_DAYS.value
    """Two days, compared with the two days before."""

    SEVEN_DAYS = ObservationPeriod.SEVEN_DAYS.value
    """Seven days, compared with the week before."""

    MATCHING_WEEKDAYS = ObservationPeriod.MATCHING_WEEKDAYS.value
    """Two days, compared with the same weekdays of the week before."""
