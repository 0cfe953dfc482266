"""Clients that send posts to the ML API while something else runs."""

from __future__ import annotations

import collections
import http.client
import itertools
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.moderation_client import ask, connect, percentile
from moderation_rehearsal.report import LoadReport
from moderation_rehearsal.sample_posts import Post

_KEPT_FAILURES = 5


class Load:
    """A request fails if the API does not answer, answers with an error, or answers without the endpoint.

    Args:
        pause_seconds: pause between two requests of one client: the machine has other work too.
    """

    def __init__(self, posts: Sequence[Post], *, port: int, clients: int = 2, pause_seconds: float = 0.1) -> None:
        self._posts = posts
        self._port = port
        self._pause_seconds = pause_seconds
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._seconds = 0.0
        self._milliseconds: list[float] = []
        self._models: collections.Counter[str] = collections.Counter()
        self._failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._send, args=(number,), name=f"client {number}", daemon=True)
            for number in range(clients)
        ]

    @property
    def models(self) -> dict[str, int]:
        """The number of posts that each model has answered so far, in the order of first answers."""
        with self._lock:
            return dict(self._models)

    def report(self) -> LoadReport:
        with self._lock:
            milliseconds = self._milliseconds
            return LoadReport(
                requests=len(milliseconds) + len(self._failures),
                failed=len(self._failures),
                failures=self._failures[:_KEPT_FAILURES],
                models=dict(self._models),
                seconds=round(self._seconds or time.monotonic() - self._began, 2),
                latency_p50_ms=round(percentile(milliseconds, 50), 2) if milliseconds else None,
                latency_p99_ms=round(percentile(milliseconds, 99), 2) if milliseconds else None,
            )

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._seconds = time.monotonic() - self._began

    def _send(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        for post in itertools.cycle(self._posts[number:] or self._posts):
            if self._over.is_set():
                break
            connection = connection or connect(self._port)
            try:
                answer = ask(connection, post)
            except StepError as error:
                connection.close()
                connection = None
                with self._lock:
                    self._failures.append(str(error))
            else:
                with self._lock:
                    if answer.fallback:
                        self._failures.append(f"answered without the endpoint: {answer.fallback}")
                    else:
                        self._milliseconds.append(answer.milliseconds)
                        self._models[answer.model or ""] += 1
            self._over.wait(self._pause_seconds)
        if connection is not None:
            connection.close()
