"""A flag: something that a reviewer must check before a change is merged."""

from __future__ import annotations

from dataclasses import asdict, dataclass

SEVERITIES = ("critical", "high", "medium", "low")

KINDS = {
    "replaced": "a resource is replaced, or moves to another logical id, which replaces it too",
    "removed": "a resource, a state or a stack is removed",
    "retention": "data are kept for a shorter time, or no longer kept when a resource is deleted",
    "encryption": "data are no longer encrypted, or by a weaker means",
    "public": "something can be reached from the internet, or by everyone",
    "permission": "a role, or a service, is denied a call that the template makes it do",
    "widened": "a permission or a rule of a network is wider",
    "loosened": "an alarm, a guardrail or a protection is looser",
    "silenced": "an alarm or a rule no longer notifies, or no longer acts",
    "scaling": "a threshold, a target, a bound, a cooldown or a schedule of scaling is worse",
    "capacity": "fewer instances or tasks run, or they are smaller",
    "catch": "a state machine handles fewer errors",
    "period": "a graph shows other values, because its period changed",
    "cost": "the fixed cost rises sharply",
    "logging": "logs, traces or access logs are no longer written",
    "secret": "a secret is in the template in plain text",
    "finding": "a check of the template finds something new",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One thing to check.

    Args:
        kind: one of `KINDS`.
        severity: one of `SEVERITIES`.
        stack: the stack's path.
        logical_id: the resource's logical id, before the change if renamed.
        sentence: what the change does, in a sentence.
        type: the resource's type, or "" for a whole stack.
    """

    kind: str
    severity: str
    stack: str
    logical_id: str
    sentence: str
    type: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.severity not in SEVERITIES:
            raise ValueError(f"kind {self.kind}, severity {self.severity}")

    def as_json(self) -> dict[str, str]:
        """The flag as an object of review.json."""
        return asdict(self)


def worst_first(flags: list[Flag]) -> list[Flag]:
    """The flags without duplicates, ordered by severity, then by kind, both in order of declaration."""
    kinds = list(KINDS)
    return sorted(
        dict.fromkeys(flags),
        key=lambda flag: (SEVERITIES.index(flag.severity), kinds.index(flag.kind), flag.stack, flag.logical_id),
    )
