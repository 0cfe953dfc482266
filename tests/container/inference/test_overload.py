import json
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests

Serving = Callable[..., AbstractContextManager[Any]]

ONE_AT_A_TIME = {"MODEL_SERVER_WORKERS": "1", "BATCH_SIZE": "1"}
QUICK = "a"


def _post(url: str, text: str) -> requests.Response:
    return requests.post(f"{url}/invocations", json={"text": text}, timeout=120)


def _long(server: Any, seconds: float) -> str:
    """A text that this machine, as busy as it is, takes about that long for."""
    fastest = math.inf
    for _ in range(3):
        started = time.monotonic()
        assert _post(server.url, "z" * 10).status_code == 200
        fastest = min(fastest, time.monotonic() - started)
    return "z" * math.ceil(10 * seconds / fastest)


@pytest.mark.image
def test_sheds_load_and_still_answers_ping(slow: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    with serving(slow, **nginx, **ONE_AT_A_TIME, QUEUE_LENGTH="2") as server, ThreadPoolExecutor(20) as clients:
        server.answer_of_ping(200)
        text = _long(server, 0.5)
        requested = [clients.submit(_post, server.url, text) for _ in range(20)]
        pings_meanwhile = 0
        while not all(request.done() for request in requested):
            assert server.ping().status_code == 200
            pings_meanwhile += sum(request.done() for request in requested) < len(requested)
        assert pings_meanwhile > 1
        answers = [request.result() for request in requested]
        refused = [answer for answer in answers if answer.status_code == 503]
        answered = [answer for answer in answers if answer.status_code == 200]
        assert len(refused) + len(answered) == 20
        assert len(answered) >= 3
        assert refused
        for answer in refused:
            assert answer.headers["Retry-After"] == "1"
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.json() == {"error": "too many requests are waiting; try again"}
        assert _post(server.url, QUICK).status_code == 200
        assert "rror" not in server.log()


def test_sheds_load_while_the_model_is_loading(slow_to_load: Path, serving: Serving) -> None:
    with (
        serving(slow_to_load, NGINX_PROGRAM="", **ONE_AT_A_TIME, QUEUE_LENGTH="2") as server,
        ThreadPoolExecutor(40) as clients,
    ):
        server.answer_of_ping(503, or_loading=True)
        requested = [clients.submit(_post, server.url, QUICK) for _ in range(40)]
        while sum(request.done() for request in requested) < 30:
            assert server.ping().status_code in (200, 503)
        answers = [request.result() for request in requested]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all(answer.headers["Retry-After"] == "1" for answer in answers if answer.status_code == 503)
        server.answer_of_ping(200)
        assert _post(server.url, QUICK).status_code == 200


def test_a_post_passes_a_request_of_many(slow: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    with serving(slow, **nginx, **ONE_AT_A_TIME) as server, ThreadPoolExecutor(1) as clients:
        server.answer_of_ping(200)
        lines = "\n".join([json.dumps({"text": _long(server, 0.05)})] * 40)
        many = clients.submit(
            requests.post,
            f"{server.url}/invocations",
            data=lines,
            headers={"Content-Type": "application/jsonlines"},
            timeout=120,
        )
        time.sleep(0.5)
        assert _post(server.url, QUICK).status_code == 200
        assert not many.done()
        assert len(many.result().text.splitlines()) == 40


@pytest.mark.image
def test_a_signal_lets_running_requests_finish(slow: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    with serving(slow, **nginx, **ONE_AT_A_TIME) as server, ThreadPoolExecutor(2) as clients:
        server.answer_of_ping(200)
        text = _long(server, 2)
        before = server.accepted()
        running = [clients.submit(_post, server.url, text) for _ in range(2)]
        server.wait_until_accepted(before + 2)
        time.sleep(0.3)
        assert not any(request.done() for request in running)
        server.process.send_signal(signal.SIGTERM)
        assert [request.result().status_code for request in running] == [200, 200]
        assert server.process.wait(timeout=30) == 0


@pytest.mark.image
def test_a_killed_worker_is_replaced(slow: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    def post_and_retry_once(text: str) -> requests.Response:
        try:
            response = _post(server.url, text)
        except requests.ConnectionError:
            return _post(server.url, text)
        return response if response.status_code == 200 else _post(server.url, text)

    with serving(slow, **nginx, **ONE_AT_A_TIME) as server, ThreadPoolExecutor(1) as clients:
        server.answer_of_ping(200)
        text = _long(server, 2)
        (worker,) = server.workers()
        before = server.accepted()
        running: Future[requests.Response] = clients.submit(post_and_retry_once, text)
        server.wait_until_accepted(before + 1)
        assert not running.done()
        os.kill(worker, signal.SIGKILL)
        assert running.result().status_code == 200
        assert server.process.poll() is None
        assert server.workers() != {worker}


def test_requests_go_to_the_worker_that_is_least_busy(slow: Path, serving: Serving, nginx: Mapping[str, str]) -> None:
    def pings_in_a_row() -> None:
        """So many that each of the workers has answered some."""
        deadline = time.monotonic() + 60
        while {server.ping().status_code for _ in range(10)} != {200}:
            assert time.monotonic() < deadline, server.log()

    if not nginx["NGINX_PROGRAM"]:
        pytest.skip("nginx is what chooses")
    two_of_two_places = {"MODEL_SERVER_WORKERS": "2", "QUEUE_LENGTH": "1", "BATCH_SIZE": "1"}
    with serving(slow, **nginx, **two_of_two_places) as server, ThreadPoolExecutor(4) as clients:
        server.answer_of_ping(200)
        pings_in_a_row()
        text = _long(server, 0.3)
        for _ in range(3):
            answers = clients.map(_post, [server.url] * 4, [text] * 4)
            assert [answer.status_code for answer in answers] == [200] * 4
        killed = min(server.workers())
        os.kill(killed, signal.SIGKILL)
        while killed in server.workers():
            time.sleep(0.02)
        pings_in_a_row()
        for _ in range(3):
            answers = clients.map(_post, [server.url] * 4, [text] * 4)
            assert [answer.status_code for answer in answers] == [200] * 4
