import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.container.api.conftest import Api, Runtime

DEADLINE_SECONDS = 0.8
# What the client and a busy machine need besides; less than any endpoint of these tests takes.
GRACE_SECONDS = 0.8


def fallback_within_deadline(api: Api) -> str:
    started = time.monotonic()
    response = api.moderate()
    seconds = time.monotonic() - started
    assert seconds < DEADLINE_SECONDS + GRACE_SECONDS
    assert response.status_code == 200
    answer = response.json()
    reason: str = answer.pop("fallback")
    assert answer == {"flag": 1, "probability": None, "model": None}
    (line,) = api.log_lines(response.headers["X-Request-Id"])
    assert line["fallback"] == reason
    assert line["fault"]
    return reason


def recovers(api: Api, runtime: Runtime) -> None:
    runtime.answers("0.93")
    assert api.moderate().json() == {"flag": 1, "probability": 0.93, "model": "moderation-7"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"<html>busy</html>",
        b"\xff\xfe\x00",
        b"[" * 3000,
        b"{}",
        b'{"predictions": null}',
        b'{"predictions": 0.93}',
        b'{"predictions": ["0.93"]}',
        b'{"predictions": ""}',
        b'{"predictions": "high"}',
        b'{"predictions": "NaN"}',
        b'{"predictions": "inf"}',
        b'{"predictions": "-0.01"}',
        b'{"predictions": "1.01"}',
        b'{"predictions": "0.93"' + b" " * 5000 + b"}",
    ],
)
def test_nonsense_answers(api: Api, runtime: Runtime, body: bytes) -> None:
    runtime.answers_body(body)
    assert fallback_within_deadline(api) == "unusable_answer"
    recovers(api, runtime)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        ("429 Too Many Requests", "TooManyRequestsException", "throttled"),
        ("400 Bad Request", "ThrottlingException", "throttled"),
        ("424 Failed Dependency", "ModelError", "model_error"),
        ("500 Internal Server Error", "InternalFailure", "endpoint_error"),
        ("503 Service Unavailable", "ServiceUnavailable", "endpoint_error"),
        ("400 Bad Request", "ValidationError", "refused"),
        ("403 Forbidden", "AccessDeniedException", "refused"),
        ("302 Found", "Moved", "refused"),
    ],
)
def test_errors_of_the_runtime(api: Api, runtime: Runtime, status: str, code: str, reason: str) -> None:
    runtime.answers_body(b'{"message": "no"}', status=status, headers=[f"X-Amzn-ErrorType: {code}"])
    # A retry whose back-off ends after the deadline is never sent, and then the deadline is the reason.
    assert fallback_within_deadline(api) in (reason, "deadline")
    recovers(api, runtime)


def test_errors_without_a_body_or_a_code(api: Api, runtime: Runtime) -> None:
    runtime.answers_body(b"", status="403 Forbidden")
    assert fallback_within_deadline(api) == "refused"
    runtime.answers_body(b"<html>nonsense", status="418 Teapot")
    assert fallback_within_deadline(api) == "refused"
    runtime.answers_body(b"\xff", status="418 Teapot")
    assert fallback_within_deadline(api) == "refused"
    recovers(api, runtime)


def test_a_fault_that_passes_is_retried(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, DEADLINE_MS="5000")
    failing = runtime.reply

    def fail_once(connection: socket.socket) -> bool:
        runtime.reply = failing
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        return True

    runtime.reply = fail_once
    assert api.moderate().json()["probability"] == 0.93
    assert len(runtime.invocations) == 2


def test_a_slow_endpoint(api: Api, runtime: Runtime) -> None:
    runtime.answers("0.93", after_seconds=2)
    assert fallback_within_deadline(api) == "deadline"
    recovers(api, runtime)


def test_a_slow_endpoint_is_not_asked_again_after_the_deadline(api: Api, runtime: Runtime) -> None:
    runtime.answers("0.93", after_seconds=2)
    assert fallback_within_deadline(api) == "deadline"
    time.sleep(1.2)
    assert len(runtime.invocations) == 1


def test_an_answer_that_trickles(api: Api, runtime: Runtime) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 23\r\n\r\n"
    runtime.trickles(head, b'{"predictions": "0.93"}', every_seconds=0.2)
    assert fallback_within_deadline(api) == "deadline"
    recovers(api, runtime)


def test_headers_that_trickle(api: Api, runtime: Runtime) -> None:
    runtime.trickles(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 20, every_seconds=0.2)
    assert fallback_within_deadline(api) == "deadline"
    recovers(api, runtime)


def test_the_connection_breaks(api: Api, runtime: Runtime) -> None:
    runtime.answers_bytes(b"", close=True)
    assert fallback_within_deadline(api) in ("unreachable", "deadline")
    runtime.answers_bytes(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"predictions"', close=True)
    assert fallback_within_deadline(api) == "unreachable"
    recovers(api, runtime)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=st.one_of(
        st.binary(max_size=100),
        st.binary(max_size=100).map(lambda rest: b"HTTP/1.1 " + rest),
        st.binary(max_size=100).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest + b"\r\n\r\n" + rest),
        st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 200 OK\r\nContent-Length: " + rest + b"\r\n\r\n{}"),
        st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest),
        st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 400 Bad\r\nX-Amzn-ErrorType: " + rest + b"\r\n\r\n" + rest),
    )
)
def test_garbage_on_the_wire(api: Api, runtime: Runtime, answer: Any) -> None:
    runtime.answers_bytes(answer, close=True)
    fallback_within_deadline(api)


def test_nobody_listens(start_api: Callable[..., Api]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = start_api(f"http://127.0.0.1:{unused.getsockname()[1]}", DEADLINE_MS="800")
        assert fallback_within_deadline(api) in ("unreachable", "deadline")
        assert api.is_up()


def test_nobody_accepts(start_api: Callable[..., Api]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        api = start_api(f"http://127.0.0.1:{full.getsockname()[1]}", DEADLINE_MS="800")
        assert fallback_within_deadline(api) in ("unreachable", "deadline")
        for filler in fillers:
            filler.close()


def test_a_stuck_endpoint_holds_up_nobody(api: Api, runtime: Runtime) -> None:
    """More requests than threads, each left hanging: every one is answered, and health all along."""
    runtime.trickles(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 20, every_seconds=0.2)
    reasons: list[str] = []
    threads = [threading.Thread(target=lambda: reasons.append(api.moderate().json()["fallback"])) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert api.is_up()
    for thread in threads:
        thread.join()
    assert len(reasons) == 20
    assert set(reasons) <= {"deadline", "busy"}
    recovers(api, runtime)


def test_answers_that_trickle_are_given_up(api: Api, runtime: Runtime) -> None:
    """Left alone they would come for 20 seconds each, and more of them than the API has threads."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    runtime.trickles(head, b" " * 100, every_seconds=0.2)
    reasons: list[str] = []

    def moderate_some() -> None:
        reasons.extend(api.moderate().json()["fallback"] for _ in range(2))

    threads = [threading.Thread(target=moderate_some) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons == ["deadline"] * 40
    recovers(api, runtime)


@pytest.mark.parametrize(("policy", "flag"), [("flag", 1), ("pass", 0)])
def test_policies_that_answer(start_api: Callable[..., Api], runtime: Runtime, policy: str, flag: int) -> None:
    api = start_api(runtime.url, FALLBACK_POLICY=policy)
    runtime.answers("2")
    response = api.moderate()
    assert response.status_code == 200
    assert response.json() == {"flag": flag, "probability": None, "model": None, "fallback": "unusable_answer"}


def test_policy_that_refuses(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, FALLBACK_POLICY="error", DEADLINE_MS="300")
    runtime.answers("0.93", after_seconds=2)
    started = time.monotonic()
    response = api.moderate()
    assert time.monotonic() - started < 0.3 + GRACE_SECONDS
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json() == {"error": "the endpoint gave no probability: deadline"}
