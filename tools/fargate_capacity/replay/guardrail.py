"""What must not happen: latency above a limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A latency alarm.

    Args:
        latency_seconds: a minute breaches where the mean latency at the hottest task is above it.
        periods: minutes the alarm looks at.
        datapoints: how many of them have to breach for it to fire.
    """

    latency_seconds: float
    periods: int = 1
    datapoints: int = 1

    def __post_init__(self) -> None:
        if not self.latency_seconds > 0:
            raise ValueError(f"latency_seconds: got {self.latency_seconds}, allowed: above 0")
        if not 1 <= self.datapoints <= self.periods <= 60:
            raise ValueError(
                f"datapoints: got {self.datapoints} of {self.periods} periods, allowed: 1 to the periods, at most 60"
            )
