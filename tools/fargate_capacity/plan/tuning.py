"""Replays the tuner itself over a trace: the rules that the function runs, on the minutes that the loop replays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scaling_decisions import (
    Action,
    Decision,
    GuardrailStatus,
    HourlyLatency,
    Seen,
    TunerSettings,
    TunerState,
    begun,
    completed,
    decided,
    latency_ratio,
)

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Buckets, Scenario, Simulation
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.replay.replay import Replay
from fargate_capacity.traffic.trace import Trace

# How often the tuner looks where no alarm calls it.
_LOOK_MINUTES = 60
_HOURS_REMEMBERED = 24 * 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the tuner did.

    Args:
        simulation: of the whole trace, with the last setting.
        decisions: those that changed the target, or ended the tuning.
        final_target: the live target at the end, percent.
    """

    simulation: Simulation
    decisions: tuple[Decision, ...]
    final_target: float


def tune(
    scenario: Scenario,
    setting: Setting,
    trace: Trace,
    settings: TunerSettings,
    *,
    advance: Callable[[str], None] = lambda moment: None,
) -> Tuning:
    """Lets the tuner walk over the trace, from the setting's own target on.

    Raises:
        InputError: no guardrail to revert by, or no CPU target to tune.
    """
    if scenario.guardrail is None:
        raise InputError("got no guardrail, allowed: --latency-limit-ms; without one nothing takes a target back")
    if setting.target is None:
        raise InputError("got no target tracking on CPU, allowed: a policy whose target can be tuned")
    replay = scenario.replay(setting, trace, is_compiled=is_worth_compiling(trace.minutes), stops_at_guardrail=True)
    state = TunerState(initial=setting.target, live=setting.target, changed_at=trace.start)
    hours, drawn = _Hours(trace.start), Buckets(trace.minutes)
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
            drawn.add(block[at:reached], series.between(at, reached))
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
                latency_ratio=latency_ratio(
                    hours.of, changed_at=state.changed_at, now=now, back=settings.observation.compared_with
                ),
            )
            decision = decided(settings, state, seen)
            if decision.changes_target or decision.settles or decision.action is Action.STOP:
                decisions.append(decision)
            state = completed(settings, begun(state, decision), now)
            if decision.changes_target:
                replay.retarget(state.live)
        hours.add(replay)
        begin += len(block)
    return Tuning(
        simulation=Simulation(
            setting=setting.with_target(state.live), totals=replay.totals(), series=drawn.series(trace.start)
        ),
        decisions=tuple(decisions),
        final_target=state.live,
    )


class _Hours:
    """Latency by the hour, for as long as any comparison looks back."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._hours: deque[HourlyLatency] = deque(maxlen=_HOURS_REMEMBERED)
        self._passed = 0
        self._latency = 0.0
        self._requests = 0.0

    def add(self, replay: Replay) -> None:
        latency, requests = replay.latency_sum
        self._hours.append((latency - self._latency, requests - self._requests))
        self._latency, self._requests = latency, requests
        self._passed += 1

    def of(self, begin: datetime) -> HourlyLatency | None:
        """The hour in which that moment lies; None where it is too long ago, or not over."""
        oldest = self._passed - len(self._hours)
        index = int((begin - self._start).total_seconds() // 3600) - oldest
        return self._hours[index] if 0 <= index < len(self._hours) else None
