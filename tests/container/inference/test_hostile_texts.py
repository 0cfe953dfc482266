"""Texts that take long to prepare, and clients that leave, against the real program: each attack is bounded."""

import json
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

Serving = Callable[..., AbstractContextManager[Any]]


@pytest.mark.parametrize("text", ["\u3316" * 10_000, "\ufdfa" * 2000])
def test_refuses_a_text_that_is_too_long_in_nfkc(server: Any, text: str) -> None:
    answer = server.invoke({"text": text})
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("characters in NFKC; allowed are 10000")


@pytest.mark.parametrize(
    "text", ["a" + "\u0315" * 4999 + "\u0300" * 4999, "ﾞ" * 10_000, "\u0344" * 10_000, "キ" * 10_000]
)
def test_answers_texts_of_long_runs_in_time(server: Any, text: str) -> None:
    with ThreadPoolExecutor(4) as clients:
        started = time.monotonic()
        sent = [clients.submit(requests.post, f"{server.url}/invocations", json={"texts": [text] * 8}, timeout=60)]
        while not all(answer.done() for answer in sent):
            asked = time.monotonic()
            assert server.ping().status_code == 200
            assert time.monotonic() - asked < 2
        assert [answer.result().status_code for answer in sent] == [200]
        assert time.monotonic() - started < 10


def _raw(text: str, *headers: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    head = ["POST /invocations HTTP/1.1", "Host: a", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "says how long it waits"])
def test_what_nobody_waits_for_is_not_computed(
    slow: Path, serving: Serving, nginx: Mapping[str, str], leaves: bool
) -> None:
    environment = {**nginx, "MODEL_SERVER_WORKERS": "1", "BATCH_SIZE": "1", "QUEUE_LENGTH": "32"}
    with serving(slow, **environment) as server:
        server.answer_of_ping(200)
        started = time.monotonic()
        assert server.invoke({"text": "z" * 10}).status_code == 200
        one = time.monotonic() - started
        headers = [] if leaves else ["X-Amzn-SageMaker-Custom-Attributes: patience-ms=200"]
        with ExitStack() as stack:
            port = int(server.url.rpartition(":")[2])
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(20)]
            for client in clients:
                client.sendall(_raw("z" * 20, *headers))
            time.sleep(0.5)
            if leaves:
                for client in clients:
                    client.close()
            started = time.monotonic()
            answer = requests.post(f"{server.url}/invocations", json={"text": "z"}, timeout=120)
            assert answer.status_code == 200
            # Those under way, and none of the 20 that wait.
            assert time.monotonic() - started < 10 * one + 1
