"""The decision on a post: by the endpoint's probability, or by policy if there is none."""

from __future__ import annotations

from dataclasses import dataclass

from api_settings import FallbackPolicy
from endpoint.client import EndpointClient, Reason, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision on a post.

    flag: 1 if the post needs review, else 0.
    score: the endpoint's score, None if there was none in time.
    fallback: why there was none.
    """

    flag: int
    score: Score | None = None
    fallback: Reason | None = None

    @property
    def probability(self) -> float | None:
        """The probability of a violation, 0 to 1; None without a score."""
        return None if self.score is None else self.score.probability

    @property
    def model(self) -> str | None:
        """The model that predicted the probability, if the endpoint names it."""
        return None if self.score is None else self.score.model


class Moderator:
    """Decides on the posts of a request, and on posts from the queue.

    threshold: posts at or above this probability are flagged, 0 to 1.
    policy: how to decide on a post without a probability.
    """

    def __init__(self, *, endpoint: EndpointClient, threshold: float, policy: FallbackPolicy) -> None:
        self._endpoint = endpoint
        self._threshold = threshold
        self._policy = policy

    @property
    def flags_without_probability(self) -> bool:
        """Whether the policy flags a post without a probability."""
        return self._policy is FallbackPolicy.FLAG

    def decide(self, texts: str | list[str], until: float) -> list[Decision]:
        """Return the decisions on one text, or on several in their order, by the endpoint's probabilities.

        Raise NoProbabilityError if any of them has none. Either happens by `until`, a time of `time.monotonic()`.
        """
        if isinstance(texts, str):
            return [self.by_score(self._endpoint.score(texts, until=until))]
        return [self.by_score(score) for score in self._endpoint.score_all(texts, until=until)]

    def by_score(self, score: Score) -> Decision:
        """Return the decision that follows from a probability."""
        return Decision(flag=int(score.probability >= self._threshold), score=score)

    def by_policy(self, reason: Reason) -> Decision | None:
        """Return the decision without a probability; None if the policy is to answer with an error."""
        if self._policy is FallbackPolicy.ERROR:
            return None
        return Decision(flag=int(self.flags_without_probability), fallback=reason)
