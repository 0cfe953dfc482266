"""A post for reviewers: whether it is to be stored, under which key, and at which place of their queue."""

from __future__ import annotations

from dataclasses import dataclass

from bounded_text import with_short_runs
from post_key import post_key

from reviews.draws import ReviewDraws


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPost:
    """A post on its way to the reviewers.

    probability, model: what the endpoint said; None where the post was flagged without it.
    received: when, in ISO 8601 with its offset from UTC.
    flagged: the flag that the client got.
    weight: how many similar posts this one represents: 1 for a flagged one, 100 / percent for one of a sample of the
        others.
    priority: its place in the queue, from 0 to 1, the highest first.
    second: whether a second reviewer is to judge it too.
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
        """What the post is stored under."""
        return post_key(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRule:
    """Which posts reviewers get.

    threshold: of the flag, 0 to 1.
    sample_percent: of the posts that are not flagged, how many are mixed in, 0 to 100.
    second_percent: of the posts that are stored, how many are judged by two reviewers, 0 to 100.
    draws: by the deployment's secret.
    """

    threshold: float
    sample_percent: float
    second_percent: float
    draws: ReviewDraws

    def chosen(
        self, text: str, *, flagged: bool, probability: float | None, model: str | None, received: str
    ) -> ReviewPost | None:
        """Return the post as it is stored, None where reviewers do not get it.

        A post of the sample is drawn, and so is its place: neither follows from how probable it is, nor from what it
        says as far as anybody without the secret can see. Its place is among the flagged ones, so that it comes up even
        where the queue never empties.
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
            # So that whoever reads it later has no endless runs either.
            text=with_short_runs(text),
            probability=probability,
            model=model,
            received=received,
            flagged=flagged,
            weight=weight,
            priority=priority,
            second=self.draws.number(key, "second") * 100 < self.second_percent,
        )
