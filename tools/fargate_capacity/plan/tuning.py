"""Replays the tuner over a trace: the function's own rules on the replayed minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Buckets, Scenario, Simulation
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.replay.replay import Replay, Series
from fargate_capacity.scaling_decisions import (
    Decision,
    GuardrailStatus,
    HourlyLatency,
    Metric,
    Phase,
    Seen,
    ServiceHour,
    TunerSettings,
    TunerState,
    begun,
    completed,
    cost_change,
    decided,
    hottest_ratio,
    latency_ratio,
    saved_task_hours,
)
from fargate_capacity.traffic.trace import Trace

# The tuner's interval without alarms.
_LOOK_MINUTES = 60
# The function's time ranges: minutes for the hottest task, hours for the cost of a settled target.
_MINUTES_WATCHED = 2 * 1440
_LONGEST_LOOK_BACK = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The actions of the tuner.

    Args:
        simulation: the simulation of the whole trace, with the last setting.
        decisions: the decisions that changed the target, ended the tuning or delayed it.
        final_target: the live target at the end, percent.
        saved_task_hours: compared with the hours before the first step, as the function reports it.
    """

    simulation: Simulation
    decisions: tuple[Decision, ...]
    final_target: float
    saved_task_hours: float


def tune(
    scenario: Scenario,
    setting: Setting,
    trace: Trace,
    settings: TunerSettings,
    *,
    advance: Callable[[str], None] = lambda moment: None,
) -> Tuning:
    """Runs the tuner over the trace, starting at the setting's target.

    Raises:
        InputError: no guardrail for reverts, or no CPU target to tune.
    """
    if scenario.guardrail is None:
        raise InputError("got no guardrail, allowed: --latency-limit-ms; without one nothing takes a target back")
    if setting.target is None:
        raise InputError("got no target tracking on CPU, allowed: a policy whose target can be tuned")
    replay = scenario.replay(setting, trace, is_compiled=is_worth_compiling(trace.minutes), stops_at_guardrail=True)
    state = TunerState(initial=setting.target, live=setting.target, changed_at=trace.start)
    spikes = [policy.threshold for policy in setting.spikes if policy.metric is Metric.CPU_MAXIMUM]
    settings = replace(settings, spike_threshold=min(spikes, default=None))
    hours, minutes, drawn = _Hours(trace.start), _Minutes(), Buckets(trace.minutes)
    decisions: list[Decision] = []
    begin = 0
    for block in trace.blocks(_LOOK_MINUTES):
        if begin % 1440 == 0:
            advance(f"{trace.start + timedelta(minutes=begin):%Y-%m-%d}")
        deploying = scenario.deployments.flags(trace.start + timedelta(minutes=begin), len(block))
        at = 0
        while at < len(block):
            alarms, minute = replay.alarms, replay.minute
            series = replay.feed_recorded(block, deploying=deploying, begin=at)
            fired = replay.alarms > alarms
            reached = at + replay.minute - minute
            part = series.between(at, reached)
            drawn.add(block[at:reached], part)
            minutes.add(part)
            at = reached
            now = trace.start + timedelta(minutes=begin + at)
            if not fired and at < len(block):
                continue
            seen = Seen(
                now=now,
                policy_target=state.live,
                guardrail=GuardrailStatus.ALARM if replay.is_alarming else GuardrailStatus.OK,
                alarming_since=now if fired else state.changed_at,
                is_deploying=bool(deploying.size and deploying[min(at, len(block)) - 1]),
                is_missing_data=bool(np.isnan(block).all()),
            )
            if fired or _is_due(settings, state, now):
                seen = _compared(settings, state, seen, hours, minutes)
            decision = decided(settings, state, seen)
            if decision.is_noted:
                decisions.append(decision)
            state = completed(settings, begun(state, decision), now)
            if decision.changes_target:
                replay.retarget(state.live)
                minutes.clear()
        hours.add(replay)
        begin += len(block)
    return Tuning(
        simulation=Simulation(
            setting=setting.with_target(state.live), totals=replay.totals(), series=drawn.series(trace.start)
        ),
        decisions=tuple(decisions),
        final_target=state.live,
        saved_task_hours=state.saved + _saved(state, trace.end, hours),
    )


def _is_due(settings: TunerSettings, state: TunerState, now: datetime) -> bool:
    """Whether there are enough data for a decision. A settled target is evaluated once a day, for speed."""
    if state.phase is Phase.SETTLED and now.hour:
        return False
    return now >= state.changed_at + settings.observation.length


def _compared(settings: TunerSettings, state: TunerState, seen: Seen, hours: _Hours, minutes: _Minutes) -> Seen:
    """The function's comparison since the latest change."""
    since = max(state.changed_at, seen.now - _LONGEST_LOOK_BACK)
    is_above = state.first_step_at is not None and state.live > state.initial
    return replace(
        seen,
        latency_ratio=latency_ratio(
            hours.latency, changed_at=state.changed_at, now=seen.now, back=settings.observation.compared_with
        )
        if state.before is not None
        else None,
        hottest_ratio=hottest_ratio(minutes.pairs, target=state.live),
        step_cost=cost_change(hours.cost, before=state.changed_at, since=since, until=seen.now)
        if state.before is not None
        else None,
        total_cost=cost_change(hours.cost, before=state.first_step_at, since=since, until=seen.now)
        if is_above and state.first_step_at is not None
        else None,
        saved=_saved(state, seen.now, hours),
    )


def _saved(state: TunerState, until: datetime, hours: _Hours) -> float:
    if state.first_step_at is None or state.live <= state.initial:
        return 0.0
    since = max(state.changed_at, until - _LONGEST_LOOK_BACK)
    return saved_task_hours(hours.cost, before=state.first_step_at, since=since, until=until)


class _Minutes:
    """The CPU in the latest minutes with the live target."""

    def __init__(self) -> None:
        self.pairs: deque[tuple[float, float]] = deque(maxlen=_MINUTES_WATCHED)

    def add(self, series: Series) -> None:
        both = zip(series.cpu_average.tolist(), series.cpu_maximum.tolist(), strict=True)
        self.pairs.extend(pair for pair in both if pair[0] == pair[0])

    def clear(self) -> None:
        self.pairs.clear()


class _Hours:
    """Hourly tasks, requests and latency."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._latencies: list[HourlyLatency] = []
        self._costs: list[ServiceHour] = []
        self._sums = (0.0, 0.0, 0.0)

    def add(self, replay: Replay) -> None:
        before = self._sums
        self._sums = (*replay.latency_sum, replay.task_hours)
        latency, requests, task_hours = (now - then for now, then in zip(self._sums, before, strict=True))
        self._latencies.append((latency, requests))
        self._costs.append(ServiceHour(task_hours=task_hours, work=requests))

    def latency(self, begin: datetime) -> HourlyLatency | None:
        """The latency in the hour that contains this time; None before the first hour or if it is not over."""
        index = self._index(begin)
        return None if index is None else self._latencies[index]

    def cost(self, begin: datetime) -> ServiceHour | None:
        """The same for tasks."""
        index = self._index(begin)
        return None if index is None else self._costs[index]

    def _index(self, begin: datetime) -> int | None:
        index = int((begin - self._start).total_seconds() // 3600)
        return index if 0 <= index < len(self._costs) else None
