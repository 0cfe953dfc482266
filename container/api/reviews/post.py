"""A post for reviewers, and the rule that decides whether it is stored, and its place in their queue."""

from __future__ import annotations

from dataclasses import dataclass

from bounded_text import with_short_runs
from post_key import post_key

from reviews.draws import ReviewDraws


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPost:
    """A post to be stored for reviewers.

    probability, model: the endpoint's answer; None if the post was flagged without one.
    received: when the API received it, in ISO 8601 with its offset from UTC.
    flagged: the flag that the client got.
    weight: how many similar posts this one represents: 1 for a flagged one, 100 / percent for one of a sample of the
        others.
    priority: its place in the queue, from 0 to 1, the highest first.
    second: whether a second reviewer must judge it too.
    """

    text: str
    probability: float | None
    model: str | None
    received: str
    flagged: bool
    weight: float
    priority: float
    second: bool

    @property
    def key(self) -> str:
        """The post's key in the table."""
        return post_key(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRule:
    """Decides which posts reviewers get.

    threshold: posts at or above this probability are flagged, 0 to 1.
    sample_percent: the share of unflagged posts that are mixed in, 0 to 100.
    second_percent: the share of stored posts that two reviewers judge, 0 to 100.
    draws: random numbers from the deployment's secret.
    """

    threshold: float
    sample_percent: float
    second_percent: float
    draws: ReviewDraws

    def chosen(
        self, text: str, *, flagged: bool, probability: float | None, model: str | None, received: str
    ) -> ReviewPost | None:
        """Return the post to store, None if reviewers do not get it.

        Draws decide whether an unflagged post belongs to the sample, and its place in the queue. Neither depends on
        its probability, and nobody without the secret can predict them from its text. Its place is among the flagged
        posts, so that reviewers see it even if the queue is never empty.
        """
        key = post_key(text)
        if flagged:
            weight, priority = 1.0, 1.0 if probability is None else probability
        elif self.draws.number(key, "sample") * 100 < self.sample_percent:
            weight = 100 / self.sample_percent
            priority = self.threshold + (1 - self.threshold) * self.draws.number(key, "place")
        else:
            return None
        return ReviewPost(
            # Stored without long runs of marks, so that later readers do not meet them either.
            text=with_short_runs(text),
            probability=probability,
            model=model,
            received=received,
            flagged=flagged,
            weight=weight,
            priority=priority,
            second=self.draws.number(key, "second") * 100 < self.second_percent,
        )
