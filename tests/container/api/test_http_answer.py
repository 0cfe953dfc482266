"""What is read of an answer is what http.client reads of it, however it comes."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

LONGEST = 100
BODY = b'{"predictions": "0.93"}'
ANSWERS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" + BODY,
    "of the runtime": (
        b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1-2\r\nX-Amzn-SageMaker-Custom-Attributes: \tmodel=a,b=c \r\n"
        b"Date: Fri, 27 Nov 2026 03:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 23\r\n\r\n" + BODY
    ),
    "no reason": b"HTTP/1.1 200 \r\ncontent-length: 23\r\n\r\n" + BODY,
    "no space": b"HTTP/1.1 200\r\ncontent-length: 23\r\n\r\n" + BODY,
    "closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 23\r\n\r\n" + BODY,
    "keeps": b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 23\r\n\r\n" + BODY,
    "closes and keeps": b"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 23\r\n\r\n" + BODY,
    "of before": b"HTTP/1.0 200 OK\r\nContent-Length: 23\r\n\r\n" + BODY,
    "until its end": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunked with a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\nContent-Length: 5\r\n\r\n" + BODY,
    "two other lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 23\r\n\r\n" + BODY,
    "no number": b"HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n" + BODY,
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 23\r\n\r\n" + BODY,
    "line feeds": b"HTTP/1.1 200 OK\nContent-Length: 23\n\n" + BODY,
    "high bytes": b"HTTP/1.1 200 OK\r\nA: \xe9\xff\r\nContent-Length: 23\r\n\r\n" + BODY,
    "an error": b"HTTP/1.1 500 Internal Server Error\r\nx-amzn-ErrorType: ModelError\r\nContent-Length: 2\r\n\r\n{}",
    "goes on": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" + BODY,
    "too long": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"a" * 500,
    "as long as may be": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"a" * 100,
    "longer than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" + BODY + b"HTTP/1.1 200 OK\r\n",
    "shorter than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n" + BODY,
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
}


def by_http_client(connection: socket.socket) -> tuple[object, ...]:
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    body = response.read(LONGEST + 1)
    if response.length and len(body) <= LONGEST:
        raise http.client.IncompleteRead(body, response.length)
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        headers.setdefault(name.lower(), value.strip())
    return response.status, headers, body, response.isclosed() and not response.will_close


def read(reader: Callable[[socket.socket], Any], answer: bytes, piece: int) -> Any:
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs:
            for start in range(0, len(answer), piece):
                theirs.sendall(answer[start : start + piece])
                time.sleep(0.0005)

    with ours:
        sender = threading.Thread(target=send)
        sender.start()
        try:
            return reader(ours)
        except (OSError, http.client.HTTPException) as fault:
            return type(fault)
        finally:
            sender.join()


@pytest.mark.parametrize("name", ANSWERS)
def test_is_read_as_http_client_reads_it(api_module: Callable[[str], ModuleType], name: str) -> None:
    module = api_module("endpoint.http_answer")

    def by_ours(connection: socket.socket) -> tuple[object, ...]:
        answer = module.read_answer(connection, longest=LONGEST)
        return (
            answer.status,
            {key: value.strip() for key, value in answer.headers.items()},
            answer.body,
            answer.reusable,
        )

    answer = ANSWERS[name]
    expected = read(by_http_client, answer, len(answer) or 1)
    for piece in (len(answer) or 1, 64, 11):
        assert read(by_ours, answer, piece) == expected


def test_what_the_runtime_sends_whole_is_not_left_to_http_client(
    api_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = api_module("endpoint.http_answer")
    monkeypatch.setattr(module, "_read_by_http_client", None)
    answer = ANSWERS["of the runtime"]
    found = read(lambda connection: module.read_answer(connection, longest=LONGEST), answer, len(answer))
    assert found.headers["x-amzn-sagemaker-custom-attributes"] == "model=a,b=c"
    assert (found.status, found.body, found.reusable) == (200, BODY, True)
