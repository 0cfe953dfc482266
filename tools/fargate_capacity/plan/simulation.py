"""One setting replayed over a trace: its totals, and a series short enough to draw."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from fargate_capacity.plan.floor_backtest import FloorBacktest
from fargate_capacity.plan.setting import Setting
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.replay import BoundsChange, Column, Replay, Series, Totals
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, CountReading, ScheduledAction
from fargate_capacity.traffic.deployments import Deployments
from fargate_capacity.traffic.trace import Trace

# About the number of pixels of a drawing.
_POINTS = 3000
_BLOCK_MINUTES = 10_080
# Long enough for a monthly action.
_LOOKED_BACK = timedelta(days=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything except the setting.

    Args:
        model: the service model.
        guardrail: defines a breach.
        scheduled: scheduled actions that change the bounds.
        deployments: deployments, during which nothing scales in.
        reading: which task count a data point is multiplied by; AWS's documentation is ambiguous.
    """

    model: ServiceModel
    guardrail: Guardrail | None = None
    scheduled: tuple[ScheduledAction, ...] = ()
    deployments: Deployments = field(default_factory=Deployments)
    reading: CountReading = CountReading.ITS_OWN_MINUTE

    @property
    def by_other_reading(self) -> Scenario:
        """The scenario with the other reading of AWS's documentation."""
        readings = {
            CountReading.ITS_OWN_MINUTE: CountReading.WHEN_IT_ACTS,
            CountReading.WHEN_IT_ACTS: CountReading.ITS_OWN_MINUTE,
        }
        return replace(self, reading=readings[self.reading])

    def replay(
        self,
        setting: Setting,
        trace: Trace,
        *,
        is_compiled: bool,
        stops_at_guardrail: bool = False,
        desired: int | None = None,
        floors: FloorBacktest | None = None,
    ) -> Replay:
        """Creates a replay of `setting`.

        Args:
            setting: policies and bounds.
            trace: the traffic.
            is_compiled: whether to use the compiled loop.
            stops_at_guardrail: whether the replay ends when the guardrail triggers.
            desired: tasks at the start. Default: enough for the first minutes.
            floors: precomputed floors of this model and trace, to share them between settings. Default: computed here.
        """
        changes: Sequence[BoundsChange]
        if setting.floor is None:
            actions = (*self.scheduled, *(setting.schedule.actions() if setting.schedule else ()))
            changes = bounds_changes(setting.bounds, actions, trace.start, trace.end)
        else:
            # A floor and scheduled actions would overwrite each other's minimum: no candidate has both.
            changes = (floors or FloorBacktest(self.model, trace)).changes(setting.floor, setting.bounds)
        first = trace.block(0, 15)
        return Replay(
            model=self.model,
            policies=setting.policies,
            bounds=setting.bounds,
            changes=changes,
            guardrail=self.guardrail,
            desired=self._tasks_at_start(setting, first) if desired is None else desired,
            reading=self.reading,
            stops_at_guardrail=stops_at_guardrail,
            is_compiled=is_compiled,
        )

    def _tasks_at_start(self, setting: Setting, first: Column) -> int:
        known = first[~np.isnan(first)]
        target = setting.target
        if target is None or not known.size:
            return setting.bounds.minimum
        busy = float(known.mean()) * self.model.cpu_seconds / 60 / self.model.vcpus
        tasks = math.ceil(busy / max(target / 100 - self.model.idle_percent / 100, 0.01))
        return min(max(tasks, setting.bounds.minimum), setting.bounds.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSeries:
    """A replay's series in buckets of `bucket_minutes`, each with the extreme or the mean that a monitor shows."""

    start: datetime
    bucket_minutes: int
    requests: Column
    desired: Column
    running: Column
    cpu_average: Column
    cpu_maximum: Column
    latency: Column

    def times(self) -> list[datetime]:
        """The start of each bucket."""
        step = timedelta(minutes=self.bucket_minutes)
        return [self.start + index * step for index in range(len(self.requests))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The result of a setting."""

    setting: Setting
    totals: Totals
    series: DrawnSeries | None = None


def simulate(
    scenario: Scenario,
    setting: Setting,
    trace: Trace,
    *,
    draws: bool = False,
    advance: Callable[[str], None] = lambda moment: None,
) -> Simulation:
    """Replays the whole trace. Memory does not grow with it, with or without a series to draw."""
    replay = scenario.replay(setting, trace, is_compiled=is_worth_compiling(trace.minutes))
    drawn = Buckets(trace.minutes)
    begin = 0
    for block in trace.blocks():
        moment = trace.start + timedelta(minutes=begin)
        advance(f"{moment:%Y-%m-%d}")
        deploying = scenario.deployments.flags(moment, len(block))
        if draws:
            drawn.add(block, replay.feed_recorded(block, deploying=deploying))
        else:
            replay.feed(block, deploying=deploying)
        begin += len(block)
    return Simulation(setting=setting, totals=replay.totals(), series=drawn.series(trace.start) if draws else None)


def bounds_changes(
    bounds: CapacityBounds, scheduled: Sequence[ScheduledAction], start: datetime, end: datetime
) -> list[BoundsChange]:
    """The minutes at which scheduled actions change the bounds, and to what.

    The result of the last actions before the start applies from minute 0 on.
    """
    before = start - _LOOKED_BACK
    moments = sorted(
        ((moment, action) for action in scheduled for moment in action.times(before, end)), key=lambda each: each[0]
    )
    changes, minimum, maximum = [], bounds.minimum, bounds.maximum
    for moment, action in moments:
        minimum = minimum if action.minimum is None else action.minimum
        maximum = maximum if action.maximum is None else action.maximum
        # AWS refuses a minimum above the maximum; an action that sets only one of them adjusts the other.
        if minimum > maximum:
            minimum, maximum = (maximum, maximum) if action.minimum is None else (minimum, minimum)
        minute = max(math.ceil((moment - start).total_seconds() / 60), 0)
        changes.append(BoundsChange(minute=minute, bounds=CapacityBounds(minimum=minimum, maximum=maximum)))
    return changes


class Buckets:
    """Reduces a replay's series, block by block, to about as many points as a drawing has pixels.

    Args:
        minutes: minutes of the whole replay.
    """

    def __init__(self, minutes: int) -> None:
        self._minutes = max(1, math.ceil(minutes / _POINTS))
        self._pending: list[tuple[Column, ...]] = []
        self._pending_minutes = 0
        self._rows: list[tuple[Column, ...]] = []

    def add(self, requests: Column, series: Series) -> None:
        """Adds the next minutes."""
        self._pending.append(
            (requests, series.desired, series.running, series.cpu_average, series.cpu_maximum, series.latency)
        )
        self._pending_minutes += len(requests)
        if self._pending_minutes >= max(self._minutes, _BLOCK_MINUTES):
            self._reduce(whole=self._pending_minutes // self._minutes * self._minutes)

    def series(self, start: datetime) -> DrawnSeries:
        """The whole reduced series."""
        self._reduce(whole=self._pending_minutes)
        requests, desired, running, cpu_average, cpu_maximum, latency = (
            np.concatenate(columns) for columns in zip(*self._rows, strict=True)
        )
        return DrawnSeries(
            start=start,
            bucket_minutes=self._minutes,
            requests=requests,
            desired=desired,
            running=running,
            cpu_average=cpu_average,
            cpu_maximum=cpu_maximum,
            latency=latency,
        )

    def _reduce(self, *, whole: int) -> None:
        """Reduces only complete buckets; the rest waits for further minutes."""
        if not self._pending:
            return
        columns = [np.concatenate(column) for column in zip(*self._pending, strict=True)]
        how: tuple[Callable[..., Column], ...] = (np.nanmean, np.nanmax, np.nanmean, np.nanmean, np.nanmax, np.nanmax)
        self._rows.append(tuple(self._reduced(column[:whole], each) for column, each in zip(columns, how, strict=True)))
        self._pending = [tuple(column[whole:] for column in columns)]
        self._pending_minutes -= whole

    def _reduced(self, column: Column, how: Callable[..., Column]) -> Column:
        absent = -len(column) % self._minutes
        padded = np.concatenate([column, np.full(absent, math.nan)]).reshape(-1, self._minutes)
        with warnings.catch_warnings():
            # A bucket without data stays empty.
            warnings.simplefilter("ignore", RuntimeWarning)
            return how(padded, axis=1)
