"""Posts of honest clients at a steady rate, each over a connection of its own, and what became of them."""

from __future__ import annotations

import dataclasses
import http.client
import json
import threading
import time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """`due` and `answered` are times of `time.monotonic()`. `status` is 0 where no answer came."""

    text: str
    due: float
    answered: float
    status: int
    fallback: str | None

    @property
    def seconds(self) -> float:
        """From when it was due: a client that waits for the one before it has waited too."""
        return self.answered - self.due


class HonestLoad:
    """Sends `rate` posts a second until it is stopped, from as many threads as can be waiting at once."""

    _CLIENTS = 40

    def __init__(self, port: int, *, rate: float, name: str) -> None:
        self._port = port
        self._rate = rate
        self._name = name
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._answered: list[Answered] = []
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(self._CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Answered]:
        """End, and return every post in the order in which they were due."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return sorted(self._answered, key=lambda one: one.due)

    def _run(self, number: int) -> None:
        while True:
            due = self._began + number / self._rate
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            text = f"{self._name} {number}"
            status, fallback = self._send(text)
            one = Answered(text=text, due=due, answered=time.monotonic(), status=status, fallback=fallback)
            with self._lock:
                self._answered.append(one)
            number += self._CLIENTS

    def _send(self, text: str) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            body = json.dumps({"text": text}).encode()
            connection.request("POST", "/v1/moderations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        finally:
            connection.close()
        return answer.status, told.get("fallback")


def percentile(values: list[float], share: float) -> float:
    """The nearest rank; 0 of nothing."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0
