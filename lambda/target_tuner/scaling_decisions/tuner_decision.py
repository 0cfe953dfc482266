"""The tuner's rules: what it does next, given what it remembers and what it sees.

A change takes three steps, each of which may be repeated: `begun` is stored, the policy gets the decision's absolute
target, `completed` is stored. Interrupted anywhere, the next look finds the pending change and finishes it, so that a
step is neither lost nor applied twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .tuner_settings import TunerSettings
from .tuner_state import PendingChange, Phase, TunerState

# Two targets that differ by less are the same but for rounding, percent.
SAME = 1e-6


class Action(StrEnum):
    """What the tuner does."""

    HOLD = "hold"
    STEP = "step"
    REVERT = "revert"
    SETTLE = "settle"
    STOP = "stop"
    # Puts back what a deployment overwrote.
    RESTORE = "restore"


class GuardrailStatus(StrEnum):
    """All guardrail alarms together: the worst of them."""

    OK = "ok"
    ALARM = "alarm"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the tuner sees at one look.

    Args:
        now: with a zone.
        policy_target: what the scaling policy has; None where the policy is gone.
        parameter_target: what the next deployment would give it. None: the same.
        guardrail: of all guardrail alarms.
        alarming_since: when the latest guardrail alarm went into ALARM.
        is_deploying: a deployment is under way.
        is_missing_data: some of the watched hours have no data.
        latency_ratio: latency since the last change against the same hours before; None where it cannot be told.
        is_overwritten: a deployment since the last change gave the policy one of its former targets: one that was read
            before that change, or that a roll-back restored.
    """

    now: datetime
    policy_target: float | None
    guardrail: GuardrailStatus
    parameter_target: float | None = None
    alarming_since: datetime | None = None
    is_deploying: bool = False
    is_missing_data: bool = False
    latency_ratio: float | None = None
    is_overwritten: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is done and why; `target` is absolute, so that applying it twice is applying it once."""

    action: Action
    at: datetime
    origin: float
    target: float
    why: str
    settles: bool = False

    @property
    def changes_target(self) -> bool:
        """Whether the policy is to get another target."""
        return abs(self.target - self.origin) > SAME

    @property
    def identity(self) -> str:
        """The same for the same decision however often it is made: what a record goes by."""
        return f"{self.action}-{self.origin:g}-{self.target:g}-{self.at.isoformat()}"


def decided(settings: TunerSettings, state: TunerState, seen: Seen) -> Decision:
    """The tuner's next decision."""

    def decision(action: Action, why: str, target: float = state.live, settles: bool = False) -> Decision:
        return Decision(action=action, at=seen.now, origin=state.live, target=target, why=why, settles=settles)

    if state.phase is Phase.STOPPED:
        return decision(Action.HOLD, "stopped: the target is in somebody else's hands")
    pending = state.pending
    foreign = _foreign(state, seen)
    if foreign is not None:
        if seen.is_deploying:
            return decision(Action.HOLD, "a deployment is under way")
        if pending is None and seen.is_overwritten and seen.policy_target is not None:
            overwritten = decision(Action.RESTORE, "a deployment gave the policy a former target", state.live)
            return replace(overwritten, origin=seen.policy_target)
        return decision(Action.STOP, foreign)
    is_new_alarm = seen.guardrail is GuardrailStatus.ALARM and _is_after_change(state, seen)
    if pending is not None:
        if is_new_alarm and not pending.is_revert:
            return replace(
                decision(Action.REVERT, "a guardrail fired while a step was being applied", pending.origin),
                origin=pending.target,
            )
        return Decision(
            action=_action(pending),
            at=pending.decided_at,
            origin=pending.origin,
            target=pending.target,
            why="an interrupted change is finished",
            settles=pending.settles,
        )
    if is_new_alarm:
        if state.cool_off_until is not None and seen.now < state.changed_at + settings.incident:
            return decision(Action.HOLD, f"a guardrail fired at {state.live:g} %, in the incident that was answered")
        target = _taken_back(state, seen)
        if target < state.live - SAME:
            return decision(Action.REVERT, f"a guardrail fired at {state.live:g} %", target)
        return decision(Action.HOLD, f"a guardrail fired at {state.live:g} %, where tuning began: nothing to take back")
    if seen.is_deploying:
        return decision(Action.HOLD, "a deployment is under way")
    if seen.guardrail is not GuardrailStatus.OK:
        return decision(Action.HOLD, f"the guardrail is not OK but {seen.guardrail}")
    if seen.is_missing_data:
        return decision(Action.HOLD, "data are missing")
    if state.phase is Phase.SETTLED:
        return decision(Action.HOLD, "settled")
    if state.cool_off_until is not None and seen.now < state.cool_off_until:
        return decision(Action.HOLD, f"cooling off until {state.cool_off_until.isoformat()}")
    until = state.changed_at + settings.observation.length
    if seen.now < until:
        return decision(Action.HOLD, f"watching {state.live:g} % until {until.isoformat()}")
    limit = settings.max_latency_ratio
    if limit is not None and state.before is not None:
        if seen.latency_ratio is None:
            return decision(Action.HOLD, "the latency of the same hours before is not known")
        if seen.latency_ratio > limit:
            return decision(
                Action.REVERT,
                f"latency is {seen.latency_ratio:.2f} times that of the same hours before, more than {limit:g}",
                state.before,
            )
    if state.live >= settings.ceiling - SAME:
        return decision(Action.SETTLE, f"the ceiling of {settings.ceiling:g} % held", settles=True)
    following = min(state.live + settings.step, settings.ceiling)
    if state.failed is not None and state.failures >= settings.attempts and following >= state.failed - SAME:
        target = max(state.live - settings.final_margin, state.initial)
        return decision(
            Action.SETTLE,
            f"{state.failed:g} % failed {state.failures} times; {settings.final_margin:g} points below what held",
            target,
            settles=True,
        )
    return decision(Action.STEP, f"{state.live:g} % held for {settings.observation.length.days} days", following)


def begun(state: TunerState, decision: Decision) -> TunerState:
    """What to store before the policy is touched. Without a change of target it is all there is to store."""
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
        ),
    )


def rehearsed(state: TunerState, decision: Decision) -> TunerState:
    """What to store in a dry run, where no change is made: what would have been changed is watched anew."""
    if decision.action is Action.STOP:
        return replace(state, phase=Phase.STOPPED)
    if decision.settles:
        return replace(state, phase=Phase.SETTLED)
    return replace(state, changed_at=decision.at) if decision.changes_target else state


def completed(settings: TunerSettings, state: TunerState, now: datetime) -> TunerState:
    """What to store once the policy has the pending target; `state` itself where nothing is pending."""
    pending = state.pending
    if pending is None:
        return state
    moved = replace(state, live=pending.target, changed_at=now, pending=None)
    if pending.is_restore:
        return moved
    if pending.is_revert:
        failed, failures = state.failed, state.failures
        if state.before is not None or pending.origin > state.live + SAME:
            # Only a target that was just raised to has failed; one that was taken back to was good before.
            is_same_failure = failed is not None and pending.origin >= failed - SAME
            failed, failures = (failed, failures + 1) if is_same_failure else (pending.origin, 1)
        return replace(
            moved,
            before=None,
            cool_off_until=now + settings.cool_off,
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
        cool_off_until=None,
        taken_back=0.0,
        failed=None if has_passed_failure else state.failed,
        failures=0 if has_passed_failure else state.failures,
    )


def _foreign(state: TunerState, seen: Seen) -> str | None:
    """What shows that somebody else changed the target; None where nobody did."""
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
    """An alarm that fired before the latest change was answered by it."""
    return seen.alarming_since is None or seen.alarming_since > state.changed_at


def _taken_back(state: TunerState, seen: Seen) -> float:
    is_cooling = state.cool_off_until is not None and seen.now < state.cool_off_until
    if state.before is not None:
        return state.before
    if is_cooling and state.taken_back:
        return max(state.live - 2 * state.taken_back, state.initial)
    return max(state.live - (state.taken_back or 1.0), state.initial)
