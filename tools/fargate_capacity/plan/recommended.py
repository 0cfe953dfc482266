"""The result of a search for a setting: the recommendation and the rejected candidates with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fargate_capacity.plan.added_breach import (
    AddedBreach,
    Days,
    Tolerance,
    added_breach,
)
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Simulation

# A smaller saving is within the model's error.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A candidate and the reason why it is not recommended."""

    simulation: Simulation
    cost: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """The recommendation based on the days before `start`, applied from then on.

    Args:
        start: the fold's start.
        end: the fold's end.
        setting: the setting that would have been recommended.
        keeps: whether it is the current setting.
        days: the fold's days with that setting.
        current_days: the fold's days with the current setting.
    """

    start: datetime
    end: datetime
    setting: Setting
    keeps: bool
    days: Days
    current_days: Days

    @property
    def added(self) -> AddedBreach:
        """The breaches in addition to those of the current setting."""
        return added_breach(self.days, self.current_days)

    @property
    def saving(self) -> float:
        """The saved share of the current setting's task-hours."""
        current = float(self.current_days.task_hours.sum())
        return 1 - float(self.days.task_hours.sum()) / current if current else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """A candidate's cost and breaches on the searched part.

    Args:
        simulation: the candidate's simulation.
        cost: the candidate's cost.
        breached_percent: requests beyond the limit, percent of all requests.
        is_on_frontier: whether no cheaper candidate breaches as little.
    """

    simulation: Simulation
    cost: float
    breached_percent: float
    is_on_frontier: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The result of a sweep.

    Args:
        chosen: the recommended setting; the current one if none is better.
        keeps: whether the current setting is kept.
        why: the reason, in a sentence.
        current_first, chosen_first: simulations on the searched part of the trace.
        current_held_out, chosen_held_out: simulations on the held-out part.
        rejected: all other candidates, cheapest first.
        allowed_breach_minutes: breach minutes of the current setting on the searched part. The decision uses requests.
        tolerance: the tolerated breaches in addition to those of the current setting.
        sureness: the probability that the chosen setting stays within it for four weeks. None: the current one is kept.
        added_held_out: the choice's additional breaches on the held-out part.
        folds: the results of earlier choices.
        frontier: all candidates, cheapest first.
        more_days: further days of history that are needed to recommend a cheaper setting. None: none are needed, or no
            number is enough.
        floor: whether a forecast floor helps, in a sentence. None: no floor was tried.
    """

    chosen: Setting
    keeps: bool
    why: str
    current_first: Simulation
    chosen_first: Simulation
    current_held_out: Simulation
    chosen_held_out: Simulation
    rejected: tuple[Rejection, ...]
    allowed_breach_minutes: int
    tolerance: Tolerance
    sureness: float | None
    added_held_out: AddedBreach
    folds: tuple[Fold, ...]
    frontier: tuple[FrontierPoint, ...]
    more_days: int | None
    floor: str | None = None
