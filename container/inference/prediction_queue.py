"""Whose posts are predicted next: every request gets its turn, like lengths share a batch, too many are turned away."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.int64]
"""One post as the model takes it, at its true length."""
Predict = Callable[[Sequence[Row]], Sequence[float]]

SHORTEST_SHARE = 0.75
"""Of the length of a batch's first row: a row that is shorter, or longer by as much, would cost more padding than it
saves."""


class OverloadedError(Exception):
    """As many requests wait as may."""


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


def _always() -> bool:
    return True


@dataclass(slots=True, eq=False)
class _Call:
    """One request's rows."""

    rows: Sequence[Row]
    wanted: Callable[[], bool]
    untaken: list[int] = field(init=False)
    """Indices of rows that are in no batch yet, the longest last."""
    unanswered: int = field(init=False)
    results: list[float] = field(init=False)
    error: Exception | None = None
    leads: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once: when another thread has answered all rows, or for this one to lead."""

    def __post_init__(self) -> None:
        self.untaken = sorted(range(len(self.rows)), key=lambda index: len(self.rows[index]))
        self.unanswered = len(self.rows)
        self.results = [0.0] * len(self.rows)


class PredictionQueue:
    """Runs one batch at a time, in turn over the requests, so that a request of one post passes those of thousands.

    There is no thread of its own: the thread of a request that finds the model idle leads, which means that it runs
    batches until its own request is answered, and then hands over to the one that waits longest. So a request that
    comes alone is never handed from thread to thread, and nothing is ever delayed in the hope of more.
    """

    def __init__(self, predict: Predict, *, batch_size: int, most_waiting: int) -> None:
        self._predict = predict
        self._batch_size = batch_size
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._places_taken = 0
        self._led = False
        self._queue: deque[_Call] = deque()  # the requests with rows that are in no batch yet

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds the place of one request, to be taken before any work is done for it.

        Raises:
            OverloadedError: one is being answered and `most_waiting` wait.
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
        """Answers all rows, in their order. What `predict` raises is raised for every request of that batch.

        Raises:
            AbandonedError: `wanted` said no before all rows were in a batch; the rest of them are not predicted.
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
            while call.unanswered:  # only where this thread leads: otherwise all is answered by now
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
        except Exception as raised:  # it belongs to whoever is in this batch, and the others' turns go on
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
        """The longest row that is left of the request whose turn it is, and rows of like length from all requests."""
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
