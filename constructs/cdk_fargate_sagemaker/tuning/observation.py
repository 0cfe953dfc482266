"""How long a target is observed before the next step."""

from enum import StrEnum

from ..scaling_decisions import ObservationPeriod


class Observation(StrEnum):
    """How long a target is observed, and which earlier days the latency of the same hours is compared with."""

    TWO_DAYS = ObservationPeriod.TWO_DAYS.value
    """Two days, compared with the two days before."""

    SEVEN_DAYS = ObservationPeriod.SEVEN_DAYS.value
    """Seven days, compared with the week before."""

    MATCHING_WEEKDAYS = ObservationPeriod.MATCHING_WEEKDAYS.value
    """Two days, compared with the same weekdays of the week before."""
