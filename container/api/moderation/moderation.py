"""Moderates the posts of one request: decides on them, and queues those to be scored or stored later."""

from __future__ import annotations

from datetime import UTC, datetime

from endpoint.client import NoProbabilityError, Reason
from moderation.decision import Decision, Moderator
from moderation.review_intake import ReviewIntake
from outbox import Outbox, OutboxFullError
from unscored.post import UnscoredPost


class NotTakenError(Exception):
    """There is no decision, or neither queue nor memory has room: the sender must keep the posts. One-line message."""


class SlowSenderError(Exception):
    """The request arrived so slowly that no time was left to score it. The message is one line, for its sender."""


class Moderation:
    """Answers within the deadline, whatever the endpoint, the queue and the table do.

    patience_seconds: the time that scoring may take, from the start of a request.
    answer_seconds: the time that the whole answer may take, from the start of a request.
    unscored: takes posts without a probability in time; None to give them the fallback answer only.
    reviews: takes posts for reviewers; None if there is no review table.
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

        started: when the request's first byte arrived, a time of `time.monotonic()`.
        reading_seconds: the time from its first byte to its last.
        fields: the fields of the request's line in the log; this method adds to them.
        """
        listed = [texts] if isinstance(texts, str) else texts
        until = started + self._answer_seconds
        try:
            decisions = self._moderator.decide(texts, started + self._patience_seconds)
        except NoProbabilityError as fault:
            if fault.reason is Reason.DEADLINE and reading_seconds > self._patience_seconds / 2:
                # The sender used up the endpoint's time. It counts as no fallback, because alarms count those.
                raise SlowSenderError(
                    "the request came too slowly: the deadline passed before it could be scored"
                ) from fault
            fields |= {"fallback": fault.reason, "fault": fault.fault}
            fallback = self._moderator.by_policy(fault.reason)
            if fallback is None:
                raise NotTakenError(f"the endpoint gave no probability: {fault.reason}") from fault
            decisions = [fallback] * len(listed)
            if self._unscored is not None:
                # Reviewers get a post that waits to be scored only once it has a score.
                self._queue(self._unscored, listed, fault.reason, request_id=request_id, until=until, fields=fields)
                return decisions
        if self._reviews is not None:
            try:
                stored = self._reviews.put(listed, decisions, request_id=request_id, until=until)
            except OutboxFullError as fault:
                fields["stored"] = False
                raise NotTakenError("the memory is full of posts that wait to be stored") from fault
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
            # The client still has the post: asking it to send the post again is better than losing the post.
            fields["queued"] = False
            raise NotTakenError("the memory is full of posts that wait to be scored") from fault
