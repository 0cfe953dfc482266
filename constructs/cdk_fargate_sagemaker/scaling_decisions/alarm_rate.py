"""A test whether guardrail alarms fire more often at a target than below it, beyond chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# A target is given up if its alarms would be this frequent by chance in less than 1 % of cases.
_BY_CHANCE = 0.01


class Exposure(NamedTuple):
    """How long a target was in force, and how often a guardrail alarm fired in that time."""

    target: float
    seconds: float
    alarms: int


def added(exposures: Sequence[Exposure], more: Exposure) -> tuple[Exposure, ...]:
    """Returns the exposures, with `more` added to that of its target."""
    by_target = {each.target: each for each in exposures}
    known = by_target.get(more.target, Exposure(more.target, 0.0, 0))
    by_target[more.target] = Exposure(more.target, known.seconds + more.seconds, known.alarms + more.alarms)
    return tuple(by_target[target] for target in sorted(by_target))


def is_more_often(exposures: Sequence[Exposure], failed: float) -> bool:
    """Whether alarms fired more often at targets from `failed` upward than at lower ones.

    At equal rates, the number of alarms in the time of the higher targets is binomial, given the total number.
    """
    above, below = _parted(exposures, failed)
    seconds = above.seconds + below.seconds
    if not above.alarms or not seconds:
        return False
    share = above.seconds / seconds
    count = above.alarms + below.alarms
    chance = sum(
        math.comb(count, number) * share**number * (1 - share) ** (count - number)
        for number in range(above.alarms, count + 1)
    )
    return chance < _BY_CHANCE


def is_known_below(exposures: Sequence[Exposure], failed: float) -> bool:
    """Whether alarms also fired at targets below `failed`, so that the target is not the only cause."""
    return _parted(exposures, failed)[1].alarms > 0


def _parted(exposures: Sequence[Exposure], failed: float) -> tuple[Exposure, Exposure]:
    parts = []
    for is_above in (True, False):
        chosen = [each for each in exposures if (each.target >= failed - 1e-6) is is_above]
        parts.append(Exposure(failed, sum(each.seconds for each in chosen), sum(each.alarms for each in chosen)))
    return parts[0], parts[1]
