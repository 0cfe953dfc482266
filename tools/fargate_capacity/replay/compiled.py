"""Compiles the loop if numba is installed; the results are the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from fargate_capacity.replay import latency, minute_loop
from fargate_capacity.scaling_decisions import alarm_window, capacity_decision, step_scaling, target_tracking

Loop = Callable[..., int]

# An interpreted minute takes 8 µs, compiling 4 s, and a plan replays its traffic three times or more.
_MINUTES_IN_COMPILE_TIME = 110_000

# The functions that the loop calls, directly or indirectly: numba compiles each of them.
_CALLED: Sequence[Callable[..., Any]] = (
    alarm_window.breaches,
    alarm_window.observed,
    alarm_window.is_in_alarm,
    target_tracking.tracked_capacity,
    step_scaling.is_in_band,
    step_scaling.change_of_capacity,
    capacity_decision.decided_capacity,
    latency.stretch,
)


def is_numba_installed() -> bool:
    """Whether the loop can be compiled."""
    return importlib.util.find_spec("numba") is not None


def is_worth_compiling(minutes: int) -> bool:
    """Whether interpreting this many minutes takes longer than compiling.

    Always true after the first compilation.
    """
    is_compiled = compiled_loop.cache_info().currsize > 0
    return is_compiled or (minutes > _MINUTES_IN_COMPILE_TIME and is_numba_installed())


@cache
def compiled_loop() -> Loop:
    """`replay_minutes` as machine code. It releases the GIL, so threads run it in parallel.

    Raises:
        ModuleNotFoundError: numba is not installed.
    """
    import numba
    from numba.extending import register_jitable

    # Nothing is allocated, so reference counting is disabled: it took a tenth of the time.
    for function in _CALLED:
        register_jitable(forceinline=True, _nrt=False)(function)
    compiled: Loop = numba.njit(nogil=True, error_model="numpy", _nrt=False)(minute_loop.replay_minutes)
    return compiled
