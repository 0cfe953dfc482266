"""A post in the review table, as programs and the page read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from aws.attribute_values import python_values


class Verdict(StrEnum):
    """A reviewer's verdict on a post. A post with `unsure` does not become training data."""

    VIOLATION = "violation"
    FINE = "fine"
    UNSURE = "unsure"

    @property
    def label(self) -> int | None:
        """The label in training data, 1 or 0; None for no training data."""
        return {Verdict.VIOLATION: 1, Verdict.FINE: 0, Verdict.UNSURE: None}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEntry:
    """The current state of a post.

    post: the post's key.
    probability: the probability of a violation, None if the endpoint gave none.
    received: when the API first received it, in ISO 8601.
    flagged: whether it was flagged; otherwise it belongs to the sample.
    weight: how many similar posts this one represents.
    decisions: the number of decisions in its history, including undone ones and their undoing.
    verdict, decided_by, decided: the latest valid decision, None while there is none.
    lease, leased_until: the token of the reviewer who judges it now, and the end of the lease (seconds since 1970);
        None without a lease.
    """

    post: str
    text: str
    probability: float | None
    model: str | None
    received: str
    flagged: bool
    weight: float
    decisions: int
    verdict: str | None = None
    decided_by: str | None = None
    decided: str | None = None
    lease: str | None = None
    leased_by: str | None = None
    leased_until: int | None = None
    decided_lease: str | None = None
    first_verdict: str | None = None
    first_reviewer: str | None = None
    waiting: bool = False

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read an item of the table with DynamoDB's attribute values."""
        values = python_values(item)

        def number(name: str) -> float | None:
            return None if values.get(name) is None else float(values[name])

        until = values.get("lease_until")
        return cls(
            post=values["post"],
            text=values["text"],
            probability=number("probability"),
            model=values.get("model"),
            received=values["received"],
            flagged=values["flagged"],
            weight=float(values["weight"]),
            decisions=int(values.get("decisions", 0)),
            verdict=values.get("verdict"),
            decided_by=values.get("decided_by"),
            decided=values.get("decided"),
            lease=values.get("lease"),
            leased_by=values.get("leased_by"),
            leased_until=None if until is None else int(until),
            decided_lease=values.get("decided_lease"),
            first_verdict=values.get("first_verdict"),
            first_reviewer=values.get("first_reviewer"),
            waiting="queue" in values,
        )

    def shown(self, *, lease: bool) -> dict[str, object]:
        """Return the values that a reviewer sees; `lease`: with the lease, which is the reviewer's own."""
        told: dict[str, object] = {
            "post": self.post,
            "text": self.text,
            "probability": self.probability,
            "model": self.model,
            "received": self.received,
            "flagged": self.flagged,
            "decisions": self.decisions,
        }
        return told | ({"lease": self.lease, "leased_until": self.leased_until} if lease else {})
