"""Scores posts from the queue once the endpoint answers again, and stores scored posts that could not be stored."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aws.clients import AWS_FAULTS, sqs_client
from endpoint.circuit_breaker import BreakerState, CircuitBreaker
from endpoint.client import NoProbabilityError, Score
from moderation.decision import Decision, Moderator
from moderation.late_decisions import NotSettledError
from unscored.post import UnscoredPost

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

POLL_SECONDS: Final = 10
PAUSE_SECONDS: Final = 0.5
MOST_MESSAGES: Final = 10
AT_ONCE: Final = 8
"""The posts that one worker process scores at once while the circuit breaker is closed; otherwise it scores one."""
LONGEST_HIDING_SECONDS: Final = 900
_log = logging.getLogger("api")


class LateScoring:
    """Receives unscored posts, decides on each, passes post and decision to `record`, then deletes the message.

    Scores up to AT_ONCE posts at once, and receives none while the circuit breaker is open. If a post still cannot be
    scored, or `record` raises NotSettledError, the queue delivers it again after 2 seconds, then 4, 8 and so on up to
    15 minutes, until its redrive policy moves it to the dead-letter queue.
    """

    def __init__(
        self,
        *,
        queue_url: str,
        region: str,
        moderator: Moderator,
        breaker: CircuitBreaker,
        patience_seconds: float,
        record: Callable[[UnscoredPost, Decision], None],
    ) -> None:
        self._queue_url = queue_url
        self._region = region
        self._moderator = moderator
        self._breaker = breaker
        self._patience_seconds = patience_seconds
        self._record = record
        self._stopping = threading.Event()
        self._received: queue.SimpleQueue[MessageTypeDef] = queue.SimpleQueue()
        self._free = threading.Semaphore(AT_ONCE)
        threading.Thread(target=self._run, daemon=True, name="late-scoring").start()

    def stop(self) -> None:
        """Receive no more, and return messages that are not yet begun to the queue."""
        self._stopping.set()

    def _run(self) -> None:
        client: SQSClient | None = None
        while not self._stopping.is_set():
            if not self._breaker.would_admit():
                self._stopping.wait(PAUSE_SECONDS)
                continue
            try:
                if client is None:
                    # Created here and not at start, because it waits for credentials.
                    client = sqs_client(region=self._region, read_timeout_seconds=POLL_SECONDS + 5)
                    for number in range(AT_ONCE):
                        name = f"late-scoring, {number}"
                        threading.Thread(target=self._settle_all, args=(client,), daemon=True, name=name).start()
                self._receive(client)
            except AWS_FAULTS as fault:
                _log.warning("the queue does not answer", extra={"fields": {"fault": type(fault).__name__}})
                self._stopping.wait(PAUSE_SECONDS)

    def _receive(self, client: SQSClient) -> None:
        """Wait until a post can be scored, and receive as many as can be scored at once."""
        self._free.acquire()
        free = 1
        messages: list[MessageTypeDef] = []
        try:
            # One post while the circuit breaker tests whether the endpoint answers.
            most = MOST_MESSAGES if self._breaker.state is BreakerState.CLOSED else 1
            while free < most and self._free.acquire(blocking=False):
                free += 1
            answer = client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=free,
                WaitTimeSeconds=POLL_SECONDS,
                # Longer than scoring and storing any of them can take.
                VisibilityTimeout=60 + int(self._patience_seconds),
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
            messages = answer.get("Messages", [])
        finally:
            for message in messages:
                self._received.put(message)
            for _ in range(free - len(messages)):
                self._free.release()

    def _settle_all(self, client: SQSClient) -> None:
        while True:
            message = self._received.get()
            try:
                if self._stopping.is_set():
                    self._hide(client, message, seconds=0)
                else:
                    self._settle(client, message)
            except AWS_FAULTS as fault:
                # The queue delivers the message again by itself; a post may be scored twice.
                _log.warning("the queue does not answer", extra={"fields": {"fault": type(fault).__name__}})
            finally:
                self._free.release()

    def _settle(self, client: SQSClient, message: MessageTypeDef) -> None:
        try:
            post = UnscoredPost.from_message(message["Body"])
        except ValueError as fault:
            _log.error(
                "unreadable message", extra={"fields": {"message_id": message["MessageId"], "fault": str(fault)}}
            )
            self._hide(client, message)
            return
        try:
            if post.probability is None:
                (decision,) = self._moderator.decide(post.text, time.monotonic() + self._patience_seconds)
            else:
                decision = self._moderator.by_score(Score(probability=post.probability, model=post.model))
            self._record(post, decision)
        except NoProbabilityError as fault:
            fields = {"request_id": post.request_id, "place": post.place, "reason": fault.reason, "fault": fault.fault}
            _log.info("still unscored", extra={"fields": fields})
            self._hide(client, message)
        except NotSettledError:
            self._hide(client, message)
        else:
            client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _hide(self, client: SQSClient, message: MessageTypeDef, *, seconds: int | None = None) -> None:
        received = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
        if seconds is None:
            seconds = min(2 ** min(received, 10), LONGEST_HIDING_SECONDS)
        client.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=seconds,
        )
