"""The tuner's rules: its next decision, from its state and its observations.

A change takes three steps, each of which may be repeated: `begun` is stored, the policy gets the decision's absolute
target, `completed` is stored. If the tuner is interrupted at any point, the next look finds the pending change and
finishes it, so that a step is neither lost nor applied twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .alarm_rate import Exposure, added, is_known_below, is_more_often
from .hottest_task import highest_target
from .service_cost import CostChange
from .tuner_settings import TunerSettings
from .tuner_state import Cause, PendingChange, Phase, TunerState

# Two targets with a smaller difference, in percent, are equal except for rounding.
SAME = 1e-6


class Action(StrEnum):
    """What the tuner does."""

    HOLD = "hold"
    # Changes nothing, and reports that the tuner has waited for a long time.
    WAIT = "wait"
    STEP = "step"
    REVERT = "revert"
    SETTLE = "settle"
    STOP = "stop"
    # Restores the target that a deployment overwrote.
    RESTORE = "restore"


class GuardrailStatus(StrEnum):
    """The worst state of all guardrail alarms."""

    OK = "ok"
    ALARM = "alarm"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The tuner's observations at one look.

    Args:
        now: the time of the look, with a time zone.
        policy_target: the scaling policy's target; None if the policy was deleted.
        parameter_target: the target that the next deployment would set. None: the same.
        guardrail: the state of all guardrail alarms together.
        alarming_since: the time at which the latest guardrail alarm went into ALARM.
        is_deploying: whether a deployment is in progress.
        is_missing_data: whether some of the observed hours have no data.
        latency_ratio: latency since the last change against the same hours before; None if unknown.
        hottest_ratio: the hottest task's CPU / the average; None if unknown.
        step_cost: task-hours per request since the last change against the same hours before; None if unknown.
            `total_cost`: the same against those before the first step.
        saved: the task-hours saved since the last change, against the hours before the first step.
        is_overwritten: whether a deployment since the last change reset the policy to an earlier target: one that it
            read before that change, or that its rollback restored.
    """

    now: datetime
    policy_target: float | None
    guardrail: GuardrailStatus
    parameter_target: float | None = None
    alarming_since: datetime | None = None
    is_deploying: bool = False
    is_missing_data: bool = False
    latency_ratio: float | None = None
    hottest_ratio: float | None = None
    step_cost: CostChange | None = None
    total_cost: CostChange | None = None
    saved: float = 0.0
    is_overwritten: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The action and its reason. `target` is absolute, so that applying it twice has the same effect as once.

    Args:
        settles: whether tuning ends with it.
        cause: the cause of a revert.
        saved: the task-hours that the previous target has saved.
        alarm_at: the time at which the guardrail alarm that caused it fired.
        waits: whether the tuner is prevented from acting.
    """

    action: Action
    at: datetime
    origin: float
    target: float
    why: str
    settles: bool = False
    cause: Cause | None = None
    saved: float = 0.0
    alarm_at: datetime | None = None
    waits: bool = False

    @property
    def is_noted(self) -> bool:
        """Whether it is recorded and reported."""
        return self.action is not Action.HOLD

    @property
    def changes_target(self) -> bool:
        """Whether the policy's target changes."""
        return abs(self.target - self.origin) > SAME

    @property
    def identity(self) -> str:
        """The key of the decision's record: the same each time the same decision is made."""
        return f"{self.action}-{self.origin:g}-{self.target:g}-{self.at.isoformat()}"


def decided(settings: TunerSettings, state: TunerState, seen: Seen) -> Decision:
    """Makes the tuner's next decision."""

    decision = _Decider(settings, state, seen)

    if state.phase is Phase.STOPPED:
        return decision(Action.HOLD, "stopped: somebody else controls the target")
    pending = state.pending
    foreign = _foreign(state, seen)
    if foreign is not None:
        if seen.is_deploying:
            return decision.wait("a deployment is in progress")
        if pending is None and seen.is_overwritten and seen.policy_target is not None:
            overwritten = decision(Action.RESTORE, "a deployment put an earlier target into the policy", state.live)
            return replace(overwritten, origin=seen.policy_target)
        return decision(Action.STOP, foreign)
    is_new_alarm = seen.guardrail is GuardrailStatus.ALARM and _is_after_change(state, seen)
    if pending is not None:
        if is_new_alarm and not pending.is_revert:
            return replace(
                decision(Action.REVERT, "a guardrail alarm fired while a step was being applied", pending.origin),
                origin=pending.target,
                cause=Cause.ALARM,
                alarm_at=seen.alarming_since or seen.now,
            )
        return Decision(
            action=_action(pending),
            at=pending.decided_at,
            origin=pending.origin,
            target=pending.target,
            why="an interrupted change is being completed",
            settles=pending.settles,
            cause=pending.cause,
            saved=pending.saved,
        )
    if is_new_alarm:
        fired = f"a guardrail alarm fired at {state.live:g} %"
        since = seen.alarming_since or seen.now
        if state.cool_off_until is not None and seen.now < state.changed_at + settings.incident:
            return decision(Action.HOLD, f"{fired}, in the incident that was already handled")
        target = _taken_back(state, seen)
        if target < state.live - SAME:
            return decision.revert(Cause.ALARM, fired, target, alarm_at=since)
        return replace(decision.wait(f"{fired}, where tuning began: there is no step to revert"), alarm_at=since)
    if seen.is_deploying:
        return decision.wait("a deployment is in progress")
    if seen.guardrail is not GuardrailStatus.OK:
        return decision.wait(f"the guardrail is {seen.guardrail}, not OK")
    if seen.is_missing_data:
        return decision.wait("data are missing")
    if state.phase is Phase.SETTLED:
        if seen.total_cost is not None and seen.total_cost.is_dear and state.live > state.initial + SAME:
            return decision.revert(Cause.COST, _dear_since_the_start(state, seen.total_cost), state.initial)
        return decision(Action.HOLD, "settled")
    if state.cool_off_until is not None and seen.now < state.cool_off_until:
        return decision(Action.HOLD, f"cooling off until {state.cool_off_until.isoformat()}")
    until = state.changed_at + settings.observation.length
    if seen.now < until:
        return decision(Action.HOLD, f"watching {state.live:g} % until {until.isoformat()}")
    limit = settings.max_latency_ratio
    left_to_alarms = ""
    if limit is not None and state.before is not None:
        if seen.latency_ratio is None:
            if seen.now < state.changed_at + settings.patience:
                return decision.wait("the latency of the same hours before the step is unknown")
            left_to_alarms = (
                f"; latency is left to the alarms, as {settings.patience.days} days had fewer than 24 comparable hours"
            )
        elif seen.latency_ratio > limit:
            return decision.revert(
                Cause.LATENCY,
                f"latency is {seen.latency_ratio:.2f} times that of the same hours before the step, above {limit:g}",
                state.before,
            )
    if state.before is not None and seen.step_cost is not None and seen.step_cost.is_dear:
        return decision.revert(
            Cause.COST,
            f"{state.live:g} % costs more than {state.before:g} %: {seen.step_cost.described()} than in the same hours "
            "before",
            state.before,
        )
    if seen.total_cost is not None and seen.total_cost.is_dear and state.live > state.initial + SAME:
        return decision.revert(Cause.COST, _dear_since_the_start(state, seen.total_cost), state.initial)
    ceiling, ceiling_why = _ceiling(settings, state, seen)
    if state.live > ceiling + SAME and state.live > state.initial + SAME:
        return decision.revert(Cause.CEILING, ceiling_why, max(ceiling, state.initial))
    if state.live >= ceiling - SAME:
        return decision(Action.SETTLE, ceiling_why, settles=True)
    following = min(state.live + settings.step, ceiling)
    is_failing = state.failed is not None and state.failures >= settings.attempts and following >= state.failed - SAME
    if is_failing and state.failed is not None and _is_given_up(state, state.failed, seen):
        target = max(state.live - settings.final_margin, state.initial)
        return decision(
            Action.SETTLE,
            f"{_described_failure(state, state.failed)}; {settings.final_margin:g} points below the last target that "
            "held",
            target,
            settles=True,
        )
    why = f"{state.live:g} % held for {settings.observation.length.days} days"
    if is_failing:
        why += f"; alarms fired no more often at {following:g} % than at lower targets"
    return decision(Action.STEP, why + left_to_alarms, following)


@dataclass(frozen=True, slots=True)
class _Decider:
    """Makes the decisions of one look."""

    settings: TunerSettings
    state: TunerState
    seen: Seen

    def __call__(self, action: Action, why: str, target: float | None = None, settles: bool = False) -> Decision:
        live = self.state.live
        return Decision(
            action=action,
            at=self.seen.now,
            origin=live,
            target=live if target is None else target,
            why=why,
            settles=settles,
            saved=self.seen.saved,
        )

    def revert(self, cause: Cause, why: str, target: float, alarm_at: datetime | None = None) -> Decision:
        return replace(self(Action.REVERT, why, target), cause=cause, alarm_at=alarm_at)

    def wait(self, why: str) -> Decision:
        """A hold because something prevents a step. The tuner reports it once it has lasted for a long time."""
        state, now = self.state, self.seen.now
        if state.phase is not Phase.TUNING or now < self._due():
            return self(Action.HOLD, why)
        if state.held_since is None or state.is_hold_told or now < state.held_since + self.settings.longest_hold:
            return replace(self(Action.HOLD, why), waits=True)
        since = f"{state.held_since:%Y-%m-%d %H:%M}"
        return replace(self(Action.WAIT, f"tuning has waited since {since} UTC: {why}"), waits=True)

    def _due(self) -> datetime:
        """The earliest time of the next step."""
        due = self.state.changed_at + self.settings.observation.length
        return max(due, self.state.cool_off_until or due)


def begun(state: TunerState, decision: Decision) -> TunerState:
    """The state to store before the policy changes. If the target does not change, nothing else is stored."""
    state = _noted(state, decision)
    if decision.action is Action.STOP:
        return replace(state, phase=Phase.STOPPED, pending=None)
    if not decision.changes_target:
        return replace(state, phase=Phase.SETTLED) if decision.settles else state
    return replace(
        state,
        pending=PendingChange(
            origin=decision.origin,
            target=decision.target,
            decided_at=decision.at,
            is_revert=decision.action is Action.REVERT,
            settles=decision.settles,
            is_restore=decision.action is Action.RESTORE,
            cause=decision.cause,
            saved=decision.saved,
        ),
    )


def rehearsed(state: TunerState, decision: Decision) -> TunerState:
    """The state to store in a dry run. It makes no change, but starts a new observation as if it had."""
    state = _noted(state, decision)
    if decision.action is Action.STOP:
        return replace(state, phase=Phase.STOPPED)
    if decision.settles:
        return replace(state, phase=Phase.SETTLED)
    return replace(state, changed_at=decision.at) if decision.changes_target else state


def completed(settings: TunerSettings, state: TunerState, now: datetime) -> TunerState:
    """The state to store once the policy has the pending target; `state` itself if no change is pending."""
    pending = state.pending
    if pending is None:
        return state
    in_force = Exposure(state.live, max((now - state.changed_at).total_seconds(), 0.0), 0)
    moved = replace(
        state,
        live=pending.target,
        changed_at=now,
        pending=None,
        saved=state.saved + pending.saved,
        exposures=added(state.exposures, in_force),
    )
    if pending.is_restore:
        return moved
    if pending.cause is Cause.CEILING:
        return replace(moved, before=None)
    if pending.is_revert:
        failed, failures = state.failed, state.failures
        if state.before is not None or pending.origin > state.live + SAME:
            # Only a target that a step has just set counts as failed; a target that a revert restored was good before.
            is_same_failure = failed is not None and pending.origin >= failed - SAME
            failed, failures = (failed, failures + 1) if is_same_failure else (pending.origin, 1)
        if pending.cause is Cause.COST:
            # The interval of the cost excludes chance, so one failure is enough. If all steps together cost more, no
            # step is made again.
            is_back = pending.target <= state.initial + SAME
            failed, failures = state.initial if is_back else pending.origin, settings.attempts
        # An alarm that also fires at lower targets reverts the step too, but without the long cool-off.
        is_chance = pending.cause is Cause.ALARM and _is_as_often_below(moved.exposures, pending.origin)
        return replace(
            moved,
            before=None,
            failed_by=pending.cause,
            cool_off_until=now + (settings.observation.length if is_chance else settings.cool_off),
            taken_back=pending.origin - pending.target,
            failed=failed,
            failures=failures,
        )
    if pending.settles:
        return replace(moved, before=None, phase=Phase.SETTLED)
    has_passed_failure = state.failed is not None and pending.origin >= state.failed - SAME
    return replace(
        moved,
        before=pending.origin,
        first_step_at=state.first_step_at or now,
        cool_off_until=None,
        taken_back=0.0,
        failed=None if has_passed_failure else state.failed,
        failures=0 if has_passed_failure else state.failures,
    )


def _noted(state: TunerState, decision: Decision) -> TunerState:
    """The state with the decision's alarm counted, and with the time since which the tuner has waited."""
    if decision.alarm_at is not None and decision.alarm_at != state.last_alarm_at:
        fired = Exposure(decision.origin, 0.0, 1)
        state = replace(state, exposures=added(state.exposures, fired), last_alarm_at=decision.alarm_at)
    if decision.action is Action.WAIT:
        return replace(state, is_hold_told=True)
    if decision.waits:
        return state if state.held_since is not None else replace(state, held_since=decision.at)
    return state if state.held_since is None else replace(state, held_since=None, is_hold_told=False)


def _ceiling(settings: TunerSettings, state: TunerState, seen: Seen) -> tuple[float, str]:
    """The highest allowed target, and the reason for the limit."""
    ceiling, why = settings.ceiling, f"the ceiling of {settings.ceiling:g} % held"
    if settings.spike_threshold is None or seen.hottest_ratio is None:
        return ceiling, why
    highest = highest_target(settings.spike_threshold, seen.hottest_ratio)
    if highest >= ceiling:
        return ceiling, why
    steps = max(math.floor((highest - state.initial) / settings.step + SAME), 0)
    return state.initial + steps * settings.step, (
        f"the hottest task is {seen.hottest_ratio:.2f} times as busy as the average: above {highest:.1f} % it would "
        f"pass the {settings.spike_threshold:g} % of the spike scaling in normal operation"
    )


def _dear_since_the_start(state: TunerState, cost: CostChange) -> str:
    return f"{state.live:g} % costs more than {state.initial:g} %, where tuning began: {cost.described()}"


def _described_failure(state: TunerState, failed: float) -> str:
    if state.failed_by is not Cause.COST:
        return f"{failed:g} % failed {state.failures} times"
    return "all steps together cost more" if failed <= state.initial + SAME else f"{failed:g} % cost more"


def _is_given_up(state: TunerState, failed: float, seen: Seen) -> bool:
    """Whether the failures of a target are beyond chance; only alarms fire by chance."""
    if state.failed_by is not Cause.ALARM:
        return True
    in_force = Exposure(state.live, max((seen.now - state.changed_at).total_seconds(), 0.0), 0)
    return is_more_often(added(state.exposures, in_force), failed)


def _is_as_often_below(exposures: tuple[Exposure, ...], failed: float) -> bool:
    return is_known_below(exposures, failed) and not is_more_often(exposures, failed)


def _foreign(state: TunerState, seen: Seen) -> str | None:
    """A sentence on a change of the target by another user or program; None without one."""
    pending = state.pending
    known = (state.live,) if pending is None else (pending.origin, pending.target)
    wanted = " or ".join(f"{target:g}" for target in known)
    if seen.policy_target is None:
        return "the policy is gone: somebody else removed it"
    if all(abs(seen.policy_target - target) > SAME for target in known):
        return f"the policy has {seen.policy_target:g} %, not {wanted} %: somebody else changed it"
    if seen.parameter_target is not None and all(abs(seen.parameter_target - target) > SAME for target in known):
        return f"the parameter has {seen.parameter_target:g} %, not {wanted} %: somebody else changed it"
    return None


def _action(pending: PendingChange) -> Action:
    if pending.is_revert:
        return Action.REVERT
    if pending.is_restore:
        return Action.RESTORE
    return Action.SETTLE if pending.settles else Action.STEP


def _is_after_change(state: TunerState, seen: Seen) -> bool:
    """Whether the alarm fired after the latest change; that change handled any earlier alarm."""
    return seen.alarming_since is None or seen.alarming_since > state.changed_at


def _taken_back(state: TunerState, seen: Seen) -> float:
    is_cooling = state.cool_off_until is not None and seen.now < state.cool_off_until
    if state.before is not None:
        return state.before
    if is_cooling and state.taken_back:
        return max(state.live - 2 * state.taken_back, state.initial)
    return max(state.live - (state.taken_back or 1.0), state.initial)
