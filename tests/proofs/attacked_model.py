"""The inference program under texts that take long to prepare: others' posts and `/ping` are asked meanwhile."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import requests

from tests.container.conftest import Programs
from tests.container.inference.conftest import serve, train_small_model
from tests.proofs.honest_load import percentile

_SECONDS = 12.0
_TEXTS = ("a" + "\u0315" * 9_000 + "\u0300" * 9_000, "\u3316" * 3_000, "ﾞ" * 18_000, "\ufdfa" * 1_000)


class ModelHeldUpError(Exception):
    """The model did not hold."""


def held(folder: Path) -> str:
    """Attack a small model that is trained and served; return how posts and pings were answered meanwhile, in one line.

    Raises:
        ModelHeldUpError: a ping or a post had another answer than 200, or the attackers a 5xx.
    """
    base = folder / "job"
    shutil.rmtree(base, ignore_errors=True)
    train_small_model(base)
    with serve(Programs("inference", "serve.py"), base, MODEL_NAME="moderation-1") as server:
        server.answer_of_ping(200)
        over = time.monotonic() + _SECONDS
        pings: list[tuple[int, float]] = []
        posts: list[tuple[int, float]] = []
        got: Counter[int] = Counter()

        def ask(answers: list[tuple[int, float]], call: Callable[[], requests.Response]) -> None:
            while time.monotonic() < over:
                began = time.monotonic()
                status = call().status_code
                answers.append((status, time.monotonic() - began))
                time.sleep(0.1)

        def attack(text: str) -> None:
            body = json.dumps({"texts": [text] * 8}).encode()
            while time.monotonic() < over:
                got[_invoke(server.url, body).status_code] += 1

        honest = json.dumps({"text": "夜泣きがつらいです。"}).encode()
        threads = [threading.Thread(target=attack, args=(text,)) for text in _TEXTS]
        threads.append(threading.Thread(target=ask, args=(posts, lambda: _invoke(server.url, honest))))
        threads.append(
            threading.Thread(target=ask, args=(pings, lambda: requests.get(f"{server.url}/ping", timeout=30)))
        )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if {status for status, _ in [*pings, *posts]} != {200}:
            raise ModelHeldUpError(f"posts {Counter(status for status, _ in posts)}, pings {pings[-3:]}")
        if any(status >= 500 for status in got):
            raise ModelHeldUpError(f"the attackers got {dict(got)}")
    shown = ", ".join(f"{count} × {status}" for status, count in sorted(got.items()))
    return (
        f"{len(posts)} of {len(posts)} posts answered, p99 {_p99(posts)} ms; {len(pings)} pings, p99 {_p99(pings)} ms; "
        f"bad inputs: {8 * sum(got.values())} texts ({shown})"
    )


def _invoke(url: str, body: bytes) -> requests.Response:
    return requests.post(f"{url}/invocations", data=body, headers={"Content-Type": "application/json"}, timeout=60)


def _p99(answers: list[tuple[int, float]]) -> str:
    return f"{1000 * percentile([seconds for _, seconds in answers], 0.99):.0f}"
