"""Sends posts to the ML API, several in parallel, and measures the latency."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence

from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.sample_posts import Post

_TIMEOUT_SECONDS = 30.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moderation:
    """One answered post. `fallback` is the reason why the endpoint was not asked or could not answer; `model` is the
    model that answered.

    `probability` is 0 if there is none.
    """

    text: str = dataclasses.field(repr=False)
    label: int
    flag: int
    probability: float
    milliseconds: float
    fallback: str | None
    model: str | None


def moderate(posts: Sequence[Post], *, port: int, clients: int, on_answer: Callable[[int], None]) -> list[Moderation]:
    """`on_answer` is called with the number of answers so far. Raises StepError for an invalid answer."""
    lock = threading.Lock()
    answers: list[Moderation] = []
    connections = threading.local()

    def send(post: Post) -> None:
        if not hasattr(connections, "api"):
            connections.api = connect(port)
        answer = ask(connections.api, post)
        with lock:
            answers.append(answer)
            on_answer(len(answers))

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for sent in [pool.submit(send, post) for post in posts]:
            sent.result()
    return answers


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)


def ask(connection: http.client.HTTPConnection, post: Post) -> Moderation:
    """Raises StepError for an invalid answer."""
    body = json.dumps({"text": post.text}).encode()
    started = time.perf_counter()
    try:
        connection.request("POST", "/v1/moderations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise StepError(f"the ML API does not answer: {error or type(error).__name__}") from error
    milliseconds = (time.perf_counter() - started) * 1000
    try:
        moderation = json.loads(text)
        flag = moderation["flag"]
    except (ValueError, KeyError, TypeError):
        flag = None
    if answer.status != 200 or flag not in (0, 1):
        raise StepError(f"the ML API answered {answer.status}: {text.decode(errors='replace')[:300]}")
    return Moderation(
        text=post.text,
        label=post.label,
        flag=flag,
        probability=float(moderation.get("probability") or 0),
        milliseconds=milliseconds,
        fallback=moderation.get("fallback"),
        model=moderation.get("model"),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    index = max(0, -(-len(ordered) * percent // 100) - 1)
    return ordered[int(index)]
