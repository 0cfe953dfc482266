"""Schedules predictions: requests take turns, posts of similar length share a batch, excess requests are refused."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.int64]
"""One post as the model's input, without padding."""
Predict = Callable[[Sequence[Row]], Sequence[float]]

SHORTEST_SHARE = 0.75
"""The least ratio of two row lengths in a batch: with a smaller ratio padding would cost more than the batch saves."""


class OverloadedError(Exception):
    """The most requests allowed are already waiting."""


class AbandonedError(Exception):
    """The client does not wait for the answer any more."""


def _always() -> bool:
    return True


@dataclass(slots=True, eq=False)
class _Call:
    """One request's rows."""

    rows: Sequence[Row]
    wanted: Callable[[], bool]
    untaken: list[int] = field(init=False)
    """The indices of rows that are not in a batch yet, the longest row last."""
    unanswered: int = field(init=False)
    results: list[float] = field(init=False)
    error: Exception | None = None
    leads: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once: when another thread has answered all rows, or to make this thread the leader."""

    def __post_init__(self) -> None:
        self.untaken = sorted(range(len(self.rows)), key=lambda index: len(self.rows[index]))
        self.unanswered = len(self.rows)
        self.results = [0.0] * len(self.rows)


class PredictionQueue:
    """Runs one batch at a time; requests take turns, so that a request of one post overtakes a request of thousands.

    The queue has no thread of its own. The thread of a request that finds the model idle becomes the leader: it runs
    batches until its own request is answered, then makes the thread that has waited longest the leader. So a single
    request never changes threads, and no request is delayed in the hope of a larger batch.
    """

    def __init__(self, predict: Predict, *, batch_size: int, most_waiting: int) -> None:
        self._predict = predict
        self._batch_size = batch_size
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._places_taken = 0
        self._led = False
        self._queue: deque[_Call] = deque()  # the requests with rows that are not in a batch yet

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold the place of one request; enter it before any work for the request.

        Raises:
            OverloadedError: one request is being answered and `most_waiting` are waiting.
        """
        with self._lock:
            if self._places_taken > self._most_waiting:
                raise OverloadedError
            self._places_taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._places_taken -= 1

    def run(self, rows: Sequence[Row], wanted: Callable[[], bool] = _always) -> list[float]:
        """Return the predictions of all rows, in order. An error of `predict` is raised for every request of the batch.

        Raises:
            AbandonedError: `wanted` returned False before all rows were in a batch; the other rows are not predicted.
        """
        call = _Call(rows, wanted)
        if not rows:
            return []
        with self._lock:
            self._queue.append(call)
            call.leads = not self._led
            self._led = True
        if not call.leads:
            call.turn.acquire()
        try:
            while call.unanswered:  # only in the leading thread: otherwise all rows are answered by now
                self._run_batch(call)
        finally:
            if call.leads:
                self._hand_over()
        if call.error:
            raise call.error
        return call.results

    def _run_batch(self, leader: _Call) -> None:
        with self._lock:
            abandoned = [call for call in self._queue if not call.wanted()]
            self._queue = deque(call for call in self._queue if call not in abandoned)
            for call in abandoned:
                call.error, call.unanswered = AbandonedError(), 0
                if call is not leader:
                    call.turn.release()
            batch = self._take_batch() if self._queue else []
        if not batch:
            return
        error = None
        results: Sequence[float] = ()
        try:
            results = self._predict([call.rows[index] for call, index in batch])
        except Exception as raised:  # the requests of this batch get the error; the others continue
            error = raised
        with self._lock:
            if error:
                for call in {call for call, _ in batch}:
                    call.error, call.unanswered = error, 0
                self._queue = deque(call for call in self._queue if not call.error)
            else:
                for (call, index), result in zip(batch, results, strict=True):
                    call.results[index] = result
                    call.unanswered -= 1
        for call in {call for call, _ in batch}:
            if not call.unanswered and call is not leader:
                call.turn.release()

    def _take_batch(self) -> list[tuple[_Call, int]]:
        """Take the longest remaining row of the request whose turn it is, and similarly long rows of all requests."""
        first = self._queue.popleft()
        batch = [(first, first.untaken.pop())]
        length = len(first.rows[batch[0][1]])
        if self._batch_size > 1:
            for call in (first, *self._queue):
                while (
                    len(batch) < self._batch_size and call.untaken and _alike(length, len(call.rows[call.untaken[-1]]))
                ):
                    batch.append((call, call.untaken.pop()))
            self._queue = deque(call for call in self._queue if call.untaken)
        if first.untaken:
            self._queue.append(first)
        return batch

    def _hand_over(self) -> None:
        with self._lock:
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].turn.release()
            else:
                self._led = False


def _alike(length: int, other: int) -> bool:
    return min(length, other) >= SHORTEST_SHARE * max(length, other)
