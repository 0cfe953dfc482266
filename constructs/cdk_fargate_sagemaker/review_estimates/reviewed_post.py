"""The facts about a stored post that estimates need."""

from __future__ import annotations

from dataclasses import dataclass

VERDICTS = ("violation", "fine", "unsure")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPost:
    """A post that was stored for reviewers, or `count` posts with the same facts.

    probability: the model's, 0 to 1.
    flagged: all flagged posts are stored, and a sample of the others.
    weight: the number of posts that it represents, at least 1.
    received: in days since 1970.
    verdict: the latest decision that was not undone, None without one.
    first_verdict: the verdict of the first of two reviewers, None if only one was to judge.
    count: the number of posts with these facts, at least 1.
    """

    probability: float
    flagged: bool
    weight: float
    received: float
    verdict: str | None
    first_verdict: str | None = None
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability is {self.probability}: allowed is a number from 0 to 1")
        if not self.weight >= 1:
            raise ValueError(f"weight is {self.weight}: allowed is a number from 1")
        if self.count < 1:
            raise ValueError(f"count is {self.count}: allowed is a whole number from 1")
        for verdict in (self.verdict, self.first_verdict):
            if verdict is not None and verdict not in VERDICTS:
                raise ValueError(f"a verdict is none of {', '.join(VERDICTS)}")

    @property
    def is_violation(self) -> bool | None:
        """None if there is no decision, or the reviewer was unsure."""
        return {"violation": True, "fine": False}.get(self.verdict or "")
