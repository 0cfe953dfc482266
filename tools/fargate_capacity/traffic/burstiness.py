"""Adds variation to traffic with periods longer than a minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.trace import BLOCK_MINUTES, Trace

# The busiest minute of a period is chosen at random, but always the same for the same traffic.
_SEED = 1998


def with_burstiness(trace: Trace, burstiness: float) -> Trace:
    """Keeps the requests of each period, but makes one of its minutes this many times as busy as the mean.

    One-minute traffic and a burstiness of 1 are unchanged.

    Raises:
        InputError: more than a period's requests in one minute of it.
    """
    if trace.period_minutes == 1 or burstiness == 1:
        return trace
    if burstiness > trace.period_minutes:
        raise InputError(
            f"--assume burstiness: got {burstiness:g}, allowed: 1 to {trace.period_minutes} for traffic by "
            f"{trace.period_minutes} minutes; then one minute has all its requests"
        )
    return Trace.of(
        _blocks(trace, burstiness),
        name=trace.name,
        start=trace.start,
        gaps=trace.gaps,
        period_minutes=trace.period_minutes,
    )


def _blocks(trace: Trace, burstiness: float) -> Iterator[NDArray[np.float64]]:
    chance = np.random.default_rng(_SEED)
    period = trace.period_minutes
    others = (period - burstiness) / (period - 1)
    for block in trace.blocks(BLOCK_MINUTES // period * period or period):
        whole = len(block) // period * period
        factors = np.full((whole // period, period), others)
        factors[np.arange(len(factors)), chance.integers(period, size=len(factors))] = burstiness
        yield np.concatenate([block[:whole] * factors.ravel(), block[whole:]])
