"""What estimates need to know of a post that was stored for reviewers."""

from __future__ import annotations

from dataclasses import dataclass

VERDICTS = ("violation", "fine", "unsure")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPost:
    """A post that was stored for reviewers, or `count` of them that are alike.

    probability: what the model said, 0 to 1.
    flagged: every such post is stored; of the others a sample is.
    weight: of how many posts like it it is one, at least 1.
    received: in days since 1970.
    verdict: the latest decision that stands, None without any.
    first_verdict: what the first of two reviewers said, None where one alone was to judge.
    count: so many posts have all of this in common, at least 1.
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
        """None where nobody has decided, or the reviewer was unsure."""
        return {"violation": True, "fine": False}.get(self.verdict or "")
