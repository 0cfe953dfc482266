import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.container.api.conftest import Api, Runtime
from tests.waiting import until

GRACE_SECONDS = 0.8


@pytest.fixture(scope="module")
def sqs(embedded_aws: Any) -> Any:
    return embedded_aws.client("sqs")


@pytest.fixture
def queue_url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName=f"unscored-{uuid.uuid4().hex}")["QueueUrl"])


def messages_left(sqs: Any, queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def log_lines(api: Api, message: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in api.log_text().splitlines()]
    return [line for line in lines if line["message"] == message]


def request_line(api: Api, response: requests.Response) -> dict[str, Any]:
    lines = api.log_lines(response.headers["X-Request-Id"])
    return next(line for line in lines if line["message"] == "request")


FAULTS: dict[str, Callable[[Runtime], None]] = {
    "down": lambda runtime: runtime.answers_bytes(b"", close=True),
    "slow": lambda runtime: runtime.answers("0.9", after_seconds=2),
    "throttled": lambda runtime: runtime.answers_body(
        b"{}", status="429 Too Many", headers=["X-Amzn-ErrorType: ThrottlingException"]
    ),
    "nonsense": lambda runtime: runtime.answers("high"),
}


def test_no_post_is_lost_whatever_ails_the_endpoint(
    start_api: Callable[..., Api], runtime: Runtime, embedded_aws: Any, sqs: Any, queue_url: str
) -> None:
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
        bodies: list[dict[str, Any]] = [{"text": f"{name}\0😭"}, {"texts": [f"{name}-1", f"{name}-2"]}]
        for body in bodies:
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


def test_a_message_that_is_no_post_is_left_on_the_queue(
    start_api: Callable[..., Api], runtime: Runtime, embedded_aws: Any, sqs: Any, queue_url: str
) -> None:
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


def test_a_queue_that_is_away_gets_its_posts_before_the_service_ends(
    start_api: Callable[..., Api], runtime: Runtime, embedded_aws: Any, sqs: Any, queue_url: str
) -> None:
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


def test_the_client_keeps_its_posts_when_nothing_else_can(start_api: Callable[..., Api], runtime: Runtime) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        api = start_api(runtime.url, DEADLINE_MS="100", AWS_ENDPOINT_URL_SQS=away, UNSCORED_QUEUE_URL=f"{away}/1/posts")
        runtime.answers("high")
        texts = {"texts": ["a" * 10_000] * 32}
        statuses: list[int] = []
        while len(statuses) < 40 and 503 not in statuses:
            response = requests.post(f"{api.url}/v1/moderations", json=texts, timeout=20)
            # A slow machine may not send 320 kB within the second that the API waits for a request.
            if response.status_code != 408:
                statuses.append(response.status_code)
        assert set(statuses[:6]) == {200}
        assert statuses[-1] == 503
        assert response.headers["Retry-After"] == "1"
        assert response.json() == {"error": "the memory is full of posts that wait to be scored"}


def waiting_post(number: int, received: str = "2026-11-23T09:00:00.000+00:00") -> str:
    fields = {"request_id": "from-a-client", "place": number, "received": received, "reason": "deadline"}
    return json.dumps({"version": 1, **fields, "text": f"text {number}"})


def test_several_posts_are_scored_at_once_while_the_endpoint_answers(
    start_api: Callable[..., Api], runtime: Runtime, embedded_aws: Any, sqs: Any, queue_url: str
) -> None:
    for number in range(60):
        sqs.send_message(QueueUrl=queue_url, MessageBody=waiting_post(number))
    together: list[int] = []
    under_way = threading.Semaphore(0)
    lock = threading.Lock()
    count = 0
    answer = json.dumps({"predictions": "0.2"}).encode()

    def reply(connection: socket.socket) -> bool:
        nonlocal count
        with lock:
            count += 1
            together.append(count)
        # Until others have come as well, or nobody comes.
        under_way.acquire(timeout=0.5)
        with lock:
            count -= 1
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
        return True

    runtime.reply = reply
    api = start_api(
        runtime.url,
        DEADLINE_MS="20000",
        AWS_ENDPOINT_URL_SQS=embedded_aws.endpoint_url,
        UNSCORED_QUEUE_URL=queue_url,
    )
    until(lambda: max(together, default=0) > 4)
    for _ in range(60):
        under_way.release()
    until(lambda: len(log_lines(api, "late_decision")) == 60)


def test_a_post_is_counted_once_however_often_the_queue_hands_it_over(
    start_reviews: Callable[..., Api], runtime: Runtime, embedded_aws: Any, sqs: Any, queue_url: str, review_table: str
) -> None:
    runtime.answers("0.2")
    settings = {"AWS_ENDPOINT_URL_SQS": embedded_aws.endpoint_url, "UNSCORED_QUEUE_URL": queue_url}
    apis = [start_reviews(runtime.url, FALLBACK_POLICY="pass", **settings) for _ in range(2)]
    # The same post from many messages, as a sender makes whose answer is lost; another request of the same id, too.
    for message in [*[waiting_post(0)] * 12, waiting_post(0, received="2026-11-23T09:00:00.001+00:00")]:
        sqs.send_message(QueueUrl=queue_url, MessageBody=message)
    until(lambda: messages_left(sqs, queue_url) == 0)
    decided = [line for api in apis for line in log_lines(api, "late_decision")]
    seen = sorted(line["received"] for line in decided)
    assert seen == ["2026-11-23T09:00:00.000+00:00", "2026-11-23T09:00:00.001+00:00"]
    counted = [line for api in apis for line in log_lines(api, "metrics") if "LateDecisions" in line]
    assert sum(line["LateDecisions"] for line in counted) == 2


def test_a_clock_that_is_ahead_makes_no_negative_latency(
    start_api: Callable[..., Api], runtime: Runtime, embedded_aws: Any, sqs: Any, queue_url: str
) -> None:
    sqs.send_message(QueueUrl=queue_url, MessageBody=waiting_post(0, received="2200-01-01T00:00:00.000+00:00"))
    api = start_api(runtime.url, AWS_ENDPOINT_URL_SQS=embedded_aws.endpoint_url, UNSCORED_QUEUE_URL=queue_url)
    until(lambda: any("LateLatency" in line for line in log_lines(api, "metrics")))
    (line,) = [line for line in log_lines(api, "metrics") if "LateLatency" in line]
    assert line["LateLatency"] == 0


def test_what_nothing_took_until_the_end_is_counted_and_named(start_api: Callable[..., Api], runtime: Runtime) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        api = start_api(
            runtime.url,
            SERVICE_NAME="shop",
            STOP_TIMEOUT_SECONDS="4",
            AWS_ENDPOINT_URL_SQS=away,
            UNSCORED_QUEUE_URL=f"{away}/1/posts",
        )
        runtime.answers("high")
        kept = [api.moderate(f"kept {number}").headers["X-Request-Id"] for number in range(5)]
        api.process.send_signal(signal.SIGTERM)
        api.process.wait(30)
    lines = log_lines(api, "posts were lost")
    assert sorted(name for line in lines for name in line["request_ids"]) == sorted(kept)
    assert sum(line["posts"] for line in lines) == 5
    counted = [line for line in log_lines(api, "metrics") if "LostPosts" in line]
    assert sum(line["LostPosts"] for line in counted) == 5
    assert {line["service"] for line in counted} == {"shop"}
    assert "kept 0" not in api.log_text()


def test_what_a_killed_worker_held_is_counted_by_who_started_it(start_api: Any, runtime: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        api = start_api(
            runtime.url,
            SERVICE_NAME="shop",
            STOP_TIMEOUT_SECONDS="4",
            AWS_ENDPOINT_URL_SQS=away,
            UNSCORED_QUEUE_URL=f"{away}/1/posts",
        )
        runtime.answers("high")
        for number in range(6):
            assert api.moderate(f"kept {number}").status_code == 200
        for worker in children(api.pid):
            os.kill(worker, signal.SIGKILL)
        until(
            lambda: sum(line["posts"] for line in log_lines(api, "posts were lost with a worker that was killed")) == 6
        )
        counted = [line for line in log_lines(api, "metrics") if "LostPosts" in line]
        assert sum(line["LostPosts"] for line in counted) == 6
        assert {line["service"] for line in counted} == {"shop"}
        # The workers that took their place begin anew; what they lose they say themselves, and nobody says it again.
        until(api.is_up)
        assert api.moderate("kept 7").status_code == 200
        api.process.send_signal(signal.SIGTERM)
        api.process.wait(30)
    counted = [line for line in log_lines(api, "metrics") if "LostPosts" in line]
    assert sum(line["LostPosts"] for line in counted) == 7
    assert [line["posts"] for line in log_lines(api, "posts were lost")] == [1]


def children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found
