"""What a search for a setting comes to: what is recommended, what is not and why."""

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

# Less is within the model's error.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A candidate and why it is not recommended."""

    simulation: Simulation
    cost: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What would have been recommended by the days before `start`, followed from then on.

    Args:
        start: of the fold.
        end: of the fold.
        setting: that would have been recommended.
        keeps: whether it was the current one.
        days: of the fold, with that setting.
        current_days: with the current one.
    """

    start: datetime
    end: datetime
    setting: Setting
    keeps: bool
    days: Days
    current_days: Days

    @property
    def added(self) -> AddedBreach:
        """What was breached beyond the current setting."""
        return added_breach(self.days, self.current_days)

    @property
    def saving(self) -> float:
        """Of the current setting's task-hours, the share that was saved."""
        current = float(self.current_days.task_hours.sum())
        return 1 - float(self.days.task_hours.sum()) / current if current else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """What a candidate costs and breaches on the searched part.

    Args:
        simulation: of it.
        cost: of it.
        breached_percent: requests beyond the limit, of all.
        is_on_frontier: nothing else breaches as little and costs less.
    """

    simulation: Simulation
    cost: float
    breached_percent: float
    is_on_frontier: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What a sweep came to.

    Args:
        chosen: the setting; the current one where nothing is better.
        keeps: whether that is so.
        why: in a sentence.
        current_first, chosen_first: on the part of the trace that was searched.
        current_held_out, chosen_held_out: on the part that was not.
        rejected: all other candidates, the cheapest first.
        allowed_breach_minutes: those of the current setting on the searched part. What is judged are requests.
        tolerance: what may be breached beyond the current setting.
        sureness: that the chosen setting stays within it for four weeks. None: the current one is kept.
        added_held_out: what the choice breached beyond the current setting on the part that was not searched.
        folds: what earlier choices came to.
        frontier: all candidates, the cheapest first.
        more_days: of history that would do to recommend something cheaper. None: none is needed, or no length would do.
        floor: whether a forecast floor helps, in a sentence. None: none was tried.
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
