"""Moderates the posts of one request: decides on them, and hands on what is to be done about them later."""

from __future__ import annotations

from datetime import UTC, datetime

from endpoint.client import NoProbabilityError, Reason
from moderation.decision import Decision, Moderator
from moderation.review_intake import ReviewIntake
from outbox import Outbox, OutboxFullError
from unscored.post import UnscoredPost


class NotTakenError(Exception):
    """Nothing was decided, or nothing takes the posts: their sender must keep them. The message is one line."""


class SlowSenderError(Exception):
    """The request came so slowly that no time was left to score it. The message is one line, for its sender."""


class Moderation:
    """Answers within the deadline, whatever the endpoint, the queue and the table do.

    patience_seconds: from the start of a request, what its scoring may take.
    answer_seconds: from the start of a request, what all of it may take.
    unscored: takes posts that get no probability in time; without one they are answered by policy and that is all.
    reviews: takes posts for reviewers, where there are any.
    """

    def __init__(
        self,
        *,
        moderator: Moderator,
        patience_seconds: float,
        answer_seconds: float,
        unscored: Outbox[UnscoredPost] | None,
        reviews: ReviewIntake | None,
    ) -> None:
        self._moderator = moderator
        self._patience_seconds = patience_seconds
        self._answer_seconds = answer_seconds
        self._unscored = unscored
        self._reviews = reviews

    def moderate(
        self,
        texts: str | list[str],
        *,
        request_id: str,
        started: float,
        reading_seconds: float,
        fields: dict[str, object],
    ) -> list[Decision]:
        """Return the decisions on one text, or on several in their order; raise SlowSenderError or NotTakenError.

        started: when the request began to come, a time of `time.monotonic()`.
        reading_seconds: how long it came.
        fields: of the request's line in the log; what happened is added.
        """
        listed = [texts] if isinstance(texts, str) else texts
        until = started + self._answer_seconds
        try:
            decisions = self._moderator.decide(texts, started + self._patience_seconds)
        except NoProbabilityError as fault:
            if fault.reason is Reason.DEADLINE and reading_seconds > self._patience_seconds / 2:
                # Its sender took the time that the endpoint would have had: no fallback, which alarms count.
                raise SlowSenderError(
                    "the request came too slowly: the deadline passed before it could be scored"
                ) from fault
            fields |= {"fallback": fault.reason, "fault": fault.fault}
            fallback = self._moderator.by_policy(fault.reason)
            if fallback is None:
                raise NotTakenError(f"the endpoint gave no probability: {fault.reason}") from fault
            decisions = [fallback] * len(listed)
            if self._unscored is not None:
                # What waits to be scored is given to reviewers when it has been.
                self._queue(self._unscored, listed, fault.reason, request_id=request_id, until=until, fields=fields)
                return decisions
        if self._reviews is not None:
            try:
                stored = self._reviews.put(listed, decisions, request_id=request_id, until=until)
            except OutboxFullError as fault:
                fields["stored"] = False
                raise NotTakenError("posts that wait to be stored fill the memory") from fault
            if stored is not None:
                fields["stored"] = stored
            for text, decision in zip(listed, decisions, strict=True):
                self._reviews.count_served(text, decision)
        return decisions

    @staticmethod
    def _queue(
        unscored: Outbox[UnscoredPost],
        texts: list[str],
        reason: Reason,
        *,
        request_id: str,
        until: float,
        fields: dict[str, object],
    ) -> None:
        received = datetime.now(UTC).isoformat(timespec="milliseconds")
        posts = [
            UnscoredPost(request_id=request_id, place=place, received=received, reason=reason, text=text)
            for place, text in enumerate(texts)
        ]
        try:
            fields["queued"] = unscored.put(posts, until=until)
        except OutboxFullError as fault:
            # The client has the post still: better it comes back than that the post is lost.
            fields["queued"] = False
            raise NotTakenError("posts that wait to be scored fill the memory") from fault
