"""gunicorn's threads stay with their connections, and no connection takes the thread that a request needs."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.container.inference.conftest import Server

Serving = Callable[..., AbstractContextManager[Server]]
QUEUE_LENGTH = 1
# More than all threads of the worker: 1 that may wait, 16 to spare and 16 that stay.
CONNECTIONS = 60


@pytest.fixture(scope="module")
def alone(trained: Path, serving: Serving) -> Iterator[Server]:
    """gunicorn without nginx, so that a test decides on the connections."""
    with serving(trained, NGINX_PROGRAM="", MODEL_SERVER_WORKERS="1", QUEUE_LENGTH=str(QUEUE_LENGTH)) as server:
        server.answer_of_ping(200)
        yield server


class Connection:
    """One connection to the server, kept until it is closed."""

    def __init__(self, server: Server) -> None:
        port = int(server.url.rpartition(":")[2])
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self.socket.close()

    def ask(self, text: str) -> int:
        self.send(text)
        return self.status()

    def send(self, *texts: str, headers: str = "") -> None:
        self.socket.sendall(b"".join(_request(text, headers) for text in texts))

    def status(self) -> int:
        status = int(self._stream.readline().split()[1])
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b": ")
            if name.lower() == b"content-length":
                length = int(value)
        self._stream.read(length)
        return status


def _request(text: str, headers: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    head = "POST /invocations HTTP/1.1\r\nHost: model\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_idle_connections_take_no_thread_that_a_request_needs(alone: Server) -> None:
    connections = [Connection(alone) for _ in range(CONNECTIONS)]
    try:
        assert [connection.ask("kept") for connection in connections] == [200] * CONNECTIONS
        with Connection(alone) as new:
            assert new.ask("new") == 200
        assert [connection.ask("again") for connection in connections] == [200] * CONNECTIONS
    finally:
        for connection in connections:
            connection.__exit__()


def test_the_main_thread_sleeps_while_a_connection_is_answered(alone: Server) -> None:
    (worker,) = alone.workers()

    def woken() -> int:
        status = Path(f"/proc/{worker}/task/{worker}/status").read_text()
        return int(status.rpartition("\nvoluntary_ctxt_switches:")[2].split()[0])

    with Connection(alone) as connection:
        assert connection.ask("first") == 200
        before = woken()
        assert [connection.ask("next") for _ in range(300)] == [200] * 300
        # It wakes once a second in any case; with a hand-over for each request it would wake 600 times.
        assert woken() - before < 100


def test_requests_that_come_together_are_all_answered(alone: Server) -> None:
    with Connection(alone) as connection:
        connection.send("one", "two", "three")
        assert [connection.status() for _ in range(3)] == [200] * 3
        assert connection.ask("four") == 200


def test_a_client_that_waits_to_be_told_to_go_on_is_told(alone: Server) -> None:
    with Connection(alone) as connection:
        whole = _request("waits", "Expect: 100-continue\r\n")
        head, end, body = whole.partition(b"\r\n\r\n")
        connection.socket.sendall(head + end)
        assert connection.status() == 100
        connection.socket.sendall(body)
        assert connection.status() == 200


def test_a_worker_ends_though_a_connection_is_kept(trained: Path, serving: Serving) -> None:
    with serving(trained, NGINX_PROGRAM="") as server:
        server.answer_of_ping(200)
        with Connection(server) as connection:
            assert connection.ask("kept") == 200
            server.process.terminate()
            # Its keep-alive time is 75 s.
            assert server.process.wait(timeout=15) == 0


def test_an_answer_is_sent_whole(load: Callable[[str], ModuleType]) -> None:
    sent: list[bytes] = []
    under = SimpleNamespace(sendall=sent.append, fileno=lambda: 7)
    conn = SimpleNamespace(sock=under, client=None, server=None)
    answer = load("whole_answer").WholeAnswer(conn)
    assert answer.fileno() == 7
    for part in (b"head ", b"body ", b"more"):
        answer.sendall(part)
    answer.flush()
    assert sent == [b"head body ", b"more"]
    alone = load("whole_answer").WholeAnswer(conn)
    alone.sendall(b"head alone")
    alone.flush()
    alone.flush()
    assert sent[2:] == [b"head alone"]
