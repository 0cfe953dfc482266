"""How much more a setting breaches than the current one, and the probability that it stays within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

# Half of the error budget of a 99 % objective.
DEFAULT_TOLERANCE_PERCENT = 0.5
# A plan covers the next four weeks: each weekday occurs equally often.
HORIZON_DAYS = 28
WANTED_SURENESS = 0.95
# The worst future day is the worst observed day with this many times its requests. It counts as one additional day.
STRESS = 1.2
# Rounding: equal sums of a year's requests differ in their last digits.
_ROUNDING = 1e-9
_FUTURES = 2000
_SEED = 1998
_LONGER = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Days:
    """Daily sums of a replay; the last day may be incomplete.

    Args:
        requests: arrived requests.
        breached_requests: requests in minutes beyond the guardrail.
        breach_seconds: seconds beyond the limit, summed over all requests.
        task_hours: billed task-hours.
    """

    requests: Column
    breached_requests: Column
    breach_seconds: Column
    task_hours: Column

    def __len__(self) -> int:
        return len(self.requests)

    def between(self, begin: int, end: int) -> Days:
        """A range of days."""
        return Days(**{each.name: getattr(self, each.name)[begin:end] for each in fields(self)})

    def joined(self, later: Days) -> Days:
        """These days followed by later ones."""
        return Days(
            **{each.name: np.append(getattr(self, each.name), getattr(later, each.name)) for each in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much more a recommended setting may breach than the current one.

    Args:
        percent: additional requests that may be beyond the limit, percent of all requests.
        give_up_seconds: the longest wait of a request. It bounds the severity: the additional wait of all requests
            beyond the limit is at most that of the tolerated requests if each waited this long.
    """

    percent: float = DEFAULT_TOLERANCE_PERCENT
    give_up_seconds: float

    @property
    def seconds_per_request(self) -> float:
        """The tolerated severity, as a mean over all requests."""
        return self.percent / 100 * self.give_up_seconds

    def described(self) -> str:
        """A short description."""
        return (
            f"{self.percent:g} % more of the requests beyond the limit, and {1000 * self.seconds_per_request:g} ms "
            "more beyond it as a mean over all requests"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedBreach:
    """Breaches in addition to those of the current setting on the same days.

    Args:
        percent: additional breached requests, percent of all requests.
        seconds_per_request: additional seconds beyond the limit, as a mean over all requests.
    """

    percent: float
    seconds_per_request: float

    def is_within(self, tolerance: Tolerance) -> bool:
        """Whether both are within the tolerance."""
        return (
            self.percent <= tolerance.percent + _ROUNDING
            and self.seconds_per_request <= tolerance.seconds_per_request + _ROUNDING
        )


def added_breach(days: Days, current: Days) -> AddedBreach:
    """What a setting breached in addition to the current one on observed days."""
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
    """For each candidate, the share of simulated next four weeks in which it stays within the tolerance.

    Futures are drawn from the observed days by a Bayesian bootstrap (Rubin 1981), which reflects the uncertainty of few
    days. One unobserved day is added: as bad for the candidate as its worst day with a fifth more requests. All
    candidates are evaluated on the same futures.

    Args:
        candidates: the days of each candidate.
        current: the same days with the current setting.
        stressed: the same days with `STRESS` times the requests.
        stressed_current: those days with the current setting.
        tolerance: the tolerated additional breaches.
        longer: assume a history that is this many times as long, with equal days. Default: 1.
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
    """The number of further similar days that would make a candidate sure enough; None if no number would."""
    for longer in _LONGER:
        sure = sureness([candidate], current, [stressed], stressed_current, tolerance, longer=longer)
        if sure[0] >= WANTED_SURENESS:
            return round(len(current) * (longer - 1)) or 1
    return None


def described_sureness(share: float) -> str:
    """A short description; never 100 %, because it is about the future."""
    return "more than 99%" if share > 0.99 else f"{math.floor(100 * share)}%"
