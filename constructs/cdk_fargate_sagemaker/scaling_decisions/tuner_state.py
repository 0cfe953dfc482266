"""The tuner's state between two looks, stored as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from .alarm_rate import Exposure

_MOMENTS = ("changed_at", "cool_off_until", "first_step_at", "last_alarm_at", "held_since")


class Phase(StrEnum):
    """The phase of tuning."""

    TUNING = "tuning"
    # No further steps, but a guardrail alarm still reverts the target.
    SETTLED = "settled"
    # Another user or program changed the policy, or a user stopped the tuner: it changes nothing.
    STOPPED = "stopped"


class Cause(StrEnum):
    """Why a target was reverted."""

    ALARM = "alarm"
    LATENCY = "latency"
    COST = "cost"
    # The hottest task's ratio has grown, so the ceiling is lower; no target has failed.
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change of the target that is decided and recorded, and may already be applied to the policy."""

    origin: float
    target: float
    decided_at: datetime
    is_revert: bool = False
    settles: bool = False
    is_restore: bool = False
    cause: Cause | None = None
    saved: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerState:
    """The live target and its history.

    Args:
        initial: the target at the start of tuning; the target never goes below it.
        live: the target that the policy should have.
        changed_at: the time of the latest change.
        before: the target before the latest step; None if the latest change was not a step up.
        cool_off_until: the time before which no step is made.
        taken_back: percentage points of the latest revert, which an alarm within the cool-off doubles.
        failed: the lowest target that failed. `failures` is how often it failed.
        failed_by: the cause of the latest failure.
        first_step_at: the time of the first step; savings are measured against the week before it.
        saved: the task-hours that all targets before the live one saved.
        exposures: how long each target was in force until the latest change, and all guardrail alarms.
        last_alarm_at: the time of the latest guardrail alarm.
        held_since: the time since which the tuner waits. `is_hold_told` is whether it has reported that.
        pending: a change that is decided and may not be applied yet.
    """

    initial: float
    live: float
    changed_at: datetime
    before: float | None = None
    cool_off_until: datetime | None = None
    taken_back: float = 0.0
    failed: float | None = None
    failures: int = 0
    failed_by: Cause | None = None
    first_step_at: datetime | None = None
    saved: float = 0.0
    exposures: tuple[Exposure, ...] = ()
    last_alarm_at: datetime | None = None
    held_since: datetime | None = None
    is_hold_told: bool = False
    phase: Phase = Phase.TUNING
    pending: PendingChange | None = None

    def to_json(self) -> dict[str, Any]:
        """The state as JSON, with times in ISO 8601."""
        fields = asdict(self)
        fields["phase"] = str(self.phase)
        for name in _MOMENTS:
            fields[name] = fields[name] and fields[name].isoformat()
        if self.pending:
            fields["pending"]["decided_at"] = self.pending.decided_at.isoformat()
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Reads the state that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: the JSON is not such a state.
        """
        read = dict(fields)
        read["phase"] = Phase(read["phase"])
        for name in _MOMENTS:
            # A state of an earlier version has fewer fields.
            read[name] = datetime.fromisoformat(read[name]) if read.get(name) else None
        read["exposures"] = tuple(Exposure(*each) for each in read.get("exposures", ()))
        read["failed_by"] = Cause(read["failed_by"]) if read.get("failed_by") else None
        if pending := read.get("pending"):
            cause = Cause(pending["cause"]) if pending.get("cause") else None
            decided_at = datetime.fromisoformat(pending["decided_at"])
            read["pending"] = PendingChange(**{**pending, "decided_at": decided_at, "cause": cause})
        return cls(**read)
