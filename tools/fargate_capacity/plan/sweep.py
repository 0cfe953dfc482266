"""Replays many settings over one trace in parallel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.plan.added_breach import Days
from fargate_capacity.plan.floor_backtest import FloorBacktest
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.replay.replay import Column, Replay, Totals
from fargate_capacity.traffic.trace import DAY_MINUTES, Trace

# Four weeks: long enough to make the call overhead small, in whole days.
SWEEP_BLOCK_MINUTES = 28 * DAY_MINUTES


def sweep(
    scenario: Scenario,
    settings: Sequence[Setting],
    trace: Trace,
    *,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda done: None,
) -> list[Simulation]:
    """Each setting's simulation, in order.

    Args:
        scenario: the service and its guardrail.
        settings: the settings to compare.
        trace: the traffic.
        jobs: number of threads; more than one helps only the compiled loop, which releases the GIL.
        advance: called after each block of each thread.
    """
    return [course.simulation for course in _swept(scenario, settings, trace, None, jobs, advance)]


def sweep_by_day(
    scenario: Scenario,
    settings: Sequence[Setting],
    trace: Trace,
    *,
    origins: Sequence[int] = (),
    jobs: int = 1,
    advance: Callable[[str], None] = lambda done: None,
) -> list[Course]:
    """As `sweep`, with daily sums, and with the totals after each of `origins`, in days from the start."""
    return _swept(scenario, settings, trace, origins, jobs, advance)


class Course:
    """A setting's replay with its days.

    Args:
        setting: the replayed setting.
        replay: its replay, not yet begun.
        origins: numbers of days after which totals are kept. None: no daily data.
    """

    def __init__(self, setting: Setting, replay: Replay, origins: Sequence[int] | None) -> None:
        self.setting = setting
        self._replay = replay
        self._origins = origins
        self._sums = [(0.0, 0.0, 0.0, 0.0)]
        self._totals: dict[int, Totals] = {}

    def feed(self, requests: Column, deploying: NDArray[np.int64]) -> None:
        """Replays a block; with daily data it must begin with a day."""
        if self._origins is None:
            self._replay.feed(requests, deploying=deploying)
            return
        for begin in range(0, len(requests), DAY_MINUTES):
            self._replay.feed(requests[begin : begin + DAY_MINUTES], deploying=deploying[begin : begin + DAY_MINUTES])
            self._sums.append(self._replay.sums)
            if len(self._sums) - 1 in self._origins:
                self._totals[len(self._sums) - 1] = self._replay.totals()

    @cached_property
    def simulation(self) -> Simulation:
        """The result, after all blocks."""
        return Simulation(setting=self.setting, totals=self._replay.totals())

    def before(self, origin: int) -> Simulation:
        """The result after this many days, one of the origins."""
        return Simulation(setting=self.setting, totals=self._totals[origin])

    @cached_property
    def days(self) -> Days:
        """The daily sums, after all blocks."""
        requests, breached, seconds, task_hours = np.diff(np.array(self._sums), axis=0).T
        return Days(requests=requests, breached_requests=breached, breach_seconds=seconds, task_hours=task_hours)


def _swept(
    scenario: Scenario,
    settings: Sequence[Setting],
    trace: Trace,
    origins: Sequence[int] | None,
    jobs: int,
    advance: Callable[[str], None],
) -> list[Course]:
    is_compiled = is_worth_compiling(trace.minutes * len(settings))
    floors = FloorBacktest(scenario.model, trace)
    courses = [
        Course(setting, scenario.replay(setting, trace, is_compiled=is_compiled, floors=floors), origins)
        for setting in settings
    ]
    shares = [courses[job :: max(jobs, 1)] for job in range(max(jobs, 1))]
    with ThreadPoolExecutor(max_workers=len(shares)) as pool:
        for _ in pool.map(lambda share: _feed(scenario, share, trace, advance), shares):
            pass
    return courses


def _feed(scenario: Scenario, courses: Sequence[Course], trace: Trace, advance: Callable[[str], None]) -> None:
    moment = trace.start
    begin = 0
    for block in trace.blocks(SWEEP_BLOCK_MINUTES):
        advance(f"{moment:%Y-%m-%d}")
        deploying = scenario.deployments.flags(moment, len(block))
        for course in courses:
            course.feed(block, deploying)
        begin += len(block)
        moment = trace.start + timedelta(minutes=begin)
