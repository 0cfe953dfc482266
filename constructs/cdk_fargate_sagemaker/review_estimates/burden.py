"""How the work of a day is spread over reviewers: figures of all of them together, never one of a person's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .reviewed_post import VERDICTS

SPREAD = {"Median": 50, "P90": 90, "Most": 100}
"""The parts of a figure's spread over reviewers, by what its name ends in: percentiles."""

FEWEST_DECISIONS = 10
"""A share or a mean of fewer decisions says little of anybody: such reviewers are not in the spread of either."""


def burden(days: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Return the spread by name, from a day's counts of each reviewer: verdicts, `milliseconds`, `timed`, `severe`.

    `Reviewers` who decided; `ReviewerDecisions…` of one of them; `DecisionSeconds…`, mean time of a decision;
    `SeverePercent…`, of the decisions those on severe posts. Of each the `Median`, the 90th percentile (`P90`) and the
    highest (`Most`) over reviewers. What nothing is known of is not in.
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
        # One that was counted before severe posts were, and then undone, counts below zero.
        **_spread("SeverePercent", [100 * min(made, max(0, day.get("severe", 0))) / made for day, made in enough]),
    }


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {f"{name}{part}": _percentile(ordered, percent) for part, percent in SPREAD.items()}


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent of all do not exceed (nearest rank)."""
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
