import threading
import time

import pytest
import requests

BY_POLICY = {"flag": 1, "probability": None, "model": None}


def breaker_of(api) -> str:
    return requests.get(f"{api.url}/health", timeout=5).json()["breaker"]


def until_left_alone(api, runtime) -> None:
    """Both worker processes have a breaker of their own."""
    give_up = time.monotonic() + 20
    left_alone = 0
    while left_alone < 20:
        left_alone = left_alone + 1 if api.moderate().json()["fallback"] == "breaker_open" else 0
        assert time.monotonic() < give_up


def test_an_endpoint_that_fails_is_left_alone_until_it_answers_again(start_api, runtime):
    api = start_api(runtime.url, BREAKER_FAILURES="3", BREAKER_OPEN_MS="2000")
    runtime.answers("2")
    assert [api.moderate().json()["fallback"] for _ in range(3)] == ["unusable_answer"] * 3
    until_left_alone(api, runtime)
    runtime.invocations.clear()
    assert api.moderate().json() == BY_POLICY | {"fallback": "breaker_open"}
    assert runtime.invocations == []
    health = requests.get(f"{api.url}/health", timeout=5)
    assert health.status_code == 200
    assert health.json() == {"status": "up", "breaker": "open"}
    runtime.answers("0.93")
    give_up = time.monotonic() + 20
    answered = 0
    while answered < 20:
        answered = answered + 1 if api.moderate().json()["probability"] == 0.93 else 0
        assert time.monotonic() < give_up
    assert breaker_of(api) == "closed"


def test_one_question_at_a_time_finds_out(start_api, runtime):
    api = start_api(runtime.url, BREAKER_FAILURES="1", BREAKER_OPEN_MS="500", DEADLINE_MS="1500")
    runtime.answers("2")
    until_left_alone(api, runtime)
    runtime.answers("0.93", after_seconds=0.7)
    time.sleep(0.6)
    runtime.invocations.clear()
    answers: list[dict[str, object]] = []
    threads = [threading.Thread(target=lambda: answers.append(api.moderate().json())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runtime.invocations) <= 2  # one of each worker process
    assert sum("fallback" in answer for answer in answers) >= 10


@pytest.mark.parametrize(("original_status", "is_left_alone"), [(400, False), (500, True)])
def test_a_post_that_the_model_refuses_opens_nothing(start_api, runtime, original_status, is_left_alone):
    api = start_api(runtime.url, BREAKER_FAILURES="2", BREAKER_OPEN_MS="60000")
    runtime.answers_body(
        b'{"OriginalStatusCode": %d}' % original_status,
        status="424 Failed",
        headers=["X-Amzn-ErrorType: ModelError"],
    )
    reasons = {api.moderate().json()["fallback"] for _ in range(10)}
    assert ("breaker_open" in reasons) is is_left_alone


def test_time_in_the_queue_counts(start_api, runtime):
    """More requests at once than threads: those for which none was free in time are answered by policy, unasked."""
    api = start_api(runtime.url, DEADLINE_MS="800", BREAKER_FAILURES="1000")
    runtime.answers("0.93", after_seconds=0.6)
    answers: list[dict[str, object]] = []
    threads = [threading.Thread(target=lambda: answers.append(api.moderate().json())) for _ in range(120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 120
    assert {answer.get("fallback") for answer in answers} <= {None, "deadline"}
    assert len(runtime.invocations) < 100
