"""What the tuner remembers between two looks; it survives as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from .alarm_rate import Exposure

_MOMENTS = ("changed_at", "cool_off_until", "first_step_at", "last_alarm_at", "held_since")


class Phase(StrEnum):
    """Where the tuner is."""

    TUNING = "tuning"
    # Nothing more to gain; it still takes a target back where a guardrail fires.
    SETTLED = "settled"
    # Somebody else changed the policy: hands off.
    STOPPED = "stopped"


class Cause(StrEnum):
    """Why a target was reverted."""

    ALARM = "alarm"
    LATENCY = "latency"
    COST = "cost"
    # The hottest task leaves less room than it did; nothing has failed.
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change of the target that was decided and recorded; whether the policy has it already is not known."""

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
    """The live target and how it came to be.

    Args:
        initial: what the target was when tuning began; it never goes below.
        live: what the policy should have.
        changed_at: when it got it.
        before: what it was before the latest step; None where the latest change was no step up.
        cool_off_until: no step before then.
        taken_back: points that the latest revert took back, which an alarm within the cool-off doubles.
        failed: the lowest target that failed, and `failures`, how often.
        failed_by: what the latest failure was.
        first_step_at: when the target first left `initial`; what it saves is judged by the week before.
        saved: task-hours that all targets before the live one saved.
        exposures: for how long each target was in force before the latest change, and all guardrail alarms.
        last_alarm_at: when the latest of them fired.
        held_since: since when the tuner has had to wait, and `is_hold_told`, whether it said so.
        pending: decided, and perhaps not yet applied.
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
        """With moments as ISO 8601."""
        fields = asdict(self)
        fields["phase"] = str(self.phase)
        for name in _MOMENTS:
            fields[name] = fields[name] and fields[name].isoformat()
        if self.pending:
            fields["pending"]["decided_at"] = self.pending.decided_at.isoformat()
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """The state that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        read = dict(fields)
        read["phase"] = Phase(read["phase"])
        for name in _MOMENTS:
            # A state of an earlier version has fewer.
            read[name] = datetime.fromisoformat(read[name]) if read.get(name) else None
        read["exposures"] = tuple(Exposure(*each) for each in read.get("exposures", ()))
        read["failed_by"] = Cause(read["failed_by"]) if read.get("failed_by") else None
        if pending := read.get("pending"):
            cause = Cause(pending["cause"]) if pending.get("cause") else None
            decided_at = datetime.fromisoformat(pending["decided_at"])
            read["pending"] = PendingChange(**{**pending, "decided_at": decided_at, "cause": cause})
        return cls(**read)
