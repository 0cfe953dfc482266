"""The spread of a day's work over reviewers: figures of all reviewers together, never of one person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .reviewed_post import VERDICTS

SPREAD = {"Median": 50, "P90": 90, "Most": 100}
"""The percentiles of a figure's spread over reviewers, by the end of their names."""

FEWEST_DECISIONS = 10
"""A share or a mean of fewer decisions is not reliable: such reviewers are left out of both."""


def burden(days: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Return the spread by name, from each reviewer's counts of a day: verdicts, `milliseconds`, `timed`, `severe`.

    Names: `Reviewers`, the number of reviewers who decided; `ReviewerDecisions…`, decisions per reviewer;
    `DecisionSeconds…`, mean time of a decision; `SeverePercent…`, the percentage of decisions on severe posts. Each of
    the last three has the `Median`, the 90th percentile (`P90`) and the maximum (`Most`) over reviewers. A figure that
    is unknown is left out.
    """
    decisions = [max(0, sum(day.get(verdict, 0) for verdict in VERDICTS)) for day in days]
    enough = [(day, made) for day, made in zip(days, decisions, strict=True) if made >= FEWEST_DECISIONS]
    return {
        "Reviewers": float(sum(made > 0 for made in decisions)),
        **_spread("ReviewerDecisions", [float(made) for made in decisions if made > 0]),
        **_spread(
            "DecisionSeconds",
            [
                day["milliseconds"] / 1000 / day["timed"]
                for day in days
                if day.get("timed", 0) >= FEWEST_DECISIONS and "milliseconds" in day
            ],
        ),
        # A decision that was counted before severe posts were counted, and then undone, gives a number below zero.
        **_spread("SeverePercent", [100 * min(made, max(0, day.get("severe", 0))) / made for day, made in enough]),
    }


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {f"{name}{part}": _percentile(ordered, percent) for part, percent in SPREAD.items()}


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that this percentage of all values do not exceed (nearest rank)."""
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
