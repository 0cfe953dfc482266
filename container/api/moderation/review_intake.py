"""Selects posts for reviewers after the decision, and has them stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from moderation.decision import Decision
from outbox import Outbox
from reviews.outbox import ReviewLetter
from reviews.post import ReviewPost, ReviewRule
from reviews.store import ReviewStore
from unscored.post import STORING_ALONE, UnscoredPost


class ReviewIntake:
    """Selects posts by `rule` and stores them: the posts of a request in the background, through `outbox`.

    stored: is called for each post that `keep` has stored and that was new in the table.
    """

    def __init__(
        self, *, rule: ReviewRule, store: ReviewStore, outbox: Outbox[ReviewLetter], stored: Callable[[], None]
    ) -> None:
        self._rule = rule
        self._store = store
        self._outbox = outbox
        self._stored = stored

    def put(self, texts: list[str], decisions: list[Decision], *, request_id: str, until: float) -> bool | None:
        """Hand over a request's posts for reviewers; None if there are none.

        Return, by `until`, whether the table or the queue already has them; raise OutboxFullError if memory is full.
        """
        letters = self._letters(texts, decisions, request_id)
        return self._outbox.put(letters, until=until) if letters else None

    def keep(self, post: UnscoredPost, decision: Decision, *, flagged: bool) -> None:
        """Store a post from the queue if reviewers get it; raise AWS_FAULTS. `flagged`: the flag that they see."""
        chosen = self._chosen(post.text, decision, flagged=flagged, received=post.received)
        if chosen is not None and self._store.keep(chosen):
            self._stored()

    def count_served(self, text: str, decision: Decision) -> None:
        """Count a post by its score; a post without a score is counted once it gets one."""
        if decision.score is not None:
            score = decision.score
            self._store.served.add(
                text,
                probability=score.probability,
                model=score.model,
                unseen_percent=score.unseen_percent,
                by_first_stage=score.by_first_stage,
            )

    def _letters(self, texts: list[str], decisions: list[Decision], request_id: str) -> list[ReviewLetter]:
        received = datetime.now(UTC).isoformat(timespec="milliseconds")
        letters = []
        for place, (text, decision) in enumerate(zip(texts, decisions, strict=True)):
            post = self._chosen(text, decision, flagged=bool(decision.flag), received=received)
            if post is not None:
                otherwise = UnscoredPost(
                    request_id=request_id,
                    place=place,
                    received=received,
                    reason=STORING_ALONE,
                    text=text,
                    probability=decision.probability,
                    model=decision.model,
                )
                letters.append(ReviewLetter(post=post, otherwise=otherwise))
        return letters

    def _chosen(self, text: str, decision: Decision, *, flagged: bool, received: str) -> ReviewPost | None:
        return self._rule.chosen(
            text, flagged=flagged, probability=decision.probability, model=decision.model, received=received
        )
