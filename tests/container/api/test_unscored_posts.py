import json
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

GRACE_SECONDS = 0.8


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.fixture(scope="module")
def sqs(embedded_aws):
    return embedded_aws.client("sqs")


@pytest.fixture
def queue_url(sqs) -> str:
    return sqs.create_queue(QueueName=f"unscored-{uuid.uuid4().hex}")["QueueUrl"]


def messages_left(sqs, queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def log_lines(api, message: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in api.log_text().splitlines()]
    return [line for line in lines if line["message"] == message]


def request_line(api, response: requests.Response) -> dict[str, object]:
    lines = api.log_lines(response.headers["X-Request-Id"])
    return next(line for line in lines if line["message"] == "request")


FAULTS = {
    "down": lambda runtime: runtime.answers_bytes(b"", close=True),
    "slow": lambda runtime: runtime.answers("0.9", after_seconds=2),
    "throttled": lambda runtime: runtime.answers_body(
        b"{}", status="429 Too Many", headers=["X-Amzn-ErrorType: ThrottlingException"]
    ),
    "nonsense": lambda runtime: runtime.answers("high"),
}


def test_no_post_is_lost_whatever_ails_the_endpoint(start_api, runtime, embedded_aws, sqs, queue_url):
    api = start_api(
        runtime.url,
        DEADLINE_MS="800",
        BREAKER_FAILURES="2",
        BREAKER_OPEN_MS="500",
        AWS_ENDPOINT_URL_SQS=embedded_aws.endpoint_url,
        UNSCORED_QUEUE_URL=queue_url,
    )
    posts: dict[tuple[object, object], str] = {}
    for name, breaks in FAULTS.items():
        breaks(runtime)
        for body in [{"text": f"{name}\0😭"}, {"texts": [f"{name}-1", f"{name}-2"]}]:
            started = time.monotonic()
            response = requests.post(f"{api.url}/v1/moderations", json=body, timeout=20)
            assert time.monotonic() - started < 0.8 + GRACE_SECONDS
            assert response.status_code == 200
            for place, text in enumerate(body.get("texts") or [body["text"]]):
                posts[response.headers["X-Request-Id"], place] = text
            assert {"queued", "fallback"} <= set(request_line(api, response))
    runtime.invocations.clear()
    runtime.answers("0.25")
    until(lambda: len({(line["request_id"], line["place"]) for line in log_lines(api, "late_decision")}) == len(posts))
    assert {(line["request_id"], line["place"]) for line in log_lines(api, "late_decision")} == set(posts)
    assert {line["flag"] for line in log_lines(api, "late_decision")} == {0}
    assert {content["text"] for _, content in runtime.invocations} >= set(posts.values())
    until(lambda: messages_left(sqs, queue_url) == 0)
    late = [line for line in log_lines(api, "metrics") if "LateDecisions" in line]
    assert len(late) >= len(posts)
    assert late[-1]["model"] == "moderation-7"
    assert "down" not in api.log_text()


def test_a_message_that_is_no_post_is_left_on_the_queue(start_api, runtime, embedded_aws, sqs, queue_url):
    api = start_api(runtime.url, AWS_ENDPOINT_URL_SQS=embedded_aws.endpoint_url, UNSCORED_QUEUE_URL=queue_url)
    sqs.send_message(QueueUrl=queue_url, MessageBody="secret")
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"version": 1, "text": "secret"}))
    until(lambda: len(log_lines(api, "unreadable message")) >= 2)
    assert messages_left(sqs, queue_url) == 2
    assert runtime.invocations == []
    assert "secret" not in api.log_text()


def forward(listener: socket.socket, port: int) -> None:
    """Be the way to a server on `port` for whoever comes to `listener`."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source:
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("localhost", port))
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            threading.Thread(target=pump, args=(server, client), daemon=True).start()


def test_a_queue_that_is_away_gets_its_posts_before_the_service_ends(start_api, runtime, embedded_aws, sqs, queue_url):
    way = socket.socket()
    way.bind(("127.0.0.1", 0))
    api = start_api(
        runtime.url,
        DEADLINE_MS="2000",
        AWS_ENDPOINT_URL_SQS=f"http://127.0.0.1:{way.getsockname()[1]}",
        UNSCORED_QUEUE_URL=queue_url,
    )
    runtime.answers("high")
    started = time.monotonic()
    response = api.moderate("残る文")
    assert time.monotonic() - started < 2 + GRACE_SECONDS
    assert response.json()["fallback"] == "unusable_answer"
    assert request_line(api, response)["queued"] is False
    api.process.send_signal(signal.SIGTERM)
    until(lambda: api.log_text().count("Worker exiting") == 2)
    way.listen()
    threading.Thread(target=forward, args=(way, int(embedded_aws.endpoint_url.rpartition(":")[2])), daemon=True).start()
    api.process.wait(30)
    messages: list[dict[str, str]] = []

    def receive() -> bool:
        messages.extend(sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1).get("Messages", []))
        return bool(messages)

    # Late scoring may have received it in the last moments, which hides it for a while.
    until(lambda: receive() or messages_left(sqs, queue_url) == 1)
    if messages:
        assert json.loads(messages[0]["Body"])["text"] == "残る文"
    way.shutdown(socket.SHUT_RDWR)
    way.close()


def test_the_client_keeps_its_posts_when_nothing_else_can(start_api, runtime):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        api = start_api(runtime.url, DEADLINE_MS="100", AWS_ENDPOINT_URL_SQS=away, UNSCORED_QUEUE_URL=f"{away}/1/posts")
        runtime.answers("high")
        texts = {"texts": ["a" * 10_000] * 32}
        statuses = []
        while len(statuses) < 40 and 503 not in statuses:
            response = requests.post(f"{api.url}/v1/moderations", json=texts, timeout=20)
            statuses.append(response.status_code)
        assert set(statuses[:6]) == {200}
        assert statuses[-1] == 503
        assert response.headers["Retry-After"] == "1"
        assert response.json() == {"error": "posts that wait to be scored fill the memory"}
