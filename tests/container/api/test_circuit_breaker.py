import json
import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import requests

from tests.container.api.conftest import Api, Runtime
from tests.container.api.moments import Clock
from tests.waiting import until


def breaker_of(api: Api) -> str:
    health = requests.get(f"{api.url}/health", timeout=5)
    assert health.status_code == 200
    assert health.json()["status"] == "up"
    return str(health.json()["breaker"])


def test_an_endpoint_that_fails_is_left_alone(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, BREAKER_FAILURES="3", BREAKER_OPEN_MS="600000")
    runtime.answers("2")
    reasons = [api.moderate().json()["fallback"] for _ in range(30)]
    # Both worker processes have a breaker of their own.
    assert reasons[:3] == ["unusable_answer"] * 3
    assert reasons.count("unusable_answer") == len(runtime.invocations) <= 6
    assert reasons.count("breaker_open") == 30 - len(runtime.invocations)
    until(lambda: breaker_of(api) == "open")


def test_an_endpoint_that_answers_again_is_asked_again(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, BREAKER_FAILURES="1", BREAKER_OPEN_MS="300")
    runtime.answers("2")
    assert {api.moderate().json()["probability"] for _ in range(6)} == {None}
    runtime.answers("0.93")
    until(lambda: [api.moderate().json()["probability"] for _ in range(6)] == [0.93] * 6)
    assert breaker_of(api) == "closed"


@pytest.mark.parametrize(("original_status", "is_left_alone"), [(400, False), (500, True)])
def test_a_post_that_the_model_refuses_opens_nothing(
    start_api: Callable[..., Api], runtime: Runtime, original_status: int, is_left_alone: bool
) -> None:
    api = start_api(runtime.url, BREAKER_FAILURES="2", BREAKER_OPEN_MS="600000")
    runtime.answers_body(
        b'{"OriginalStatusCode": %d}' % original_status,
        status="424 Failed",
        headers=["X-Amzn-ErrorType: ModelError"],
    )
    reasons = {api.moderate().json()["fallback"] for _ in range(10)}
    assert ("breaker_open" in reasons) is is_left_alone


def test_time_in_the_queue_counts(start_api: Callable[..., Api], runtime: Runtime) -> None:
    """More requests at once than threads: those for which none was free in time are answered by policy, unasked."""
    api = start_api(runtime.url, DEADLINE_MS="800", BREAKER_FAILURES="1000")
    runtime.answers("0.93", after_seconds=0.6)
    body = json.dumps({"text": "a"}).encode()
    head = "POST /v1/moderations HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
    message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    clients = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(160)]
    for client in clients:
        client.sendall(message)
    for client in clients:
        with client, client.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 200")
    lines = [json.loads(line) for line in api.log_text_at_rest().splitlines()]
    unasked = [line for line in lines if line.get("fault") == "the deadline passed before a thread was free"]
    assert unasked
    assert all(line["fallback"] == "deadline" and line["queue_ms"] >= 700 for line in unasked)
    assert len(runtime.invocations) <= 160 - len(unasked)


@pytest.fixture(scope="module")
def circuit_breaker(api_module: Callable[[str], ModuleType]) -> ModuleType:
    return api_module("endpoint.circuit_breaker")


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def breaker(circuit_breaker: ModuleType, clock: Clock) -> Any:
    """A breaker that has just opened, for 5 seconds, after 2 failures."""
    breaker = circuit_breaker.CircuitBreaker(failures=2, open_seconds=5, clock=clock)
    for _ in range(2):
        assert breaker.admit()
        breaker.failed()
    assert breaker.state == "open"
    return breaker


def test_failures_count_only_in_a_row(circuit_breaker: ModuleType, clock: Clock) -> None:
    breaker = circuit_breaker.CircuitBreaker(failures=2, open_seconds=5, clock=clock)
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    assert breaker.state == "closed"


def test_nothing_is_admitted_while_it_is_open(breaker: Any, clock: Clock) -> None:
    clock.seconds += 4.9
    assert not breaker.would_admit()
    assert not breaker.admit()


def test_one_question_at_a_time_finds_out(breaker: Any, clock: Clock) -> None:
    clock.seconds += 5
    assert breaker.would_admit()
    assert breaker.admit()
    assert breaker.state == "half_open"
    assert not breaker.would_admit()
    assert not breaker.admit()
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.admit()


def test_a_question_that_fails_keeps_it_open_as_long_again(breaker: Any, clock: Clock) -> None:
    clock.seconds += 5
    breaker.admit()
    breaker.failed()
    clock.seconds += 4.9
    assert not breaker.admit()
    clock.seconds += 0.1
    assert breaker.admit()


def test_after_an_inconclusive_request_the_next_one_tests_the_endpoint(breaker: Any, clock: Clock) -> None:
    clock.seconds += 5
    breaker.admit()
    breaker.inconclusive()
    assert breaker.admit()


def test_a_late_failure_does_not_keep_it_open_for_longer(breaker: Any, clock: Clock) -> None:
    clock.seconds += 4
    breaker.failed()
    clock.seconds += 1
    assert breaker.admit()
