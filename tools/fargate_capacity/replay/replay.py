"""Replays traffic against policies: calculates tasks, latency and billed hours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.replay import compiled, minute_loop
from fargate_capacity.replay.guardrail import AlarmRow, Guardrail
from fargate_capacity.replay.minute_loop import IN_DELAY, LoopSettings, LoopState, Recording, Schedule
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, CountReading, Metric, Policy
from fargate_capacity.scaling_decisions.policy_rows import BandRow, StepRow, TargetRow, TrackingRow, rows_of

T = TypeVar("T")
Column = NDArray[np.float64]
_NO_COLUMN: Column = np.empty(0)
_NO_FLAGS: NDArray[np.int64] = np.empty(0, dtype=np.int64)
_CPU_AVERAGES = (int(Metric.CPU_AVERAGE), int(Metric.CPU_AVERAGE_HIGH_RESOLUTION))
_NO_RECORDING = Recording(*[_NO_COLUMN] * len(Recording._fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundsChange:
    """A scheduled action: other bounds apply from this minute of the replay on."""

    minute: int
    bounds: CapacityBounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The totals of a replay.

    Args:
        minutes: replayed minutes, including those without data.
        task_hours: billed task-hours: from a task's launch to the end of its draining.
        above_minimum_task_hours: billed task-hours above the minimum, which may run on Spot.
        requests: arrived requests.
        failed_requests: unanswered requests: they waited too long, or no task ran.
        mean_latency_s: mean over all answered requests, each with the latency at the hottest task.
        worst_latency_s: the highest latency of any minute.
        mean_cpu_percent: mean of the average CPU of all tasks, over minutes with data.
        breach_minutes: minutes with latency above the guardrail's limit or with failed requests.
        breached_requests: requests in those minutes.
        breach_seconds: severity: seconds beyond the limit, summed over all requests. A failed request counts as one
            that waited until it gave up.
        alarms: number of times that the guardrail triggered.
        low_confidence_minutes: minutes that are saturated or beyond the range of the fit.
        saturated_minutes: minutes in which requests were queued at the end or failed.
        missing_minutes: minutes without data.
        highest_tasks: the highest task count.
        hours: a histogram: the number of hours with n billed task-minutes at index n.
    """

    minutes: int
    task_hours: float
    above_minimum_task_hours: float
    requests: float
    failed_requests: float
    mean_latency_s: float
    worst_latency_s: float
    mean_cpu_percent: float
    breach_minutes: int
    breached_requests: float
    breach_seconds: float
    alarms: int
    low_confidence_minutes: int
    saturated_minutes: int
    missing_minutes: int
    scale_outs: int
    scale_ins: int
    highest_tasks: int
    hours: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Series per minute; NaN without data. CPU in percent, latency in seconds, failed requests."""

    desired: Column
    running: Column
    cpu_average: Column
    cpu_maximum: Column
    latency: Column
    failed: Column

    def between(self, begin: int, end: int) -> Series:
        """A range of minutes."""
        return Series(**{each.name: getattr(self, each.name)[begin:end] for each in fields(self)})


class Replay:
    """The replay of one service and one set of policies, in blocks; memory does not grow with the traffic.

    Args:
        model: the service model.
        policies: the scalable target's policies.
        bounds: the scalable target's bounds, until the first of `changes`.
        changes: scheduled actions, in the order of their minutes.
        guardrail: defines a breach. Default: nothing is a breach.
        desired: tasks at the start. Default: the minimum.
        reading: which task count a data point is multiplied by.
        stops_at_guardrail: whether `feed` ends at the minute in which the guardrail triggers.
        is_compiled: whether the loop runs as machine code, which needs numba; the results are the same.
    """

    def __init__(
        self,
        *,
        model: ServiceModel,
        policies: Sequence[Policy],
        bounds: CapacityBounds,
        changes: Sequence[BoundsChange] = (),
        guardrail: Guardrail | None = None,
        desired: int | None = None,
        reading: CountReading = CountReading.ITS_OWN_MINUTE,
        stops_at_guardrail: bool = False,
        is_compiled: bool = False,
    ) -> None:
        self._is_compiled = is_compiled
        self._loop: compiled.Loop = compiled.compiled_loop() if self._is_compiled else minute_loop.replay_minutes
        self._settings = _settings_of(model, guardrail, stops_at_guardrail)
        self._schedule = self._columns(_schedule_of(bounds, changes))
        tasks = bounds.minimum if desired is None else desired
        self._target = self._rows(
            TargetRow,
            [TargetRow(minimum=bounds.minimum, maximum=bounds.maximum, desired=tasks, reading=int(reading))],
        )
        self._guards = self._rows(AlarmRow, guardrail.rows() if guardrail else [])
        self._state = self._rows(LoopState, [LoopState(ready=tasks, last_serving=float(tasks), highest_tasks=tasks)])
        rows = rows_of(policies)
        self._tracking = self._rows(TrackingRow, rows.tracking)
        self._steps = self._rows(StepRow, rows.steps)
        self._bands = self._rows(BandRow, rows.bands)
        largest = max([bounds.maximum, tasks, *(change.bounds.maximum for change in changes)])
        busy = zip(self._settings.hot_minutes, self._settings.boot_minutes, strict=True)
        ends = (launch + max(each) for launch, each in zip(self._settings.launch_minutes, busy, strict=True))
        slots = 2 + max(*self._settings.start_minutes, *ends)
        self._rings = [
            self._filled(slots, 0),
            self._filled(slots, 0.0),
            self._filled(slots, 0),
            self._filled(slots, 0),
            self._filled(IN_DELAY * max(self._settings.delay, 1), math.nan),
            self._filled(2 * max(self._settings.quick_delay, 1), math.nan),
            self._filled(len(Metric), math.nan),
            self._filled(len(Metric), 0.0),
            # Draining tasks are billed in addition to the desired count, so an hour may exceed the highest count.
            self._filled(120 * largest + 2, 0),
        ]

    def feed(self, requests: Column, *, deploying: NDArray[np.int64] = _NO_FLAGS, begin: int = 0) -> int:
        """Replays a block of requests per minute (NaN without data) from its minute `begin` on.

        Returns the index after the last replayed minute: the block's end, or the minute after the guardrail triggered.
        """
        return self._run(requests, deploying, _NO_RECORDING, begin)

    def feed_recorded(self, requests: Column, *, deploying: NDArray[np.int64] = _NO_FLAGS, begin: int = 0) -> Series:
        """As `feed`, but returns the block's series; NaN for minutes that were not replayed."""
        columns = [np.full(len(requests), math.nan) for _ in Recording._fields]
        recording = Recording(*columns if self._is_compiled else [column.tolist() for column in columns])
        self._run(requests, deploying, recording, begin)
        return Series(**{name: np.asarray(column) for name, column in recording._asdict().items()})

    def retarget(self, target_percent: float) -> None:
        """Sets another CPU target; the state of alarms and cooldowns stays.

        Modelled: with a new target AWS creates new alarms, which need their three or fifteen minutes again.
        """
        for row in self._tracking:
            if int(row.metric) in _CPU_AVERAGES:
                row.low_threshold = target_percent * (row.low_threshold / row.target)
                row.target = target_percent

    @property
    def minute(self) -> int:
        """The number of replayed minutes."""
        return int(self._state[0].minute)

    @property
    def is_alarming(self) -> bool:
        """Whether the guardrail is in ALARM."""
        return bool(self._state[0].is_alarming)

    @property
    def alarms(self) -> int:
        """The number of times that the guardrail triggered."""
        return int(self._state[0].alarms)

    @property
    def latency_sum(self) -> tuple[float, float]:
        """Total latency in seconds of all answered requests, and their number."""
        state = self._state[0]
        return float(state.latency), float(state.requests) - float(state.failed)

    @property
    def sums(self) -> tuple[float, float, float, float]:
        """The sums so far: requests, breached requests, breach seconds, billed task-hours."""
        state = self._state[0]
        return (
            float(state.requests),
            float(state.breached_requests),
            float(state.breach_seconds),
            float(state.billed) / 60,
        )

    @property
    def task_hours(self) -> float:
        """Task-hours billed so far."""
        return float(self._state[0].billed) / 60

    def totals(self) -> Totals:
        """The totals of all blocks so far."""
        state = self._state[0]
        requests, failed = float(state.requests), float(state.failed)
        return Totals(
            minutes=self.minute,
            task_hours=float(state.billed) / 60,
            above_minimum_task_hours=float(state.above_minimum) / 60,
            requests=requests,
            failed_requests=failed,
            mean_latency_s=float(state.latency) / (requests - failed) if requests > failed else math.nan,
            worst_latency_s=float(state.worst_latency),
            mean_cpu_percent=float(state.cpu) / int(state.cpu_minutes) if state.cpu_minutes else math.nan,
            breach_minutes=int(state.breaches),
            breached_requests=float(state.breached_requests),
            breach_seconds=float(state.breach_seconds),
            alarms=int(state.alarms),
            low_confidence_minutes=int(state.low_confidence),
            saturated_minutes=int(state.saturated),
            missing_minutes=int(state.missing),
            scale_outs=int(state.scale_outs),
            scale_ins=int(state.scale_ins),
            highest_tasks=int(state.highest_tasks),
            hours=np.array(self._rings[-1]),
        )

    def _run(self, requests: Column, deploying: NDArray[np.int64], recording: Recording, begin: int) -> int:
        return int(
            self._loop(
                requests if self._is_compiled else requests.tolist(),
                deploying if self._is_compiled else deploying.tolist(),
                self._settings,
                self._target,
                self._tracking,
                self._steps,
                self._bands,
                self._schedule,
                self._guards,
                self._state,
                *self._rings,
                recording,
                begin,
            )
        )

    def _columns(self, schedule: Schedule) -> Schedule:
        return Schedule(*(self._column(column) for column in schedule))

    def _filled(self, length: int, value: float) -> Any:
        """A column of one value. The longest column has tens of thousands, too many for a list."""
        return np.full(length, value) if self._is_compiled else [value] * length

    def _column(self, column: Any) -> Any:
        """Numba needs arrays; the interpreter is far faster with lists."""
        return np.array(column) if self._is_compiled else column

    def _rows(self, kind: type[Any], rows: Sequence[Any]) -> Any:
        """Numba needs records with the row's field names."""
        if not self._is_compiled:
            return rows
        columns = [(each.name, "f8" if each.type == "float" else "i8") for each in fields(kind)]
        return np.array([astuple(row) for row in rows], dtype=np.dtype(columns, align=True)).view(np.recarray)


def _settings_of(model: ServiceModel, guardrail: Guardrail | None, stops_at_guardrail: bool) -> LoopSettings:
    # The fraction of a metric's delay beyond whole minutes is added to the start that it triggers.
    delay, late = divmod(model.metric_delay_seconds, 60)
    quick_delay, quick_late = divmod(model.high_resolution_delay_seconds, 60)
    lates = (0.0, late, quick_late)
    starts = [divmod(model.start_seconds + each, 60) for each in lates]
    launches = [divmod(model.launch_seconds + each, 60) for each in lates]
    boot_s = model.boot_seconds if model.boot_cpu_percent else 0.0
    return LoopSettings(
        load_per_request=model.cpu_seconds / (60.0 * model.vcpus),
        service_seconds=model.service_seconds,
        elsewhere_seconds=float(model.elsewhere_seconds),
        servers=model.servers,
        wait_factor=model.wait_factor,
        give_up_seconds=float(model.give_up_seconds),
        longest_latency=float(max(model.give_up_seconds, model.elsewhere_seconds + model.service_seconds)),
        skew=float(model.skew),
        idle=model.idle_percent / 100,
        start_minutes=_each(int(minutes) for minutes, _ in starts),
        first_share=_each(1 - seconds / 60 for _, seconds in starts),
        launch_minutes=_each(int(minutes) for minutes, _ in launches),
        hot_minutes=_each(
            model.hot_start_minutes and math.ceil(model.hot_start_minutes + seconds / 60) for _, seconds in launches
        ),
        boot_minutes=_each(math.ceil((boot_s + seconds) / 60) if boot_s else 0 for _, seconds in launches),
        boot_percent=float(model.boot_cpu_percent),
        drain_minutes=model.drain_seconds / 60,
        delay=int(delay),
        quick_delay=int(quick_delay),
        trusted=float(model.trusted_utilization),
        latency_limit=guardrail.latency_seconds if guardrail else math.inf,
        stops_at_guardrail=int(stops_at_guardrail),
    )


def _each(values: Iterable[T]) -> tuple[T, T, T]:
    """One value per trigger."""
    bounds, minute_metric, high_resolution = values
    return bounds, minute_metric, high_resolution


def _schedule_of(bounds: CapacityBounds, changes: Sequence[BoundsChange]) -> Schedule:
    by_minute = {0: bounds}
    for change in changes:
        by_minute[change.minute] = change.bounds
    return Schedule(
        minute=list(by_minute),
        minimum=[each.minimum for each in by_minute.values()],
        maximum=[each.maximum for each in by_minute.values()],
    )
