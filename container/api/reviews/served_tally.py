"""Counts of the posts that a model served per day, by bins of score, length, vocabulary and stage, to measure drift.

Items of the review table: partition key `served#2026-11-23`, the day of UTC; sort key `<model>#03`. Attributes
`score:07`, `length:15`, `unseen:02`, `stage:01`: the number of posts in that bin. They contain nothing of a post.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from post_bins import length_bin, score_bin, stage_bin, unseen_bin

from observability.embedded_metrics import MODEL_NAME
from reviews.tally import SLOTS, CountsToWrite

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS: Final = 35 * 86_400
MOST_MODELS: Final = 8
"""The most models per process and day: a release and earlier ones. It limits the items if an endpoint names others."""


class ServedTally:
    """Counts the scored posts that this process has served, and writes them together from time to time."""

    def __init__(self, table: str, *, clock: Callable[[], float] = time.time) -> None:
        self._counts = CountsToWrite(table)
        self._slot = f"{secrets.randbelow(SLOTS):02}"
        self._clock = clock
        self._lock = threading.Lock()
        self._day = ""
        self._models: set[str] = set()

    def add(
        self,
        text: str,
        *,
        probability: float,
        model: str | None,
        unseen_percent: int | None,
        by_first_stage: bool | None,
    ) -> None:
        """Count a post for the model that scored it; a post without a model's name is not counted."""
        now = self._clock()
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        if model is None or not self._knows(model, day):
            return
        bins = [("score", score_bin(probability)), ("length", length_bin(text))]
        if unseen_percent is not None:
            bins.append(("unseen", unseen_bin(unseen_percent)))
        if by_first_stage is not None:
            bins.append(("stage", stage_bin(by_first_stage)))
        self._counts.add(
            f"served#{day}",
            f"{model}#{self._slot}",
            [f"{kind}:{place:02}" for kind, place in bins],
            # Computed from the day, so that no write moves it.
            expires=(int(now) // 86_400) * 86_400 + KEPT_SECONDS,
        )

    def write(self, client: DynamoDBClient) -> None:
        """Write the counts since the last time; raise AWS_FAULTS, and keep the counts for the next time."""
        self._counts.write(client)

    def _knows(self, model: str, day: str) -> bool:
        with self._lock:
            if day != self._day:
                # A process may run through many releases; the limit therefore counts the models of one day.
                self._day, self._models = day, set()
            if model not in self._models and len(self._models) < MOST_MODELS and MODEL_NAME.fullmatch(model):
                self._models.add(model)
            return model in self._models
