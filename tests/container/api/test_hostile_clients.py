"""What one client can do to the service on loopback, against the real program: each attack is bounded."""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest
import requests

from tests.container.api.conftest import Api, Balancer, Runtime
from tests.container.api.moments import Clock
from tests.waiting import until

OIDC = "x-amzn-oidc-data"
HEAD = b"POST /v1/moderations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
THREADS = 32
SLOW_SECONDS = 3.0
"""Of a call that waits for nobody, on a machine that has other things to do."""


def connected(api: Any) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", api.port), timeout=30)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def everything(client: socket.socket) -> bytes:
    """What comes until the service closes the connection."""
    parts = []
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def raw(api: Any, request: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes; return status and body of the one answer, after which the service closes."""
    with connected(api) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = everything(client)
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@contextmanager
def trickling(api: Any, connections: int, head: bytes, byte: bytes, *, every_seconds: float) -> Iterator[list[Any]]:
    """Connections that send `head` and then a byte now and then, for as long as the service lets them."""
    stop = threading.Event()

    def trickle(clients: list[socket.socket]) -> None:
        while not stop.wait(every_seconds):
            for client in clients:
                with suppress(OSError):
                    client.sendall(byte)

    with ExitStack() as stack:
        clients = [stack.enter_context(connected(api)) for _ in range(connections)]
        for client in clients:
            client.sendall(head)
        sender = threading.Thread(target=trickle, args=(clients,))
        sender.start()
        try:
            yield clients
        finally:
            stop.set()
            sender.join()


def timed(call: Callable[[], requests.Response]) -> tuple[float, requests.Response]:
    started = time.monotonic()
    answer = call()
    return time.monotonic() - started, answer


def assert_serves(api: Any, times: int = 5) -> None:
    for _ in range(times):
        seconds, answer = timed(lambda: requests.get(f"{api.url}/health", timeout=20))
        assert (answer.status_code, seconds < SLOW_SECONDS) == (200, True), seconds
        seconds, answer = timed(api.moderate)
        assert (answer.json()["probability"], seconds < SLOW_SECONDS) == (0.93, True), seconds


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Content-Length: 1000\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
        HEAD + b"X-Slow: ",
    ],
    ids=["body", "chunks", "head"],
)
def test_slow_senders_hold_no_thread_and_are_cut_off_at_the_deadline(
    start_api: Callable[..., Api], runtime: Runtime, head: Any
) -> None:
    api = start_api(runtime.url, DEADLINE_MS="2000")
    started = time.monotonic()
    with trickling(api, THREADS + 8, head, b"a", every_seconds=0.2) as clients:
        assert_serves(api, times=2)
        for client in clients:
            answer = everything(client)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"Connection: close" in answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
                "error": "the request did not arrive in time: send it within 2 seconds"
            }
        # All of them, one after the other where they held threads.
        assert time.monotonic() - started < 2 + 2 * SLOW_SECONDS
    assert '"status": 408' in api.log_text_at_rest()
    assert_serves(api, times=1)


def test_reading_counts_against_the_deadline_and_is_no_fallback(
    start_api: Callable[..., Api], runtime: Runtime
) -> None:
    api = start_api(runtime.url, DEADLINE_MS="2000")
    runtime.answers("0.93", after_seconds=1.2)
    body = b'{"text": "a"}'
    with connected(api) as client:
        client.sendall(HEAD + f"Content-Length: {len(body)}\r\nX-Request-Id: slow\r\n\r\n".encode())
        time.sleep(1.2)
        client.sendall(body)
        started = time.monotonic()
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - started < 2
    (line,) = api.log_lines("slow")
    assert "fallback" not in line
    assert line["read_ms"] >= 1000
    runtime.answers("0.93")
    assert api.moderate().json()["probability"] == 0.93
    metrics = [json.loads(line) for line in api.log_text().splitlines() if '"Fallbacks"' in line]
    assert sum(line["Fallbacks"] for line in metrics) == 0


def test_health_answers_while_every_thread_waits_for_the_endpoint(
    start_api: Callable[..., Api], runtime: Runtime
) -> None:
    api = start_api(runtime.url, DEADLINE_MS="8000")
    runtime.answers("0.93", after_seconds=6)
    waiting = [threading.Thread(target=api.moderate) for _ in range(THREADS + 8)]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    for _ in range(6):
        seconds, answer = timed(lambda: requests.get(f"{api.url}/health", timeout=20))
        assert (answer.status_code, seconds < SLOW_SECONDS) == (200, True), seconds
    assert any(thread.is_alive() for thread in waiting)
    for thread in waiting:
        thread.join()


def test_idle_connections_hold_nothing(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)
    with ExitStack() as stack:
        # More than gunicorn takes by itself, for both workers.
        for _ in range(2100):
            stack.enter_context(connected(api))
        assert_serves(api)


def test_who_does_not_read_the_answers_holds_no_thread(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)
    many = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 2000
    with ExitStack() as stack:
        for _ in range(THREADS + 8):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", api.port))
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.send(many)
        give_up = time.monotonic() + 25
        while True:
            seconds, answer = timed(api.moderate)
            if seconds < 1 and answer.json()["probability"] == 0.93:
                break
            assert time.monotonic() < give_up
        seconds, answer = timed(lambda: requests.get(f"{api.url}/health", timeout=20))
        assert (answer.status_code, seconds < SLOW_SECONDS) == (200, True)


def test_who_does_not_close_is_waited_for_by_nobody(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)
    request = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(api)) for _ in range(40)]
        started = time.monotonic()
        for client in clients:
            client.sendall(request)
        assert_serves(api, times=2)
        assert time.monotonic() - started < 4 * SLOW_SECONDS


def test_a_request_that_came_with_the_one_before_is_answered(api: Api, runtime: Runtime) -> None:
    body = b'{"text": "a"}'
    one = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    chunked = (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n7;x=y\r\n" + body[:7] + b"\r\n6\r\n" + body[7:] + b"\r\n0\r\n\r\n"
    )
    with connected(api) as client:
        client.sendall(one + chunked + one + b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = everything(client)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200"] * 4
    assert answers.count(b"0.93") == 3


def test_empty_lines_are_no_request_and_prolong_none(api: Api, runtime: Runtime) -> None:
    health = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    with connected(api) as client, trickling(api, 1, b"\r\n", b"\r\n", every_seconds=0.2) as (endless,):
        for part in (b"\r\n", b"\r\n", health):
            client.sendall(part)
            time.sleep(0.05)  # so that it comes by itself
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        # As long as a request may take, and more: who has begun one has sent it since.
        assert everything(endless).startswith(b"HTTP/1.1 408 ")
        client.sendall(health)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_asks_whether_to_go_on_is_told(api: Api, runtime: Runtime) -> None:
    body = b'{"text": "a"}'
    with connected(api) as client:
        client.sendall(HEAD + f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert b"HTTP/1.1 200 OK" in client.recv(4096)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = "the body's chunks are malformed"


@pytest.mark.parametrize(
    ("request_bytes", "status", "error"),
    [
        (CHUNKED + b"xyz\r\n{}\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED + b"2\r\n{}}\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED + b"2;" + b"a" * 300 + b"\r\n{}\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED + b"2;a=b=c\r\n{}\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED + b"2\r\n{}\r\n0\r\nbad trailer\r\n\r\n", 400, MALFORMED),
        (CHUNKED + b"1\r\n \r\n" * 10_001 + b"0\r\n\r\n", 400, MALFORMED),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400, "the transfer encoding must be chunked"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
            400,
            "the request states the length of its body more than once",
        ),
        (
            HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            400,
            "the request states the length of its body more than once",
        ),
        (HEAD + b"Content-Length: +2\r\n\r\n{}", 400, "the content length must be a whole number"),
        (HEAD + b"Content-Length : 2\r\n\r\n{}", 400, "the request is not valid HTTP"),
        (HEAD + b"Expect: more\r\nContent-Length: 2\r\n\r\n{}", 400, "the request is not valid HTTP"),
        (b"POST /v1/moderations HTTP/3.1\r\n\r\n", 400, "the request is not valid HTTP"),
        (b"\x16\x03\x01 hello\r\n\r\n", 400, "the request is not valid HTTP"),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414, "the path is too long"),
        (HEAD + b"A: b\r\n" * 200 + b"\r\n", 431, "the headers are too many or too large"),
        (HEAD + b"A: " + b"b" * 40_000, 431, "the headers are too large: at most 32768 bytes are allowed"),
    ],
)
def test_what_is_no_request_is_the_clients_mistake(api: Api, request_bytes: Any, status: int, error: Any) -> None:
    # No more than the client's half of the connection: what is refused early is refused before everything is read.
    assert raw(api, request_bytes) == (status, {"error": error})
    assert "Traceback" not in api.log_text_at_rest()


def test_no_request_is_a_fault_of_the_service(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    """Headers and paths at random: whatever a client sends, 5xx are the service's own."""
    api = start_reviews(runtime.url)
    signed = balancer.header().encode()
    nested = b"[" * 5000
    values = [b"", b"\xff\xfe", b"[", b"http://[", b"http://]", b"null", b"a" * 4000, b"\x01", b"%", b"1e999", nested]
    names = [b"Origin", b"Host", b"Content-Type", b"X-Request-Id", b"Sec-Fetch-Site", OIDC.encode(), b"Cookie"]
    faults = []
    for path in [b"/v1/reviews/take", b"/v1/moderations", b"/review", b"/v1/reviews?count=\xff%00", b"/docs"]:
        for name in names:
            for value in values:
                headers = {
                    b"Host": b"a",
                    b"Content-Type": b"application/json",
                    OIDC.encode(): signed,
                    b"Origin": b"http://a",
                }
                headers[name] = value
                lines = b"".join(key + b": " + given + b"\r\n" for key, given in headers.items())
                method = b"POST" if path.endswith((b"take", b"moderations")) else b"GET"
                request = (
                    method
                    + b" "
                    + path
                    + b" HTTP/1.1\r\n"
                    + lines
                    + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
                )
                with connected(api) as client:
                    client.sendall(request)
                    status = int(everything(client).split(b" ", 2)[1])
                if status >= 500:
                    faults.append((status, path, name, value[:20]))
    assert faults == []
    assert "Traceback" not in api.log_text_at_rest()


@pytest.mark.parametrize(
    "origin", ["http://[", "http://]", "https://elsewhere.example", "null", "", "http://[::1", "//"]
)
def test_a_wrong_origin_is_forbidden(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer, origin: str
) -> None:
    api = start_reviews(runtime.url)
    headers = {OIDC: balancer.header(), "Content-Type": "application/json", "Origin": origin}
    answer = requests.post(f"{api.url}/v1/reviews/take", data="{}", headers=headers, timeout=20)
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "send it from this service's own page: the Origin header must name this service"},
    )


@pytest.mark.parametrize(
    "path",
    [
        "/%72eview",
        "//review",
        "/review/",
        "/./review",
        "/x/../review",
        "/review%2f",
        "/review;a",
        "/v1/%72eviews",
        "//v1/reviews",
        "/v1//reviews",
        "/REVIEW",
        "http://a/review",
        "*",
    ],
)
def test_a_route_has_one_path(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer, path: str
) -> None:
    api = start_reviews(runtime.url)
    signed = f"{OIDC}: {balancer.header()}\r\n"
    with connected(api) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{signed}Connection: close\r\n\r\n".encode())
        answer = everything(client)
    assert answer.split(b" ", 2)[1] in (b"404", b"400")
    assert b"<html" not in answer


class SlowKeys:
    """Plays the place of the load balancer's keys, which answers late, and only for the real one with a key."""

    def __init__(self, balancer: Any) -> None:
        self.after_seconds = 0.0
        self.asked: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer._at_once += 1
                outer.most_at_once = max(outer.most_at_once, outer._at_once)
                time.sleep(outer.after_seconds)
                outer._at_once -= 1
                answer = requests.get(f"{balancer.keys_url}{self.path}", timeout=5)
                with suppress(OSError):
                    self.send_response(answer.status_code)
                    self.end_headers()
                    self.wfile.write(answer.content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def slow_keys(balancer: Balancer) -> Iterator[SlowKeys]:
    keys = SlowKeys(balancer)
    yield keys
    keys.close()


def test_headers_with_keys_at_random_hold_nobody_up(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer, slow_keys: SlowKeys
) -> None:
    api = start_reviews(runtime.url, REVIEW_KEYS_URL=slow_keys.url)
    known = {OIDC: balancer.header()}

    def ask_with_known_key(_: int) -> int:
        return requests.get(f"{api.url}/review", headers=known, timeout=20).status_code

    # Until both processes have the key: which of them accepts a connection is the kernel's choice. Of those that
    # come together before a process has it, the first few wait for it.
    with ThreadPoolExecutor(8) as pool:
        give_up = time.monotonic() + 20
        while len(slow_keys.asked) < 2:
            assert time.monotonic() < give_up
            assert set(pool.map(ask_with_known_key, range(16))) <= {200, 429}
        assert set(pool.map(ask_with_known_key, range(16))) == {200}
    slow_keys.after_seconds = 0.8
    statuses: list[int] = []

    def ask(number: int) -> None:
        header = balancer.header(head={"kid": f"00000000-0000-4000-8000-{number:012}"})
        statuses.append(requests.get(f"{api.url}/review", headers={OIDC: header}, timeout=30).status_code)

    attackers = [threading.Thread(target=ask, args=(number,)) for number in range(96)]
    for attacker in attackers:
        attacker.start()
    for _ in range(5):
        seconds, answer = timed(lambda: requests.get(f"{api.url}/health", timeout=20))
        assert (answer.status_code, seconds < SLOW_SECONDS) == (200, True), seconds
        seconds, answer = timed(lambda: requests.get(f"{api.url}/review", headers=known, timeout=20))
        assert (answer.status_code, seconds < SLOW_SECONDS) == (200, True), seconds
    for attacker in attackers:
        attacker.join()
    # 401: there is no such key. 429: too many are looked up. Neither is a fault of the service.
    assert set(statuses) <= {401, 429}
    assert 429 in statuses
    # Of each of two processes.
    assert slow_keys.most_at_once <= 2 * 2


def test_a_key_is_asked_for_again_in_the_background_and_dropped_when_it_is_withdrawn(
    api_module: Callable[[str], ModuleType], balancer: Balancer, slow_keys: SlowKeys
) -> None:
    keys_module = api_module("identity.balancer_keys")
    clock = Clock()
    keys = keys_module.BalancerKeys(keys_url=slow_keys.url, clock=clock)
    key = keys.key(balancer.key_id)
    for _ in range(3):
        assert keys.key(balancer.key_id) == key
    assert len(slow_keys.asked) == 1
    clock.seconds += keys_module.FRESH_SECONDS
    slow_keys.after_seconds = 0.3
    started = time.monotonic()
    assert keys.key(balancer.key_id) == key
    assert time.monotonic() - started < 0.3
    until(lambda: len(slow_keys.asked) == 2 and not keys._fetching)
    assert keys.key(balancer.key_id) == key
    assert len(slow_keys.asked) == 2
    clock.seconds += keys_module.FRESH_SECONDS
    withdrawn, balancer.key_id = balancer.key_id, "another"
    try:
        assert keys.key(withdrawn) == key
        until(lambda: not keys._fetching)
        with pytest.raises(keys_module.UnknownKeyError):
            keys.key(withdrawn)
    finally:
        balancer.key_id = withdrawn


def test_keys_that_cannot_be_fetched_fail_fast(api_module: Callable[[str], ModuleType]) -> None:
    keys_module = api_module("identity.balancer_keys")
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keys = keys_module.BalancerKeys(keys_url=f"http://127.0.0.1:{silent.getsockname()[1]}", clock=clock)
        started = time.monotonic()
        with pytest.raises(keys_module.NoKeyError):
            keys.key("a")
        assert time.monotonic() - started < 3 * keys_module.FETCH_SECONDS
        started = time.monotonic()
        for _ in range(10):
            with pytest.raises(keys_module.TooManyKeysError):
                keys.key("a")
        assert time.monotonic() - started < 0.5
        clock.seconds += keys_module.REST_SECONDS
        with pytest.raises(keys_module.NoKeyError):
            keys.key("a")


def test_a_reset_connection_costs_nothing(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)
    for _ in range(300):
        client = connected(api)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        client.close()
    assert_serves(api, times=2)
    assert "Traceback" not in api.log_text_at_rest()


MARKS = "a" + "\u0315" * 4999 + "\u0300" * 4999


def test_limits_hold_for_the_text_that_the_model_gets(api: Api, runtime: Runtime) -> None:
    answer = api.moderate("\u3316" * 2000)
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "text has 12000 characters in NFKC: at most 10000 are allowed"},
    )
    assert runtime.invocations == []


def test_runs_of_marks_take_nothing_from_the_posts_of_others(
    start_reviews: Callable[..., Api], runtime: Runtime, stored_texts: Callable[[], list[str]]
) -> None:
    api = start_reviews(runtime.url, DEADLINE_MS="5000")
    runtime.reply = answers_as_many_as_asked(runtime)
    attack = json.dumps({"texts": [f"{number}{MARKS[:9990]}" for number in range(32)]}).encode()
    headers = {"Content-Type": "application/json"}
    stop = threading.Event()

    def attacker() -> None:
        while not stop.is_set():
            requests.post(f"{api.url}/v1/moderations", data=attack, headers=headers, timeout=60)

    attackers = [threading.Thread(target=attacker) for _ in range(2)]
    for thread in attackers:
        thread.start()
    try:
        answers = [api.moderate(f"honest {number}") for number in range(20)]
    finally:
        stop.set()
        for thread in attackers:
            thread.join()
    assert [answer.json().get("fallback") for answer in answers] == [None] * 20
    # What reviewers and training get has no run without end either.
    assert max(map(len, stored_texts())) < 100


def answers_as_many_as_asked(runtime: Any) -> Callable[[socket.socket], bool]:
    def reply(connection: socket.socket) -> bool:
        texts = json.loads(runtime.body).get("texts")
        body = json.dumps({"predictions": "0.93" if texts is None else ["0.93"] * len(texts)}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return True

    return reply


def test_what_a_client_no_longer_waits_for_is_not_asked(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, DEADLINE_MS="60000", BREAKER_FAILURES="1000")
    runtime.answers("0.93", after_seconds=1)
    body = b'{"text": "a"}'
    request = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with ExitStack() as stack:
        for number in range(200):
            client = stack.enter_context(connected(api))
            client.sendall(request)
            if number >= THREADS:
                client.close()
        answer = api.moderate()
    assert answer.status_code == 200
    # Those whose client stays, and those that a thread had at once: not 200.
    assert len(runtime.invocations) <= THREADS * 2 + 1
