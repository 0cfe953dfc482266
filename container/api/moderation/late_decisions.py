"""Decisions on posts whose request was answered before. SQS delivers a message at least once; each post counts once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from aws.clients import AWS_FAULTS
from endpoint.circuit_breaker import BreakerState, CircuitBreaker
from moderation.decision import Decision, Moderator
from moderation.review_intake import ReviewIntake
from observability.embedded_metrics import Decisions, metric_line
from unscored.post import STORING_ALONE, UnscoredPost

MOST_REMEMBERED: Final = 10_000
_log = logging.getLogger("api")


class NotSettledError(Exception):
    """A decision could not be recorded; the queue must deliver the post again."""


class LateDecisions:
    """Passes late decisions to reviewers, to the log and to the metrics.

    Distinguishes the first decision on a post from later ones: by memory in this process, by `mark_late` across all
    processes. It is called with request id, time and place, and returns False if the post was marked before.
    """

    def __init__(
        self,
        *,
        moderator: Moderator,
        reviews: ReviewIntake | None,
        mark_late: Callable[[str, str, int], bool] | None,
        breaker: CircuitBreaker,
        service: str,
    ) -> None:
        self._moderator = moderator
        self._reviews = reviews
        self._mark_late = mark_late
        self._breaker = breaker
        self._service = service
        self._lock = threading.Lock()
        self._remembered: dict[tuple[str, str, int], None] = {}

    def record(self, post: UnscoredPost, decision: Decision) -> None:
        """Record a decision; raise NotSettledError if the table does not accept it."""
        try:
            if self._reviews is not None:
                # The answer that the client got counts: a reviewer sees every post that was flagged.
                by_policy = post.reason != STORING_ALONE and self._moderator.flags_without_probability
                self._reviews.keep(post, decision, flagged=bool(decision.flag) or by_policy)
            if post.reason == STORING_ALONE or not self._is_first(post):
                return
            if self._reviews is not None:
                self._reviews.count_served(post.text, decision)
        except AWS_FAULTS as fault:
            _log.warning("the review table did not accept a post", extra={"fields": {"fault": type(fault).__name__}})
            raise NotSettledError from fault
        fields = {
            "request_id": post.request_id,
            "place": post.place,
            "received": post.received,
            "flag": decision.flag,
            "probability": decision.probability,
            "model": decision.model,
        }
        _log.info("late_decision", extra={"fields": fields})
        waited = datetime.now(UTC) - datetime.fromisoformat(post.received)
        line = metric_line(
            Decisions(posts=1, flags=decision.flag, fallbacks=0, model=decision.model, late=True),
            service=self._service,
            # The clock of the task that received the post may be ahead of this one's.
            milliseconds=max(0.0, waited.total_seconds() * 1000),
            breaker_closed=self._breaker.state is BreakerState.CLOSED,
        )
        _log.info("metrics", extra={"fields": line})

    def _is_first(self, post: UnscoredPost) -> bool:
        # The id alone is not unique: a client may give the same id to many requests.
        key = (post.request_id, post.received, post.place)
        with self._lock:
            if key in self._remembered:
                return False
            while len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = None
        try:
            return self._mark_late is None or self._mark_late(*key)
        except BaseException:
            with self._lock:
                self._remembered.pop(key, None)
            raise
