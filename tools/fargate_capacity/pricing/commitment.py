"""Which commitment of a Compute Savings Plan fits what was observed: chosen on one part, judged on the rest."""

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
        dollars_an_hour: what is paid in each hour, used or not, at the plan's prices.
        cost: of the hours: the commitment, and on demand what is beyond it.
        used: the share of what was committed that bought something.
        lost: of what was committed, US dollars that bought nothing.
    """

    dollars_an_hour: float
    cost: float
    used: float
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The commitment that costs least on the first hours, and what comes of it, and of others, on the later ones.

    Args:
        chosen_hours, judged_hours: how many.
        on_demand: what the judged hours cost without a plan.
        best: the chosen commitment on the judged hours.
        committed: the one that is paid now; None where nobody said.
    """

    chosen_hours: int
    judged_hours: int
    on_demand: float
    best: Commitment
    committed: Commitment | None


def advise(task_hours: Array, *, task_hour: float, discount: float, committed: float | None = None) -> Advice:
    """Returns the commitment for what ran in each hour, in their order.

    Args:
        task_hours: of each hour.
        task_hour: US dollars of one, on demand.
        discount: the share by which the plan is cheaper.
        committed: US dollars an hour that are committed now.
    """
    used = task_hours * task_hour
    cut = int(CHOSEN_SHARE * len(used))
    first, rest = used[:cut], used[cut:]
    # Cost is linear between two hourly usages, so the least lies at one of them, or at none.
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
