"""Chooses a Compute Savings Plan commitment on a part of the observations and evaluates it on the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHOSEN_SHARE = 0.6
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A commitment over some hours.

    Args:
        dollars_an_hour: US dollars paid per hour, used or not, at the plan's prices.
        cost: the cost of the hours: the commitment, plus usage beyond it on demand.
        used: the used share of the commitment.
        lost: the unused part of the commitment, US dollars.
    """

    dollars_an_hour: float
    cost: float
    used: float
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The cheapest commitment on the first hours, and its result and that of others on the later ones.

    Args:
        chosen_hours, judged_hours: number of hours for the choice and for the evaluation.
        on_demand: the cost of the evaluated hours without a plan.
        best: the chosen commitment on the evaluated hours.
        committed: the current commitment; None if not given.
    """

    chosen_hours: int
    judged_hours: int
    on_demand: float
    best: Commitment
    committed: Commitment | None


def advise(task_hours: Array, *, task_hour: float, discount: float, committed: float | None = None) -> Advice:
    """Chooses a commitment for the hourly usage.

    Args:
        task_hours: task-hours of each hour, in order.
        task_hour: US dollars per task-hour, on demand.
        discount: the plan's discount, as a share.
        committed: the current commitment, US dollars per hour.
    """
    used = task_hours * task_hour
    cut = int(CHOSEN_SHARE * len(used))
    first, rest = used[:cut], used[cut:]
    # Cost is linear between two hourly usages, so the minimum is at one of them or at zero.
    levels = np.unique(np.concatenate([[0.0], first])) * (1 - discount)
    best = min(levels, key=lambda level: _over(first, level, discount).cost)
    return Advice(
        chosen_hours=len(first),
        judged_hours=len(rest),
        on_demand=float(rest.sum()),
        best=_over(rest, float(best), discount),
        committed=None if committed is None else _over(rest, committed, discount),
    )


def _over(used: Array, dollars_an_hour: float, discount: float) -> Commitment:
    covered = np.minimum(used, dollars_an_hour / (1 - discount))
    paid = dollars_an_hour * len(used)
    bought = float(covered.sum()) * (1 - discount)
    return Commitment(
        dollars_an_hour=dollars_an_hour,
        cost=paid + float((used - covered).sum()),
        used=bought / paid if paid else 1.0,
        lost=max(paid - bought, 0.0),
    )
