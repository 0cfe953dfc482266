"""How much more a setting breaches than the current one, and how sure it is that this stays within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

# Half of what an objective of 99 % of requests leaves.
DEFAULT_TOLERANCE_PERCENT = 0.5
# A plan is for the next four weeks: every weekday as often.
HORIZON_DAYS = 28
WANTED_SURENESS = 0.95
# The worst day that may come is that of the days seen, with so many times their requests. It counts as one day more.
STRESS = 1.2
# Sums of a year's requests differ in their last digits where nothing differs.
_ROUNDING = 1e-9
_FUTURES = 2000
_SEED = 1998
_LONGER = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Days:
    """Sums of each day of a replay; the last one may be shorter.

    Args:
        requests: that arrived.
        breached_requests: of minutes beyond the guardrail.
        breach_seconds: beyond the limit, of all requests together.
        task_hours: billed.
    """

    requests: Column
    breached_requests: Column
    breach_seconds: Column
    task_hours: Column

    def __len__(self) -> int:
        return len(self.requests)

    def between(self, begin: int, end: int) -> Days:
        """Some of them."""
        return Days(**{each.name: getattr(self, each.name)[begin:end] for each in fields(self)})

    def joined(self, later: Days) -> Days:
        """These, and later ones."""
        return Days(
            **{each.name: np.append(getattr(self, each.name), getattr(later, each.name)) for each in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much more than the current setting a recommended one may breach.

    Args:
        percent: of all requests, those more that may be beyond the limit.
        give_up_seconds: no request waits longer. All requests beyond the limit together may wait as much more as the
            tolerated ones would if each of them waited until it gave up: that is the bound on severity.
    """

    percent: float = DEFAULT_TOLERANCE_PERCENT
    give_up_seconds: float

    @property
    def seconds_per_request(self) -> float:
        """Of severity, as a mean over all requests."""
        return self.percent / 100 * self.give_up_seconds

    def described(self) -> str:
        """In a few words."""
        return (
            f"{self.percent:g} % more of the requests beyond the limit, and {1000 * self.seconds_per_request:g} ms "
            "more beyond it as a mean over all requests"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedBreach:
    """Beyond what the current setting breaches, on the same days.

    Args:
        percent: of all requests.
        seconds_per_request: beyond the limit, as a mean over all requests.
    """

    percent: float
    seconds_per_request: float

    def is_within(self, tolerance: Tolerance) -> bool:
        """Whether both are tolerated."""
        return (
            self.percent <= tolerance.percent + _ROUNDING
            and self.seconds_per_request <= tolerance.seconds_per_request + _ROUNDING
        )


def added_breach(days: Days, current: Days) -> AddedBreach:
    """What a setting breached beyond the current one on days that were seen."""
    requests = max(float(current.requests.sum()), 1.0)
    return AddedBreach(
        percent=100 * float((days.breached_requests - current.breached_requests).sum()) / requests,
        seconds_per_request=float((days.breach_seconds - current.breach_seconds).sum()) / requests,
    )


def sureness(
    candidates: Sequence[Days],
    current: Days,
    stressed: Sequence[Days],
    stressed_current: Days,
    tolerance: Tolerance,
    *,
    longer: float = 1.0,
) -> Column:
    """For each candidate, the share of possible next four weeks in which it stays within the tolerance.

    Futures are drawn from the days that were seen, each as likely as a Bayesian bootstrap (Rubin 1981) makes it, which
    is how much so few days leave open. One day more is among them that nobody has seen: as bad for the candidate as its
    worst day with a fifth more requests. All candidates are judged by the same futures.

    Args:
        candidates: days of each.
        current: the same days of the current setting.
        stressed: the same days with `STRESS` times the requests.
        stressed_current: those of the current setting.
        tolerance: what they may breach beyond it.
        longer: as if the history were so many times as long, and its days alike. Default: as long as it is.
    """
    if not candidates:
        return np.empty(0)
    count = len(current)
    chance = np.random.default_rng(_SEED)
    weights = chance.gamma(np.append(np.full(count, longer), 1.0), size=(_FUTURES, count + 1))
    futures = chance.multinomial(HORIZON_DAYS, weights / weights.sum(axis=1, keepdims=True)).astype(float)
    requests = np.maximum(futures @ np.append(current.requests, current.requests.mean()), 1.0)[:, None]

    def added(name: str) -> Column:
        seen = np.array([getattr(each, name) for each in candidates]) - getattr(current, name)
        worst = np.array([getattr(each, name) for each in stressed]) - getattr(stressed_current, name)
        found: Column = futures @ np.column_stack([seen, np.maximum(worst.max(axis=1), 0.0)]).T / requests
        return found

    is_held = (added("breached_requests") <= tolerance.percent / 100 + _ROUNDING) & (
        added("breach_seconds") <= tolerance.seconds_per_request + _ROUNDING
    )
    return np.asarray(is_held.mean(axis=0))


def days_to_be_sure(
    candidate: Days, current: Days, stressed: Days, stressed_current: Days, tolerance: Tolerance
) -> int | None:
    """How many more days like those seen would make a candidate sure enough; None where no length would."""
    for longer in _LONGER:
        sure = sureness([candidate], current, [stressed], stressed_current, tolerance, longer=longer)
        if sure[0] >= WANTED_SURENESS:
            return round(len(current) * (longer - 1)) or 1
    return None


def described_sureness(share: float) -> str:
    """In a few words; nothing about the future is wholly sure."""
    return "more than 99%" if share > 0.99 else f"{math.floor(100 * share)}%"
