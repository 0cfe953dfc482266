"""What the tuner remembers between two looks; it survives as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class Phase(StrEnum):
    """Where the tuner is."""

    TUNING = "tuning"
    # Nothing more to gain; it still takes a target back where a guardrail fires.
    SETTLED = "settled"
    # Somebody else changed the policy: hands off.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change of the target that was decided and recorded; whether the policy has it already is not known."""

    origin: float
    target: float
    decided_at: datetime
    is_revert: bool = False
    settles: bool = False
    is_restore: bool = False


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
    phase: Phase = Phase.TUNING
    pending: PendingChange | None = None

    def to_json(self) -> dict[str, Any]:
        """With moments as ISO 8601."""
        fields = asdict(self)
        fields["phase"] = str(self.phase)
        for name in ("changed_at", "cool_off_until"):
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
        for name in ("changed_at", "cool_off_until"):
            read[name] = read[name] and datetime.fromisoformat(read[name])
        if pending := read.get("pending"):
            read["pending"] = PendingChange(**{**pending, "decided_at": datetime.fromisoformat(pending["decided_at"])})
        return cls(**read)
