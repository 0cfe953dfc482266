import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.container.api.conftest import Api, Runtime

API = Path(__file__).resolve().parents[3] / "container" / "api"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ENDPOINT_NAME": ""}, "ENDPOINT_NAME is not set: it must be the name of the SageMaker endpoint"),
        ({"ENDPOINT_NAME": "a_b"}, "ENDPOINT_NAME is 'a_b': allowed is 1 to 63 letters, digits and inner hyphens"),
        (
            {"ENDPOINT_NAME": "a" * 64},
            f"ENDPOINT_NAME is '{'a' * 64}': allowed is 1 to 63 letters, digits and inner hyphens",
        ),
        ({"AWS_REGION": ""}, "AWS_DEFAULT_REGION is not set: it must be the endpoint's region, there or in AWS_REGION"),
        ({"FALLBACK_POLICY": "ignore"}, "FALLBACK_POLICY is 'ignore': allowed is flag, pass, error"),
        ({"FALLBACK_POLICY": ""}, "FALLBACK_POLICY is '': allowed is flag, pass, error"),
        ({"THRESHOLD": "1.01"}, "THRESHOLD is '1.01': allowed is a number from 0 to 1"),
        ({"THRESHOLD": "-0.1"}, "THRESHOLD is '-0.1': allowed is a number from 0 to 1"),
        ({"THRESHOLD": "nan"}, "THRESHOLD is 'nan': allowed is a number from 0 to 1"),
        ({"THRESHOLD": "half"}, "THRESHOLD is 'half': allowed is a number from 0 to 1"),
        ({"DEADLINE_MS": "1.5"}, "DEADLINE_MS is '1.5': allowed is a whole number from 50 to 60000"),
        ({"DEADLINE_MS": "0"}, "DEADLINE_MS is '0': allowed is a whole number from 50 to 60000"),
        ({"DEADLINE_MS": "60001"}, "DEADLINE_MS is '60001': allowed is a whole number from 50 to 60000"),
        ({"DEADLINE_MS": "soon"}, "DEADLINE_MS is 'soon': allowed is a whole number from 50 to 60000"),
        ({"BREAKER_FAILURES": "0"}, "BREAKER_FAILURES is '0': allowed is a whole number from 1 to 1000000"),
        ({"BREAKER_OPEN_MS": "99"}, "BREAKER_OPEN_MS is '99': allowed is a whole number from 100 to 600000"),
        (
            {"SERVICE_NAME": "a b"},
            "SERVICE_NAME is 'a b': allowed is 1 to 64 letters, digits, dots, hyphens and underscores",
        ),
        (
            {"UNSCORED_QUEUE_URL": "posts"},
            "UNSCORED_QUEUE_URL is 'posts': allowed is the https:// or http:// URL of an SQS queue",
        ),
        ({"REVIEW_TABLE": "a b"}, "REVIEW_TABLE is 'a b': allowed is the name of a DynamoDB table"),
        ({"REVIEW_SAMPLE_PERCENT": "101"}, "REVIEW_SAMPLE_PERCENT is '101.0': allowed is a number from 0 to 100"),
        ({"REVIEW_SECOND_PERCENT": "few"}, "REVIEW_SECOND_PERCENT is 'few': allowed is a number from 0 to 100"),
        ({"REVIEW_LEASE_SECONDS": "9"}, "REVIEW_LEASE_SECONDS is '9': allowed is a whole number from 10 to 86400"),
        ({"REVIEW_TTL_DAYS": "0"}, "REVIEW_TTL_DAYS is '0': allowed is a whole number from 1 to 3650"),
        (
            {"REVIEW_DAILY_QUOTA": "0"},
            "REVIEW_DAILY_QUOTA is '0': allowed is a whole number from 1 to 100000000",
        ),
        (
            {"REVIEW_DECISIONS_A_MINUTE": "0"},
            "REVIEW_DECISIONS_A_MINUTE is '0': allowed is a whole number from 1 to 6000",
        ),
        ({"REVIEW_SHARDS": "65"}, "REVIEW_SHARDS is '65': allowed is a whole number from 1 to 64"),
        (
            {"REVIEW_TABLE": "reviews"},
            "REVIEW_DRAW_SECRET is not set: REVIEW_TABLE needs it, 32 characters or more that nobody else knows",
        ),
        (
            {"REVIEW_DRAW_SECRET": "known by its length"},
            "REVIEW_DRAW_SECRET has 19 characters: allowed is 32 characters or more that nobody else knows",
        ),
        (
            {"REVIEW_TABLE": "reviews", "REVIEW_DRAW_SECRET": "s" * 32, "REVIEW_SIGNER": "a"},
            "REVIEW_SIGNER is 'a': allowed is the ARN of an application load balancer",
        ),
        (
            {"REVIEW_SIGNER": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1"},
            "REVIEW_TABLE is not set: REVIEW_SIGNER opens a page that needs it",
        ),
        (
            {"REVIEW_KEYS_URL": "http://keys.example"},
            "REVIEW_KEYS_URL is 'http://keys.example': allowed is an https:// URL, or http:// on this machine",
        ),
        (
            {"REVIEW_KEYS_URL": "http://localhost.example:80/"},
            "REVIEW_KEYS_URL is 'http://localhost.example:80/': allowed is an https:// URL, or http:// on this machine",
        ),
        ({"STOP_TIMEOUT_SECONDS": "1"}, "STOP_TIMEOUT_SECONDS is '1': allowed is a whole number from 2 to 3600"),
        (
            {"REVIEW_SUBJECTS": "hana", "REVIEW_CLAIM": "groups"},
            "REVIEW_SUBJECTS and REVIEW_CLAIM are set: allowed is one way to say who is a reviewer",
        ),
        (
            {"REVIEW_CLAIM": "groups"},
            "REVIEW_CLAIM_VALUE is not set: REVIEW_CLAIM, REVIEW_CLAIM_VALUE go together",
        ),
        (
            {"REVIEW_GROUP": "moderators", "REVIEW_POOL_CLIENT": "a"},
            "REVIEW_POOL is not set: REVIEW_GROUP, REVIEW_POOL, REVIEW_POOL_CLIENT go together",
        ),
        (
            {"REVIEW_GROUP": "moderators", "REVIEW_POOL": "http://id.example", "REVIEW_POOL_CLIENT": "a"},
            "REVIEW_POOL is 'http://id.example': allowed is an https:// URL, or http:// on this machine",
        ),
        ({"PORT": "0"}, "PORT is '0': allowed is a whole number from 1 to 65535"),
        ({"PORT": "http"}, "PORT is 'http': allowed is a whole number from 1 to 65535"),
    ],
)
def test_stops_in_one_line_when_a_setting_is_wrong(settings: dict[str, Any], message: str) -> None:
    done = subprocess.run(
        [sys.executable, API / "start_api.py"],
        env={"ENDPOINT_NAME": "moderation", "AWS_REGION": "us-east-1", **settings},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr == message + "\n"
    assert done.stdout == ""


@pytest.mark.image
def test_sigterm_finishes_what_is_in_flight(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, DEADLINE_MS="5000")
    runtime.answers("0.93", after_seconds=1)
    answers: list[requests.Response] = []
    client = threading.Thread(target=lambda: answers.append(api.moderate()))
    client.start()
    time.sleep(0.4)
    api.process.send_signal(signal.SIGTERM)
    client.join()
    assert answers[0].json()["probability"] == 0.93
    assert api.process.wait(10) == 0


def test_who_connects_to_a_service_that_ends_is_answered_or_refused(
    start_api: Callable[..., Api], runtime: Runtime
) -> None:
    api = start_api(runtime.url, DEADLINE_MS="5000")
    runtime.answers("0.93", after_seconds=2)
    client = threading.Thread(target=api.moderate)
    client.start()
    time.sleep(0.5)
    runtime.answers("0.93")
    api.process.send_signal(signal.SIGTERM)
    outcomes: list[str] = []
    while api.process.poll() is None:
        with socket.socket() as connection:
            connection.settimeout(10)
            try:
                connection.connect(("127.0.0.1", api.port))
            except ConnectionRefusedError:
                outcomes.append("refused")
                time.sleep(0.02)
                continue
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            # One that waited for nobody is reset, or ends without a byte.
            outcomes.append(connection.recv(12).decode())
    client.join()
    assert set(outcomes) <= {"HTTP/1.1 200", "refused"}
    assert "refused" in outcomes


def test_sigterm_does_not_wait_for_an_endpoint_that_never_ends(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url, DEADLINE_MS="300")
    runtime.trickles(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 200, every_seconds=0.1)
    assert api.moderate().json()["fallback"] == "deadline"
    started = time.monotonic()
    api.process.send_signal(signal.SIGTERM)
    assert api.process.wait(20) == 0
    assert time.monotonic() - started < 5


@pytest.mark.image
def test_a_killed_worker_is_replaced(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)

    def workers() -> list[str]:
        return subprocess.run(["pgrep", "-P", str(api.pid)], capture_output=True, text=True).stdout.split()

    # The first one answers before the second is there.
    until = time.monotonic() + 30
    while len(workers()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    first, _ = workers()
    subprocess.run(["kill", "-KILL", first], check=True)
    for _ in range(50):
        with requests.Session() as client:
            try:
                response = client.post(f"{api.url}/v1/moderations", json={"text": "a"}, timeout=10)
            except requests.ConnectionError:
                response = client.post(f"{api.url}/v1/moderations", json={"text": "a"}, timeout=10)
        assert response.json()["probability"] == 0.93
        time.sleep(0.02)


@pytest.mark.image
def test_the_log_is_json_from_the_first_line(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)
    api.stop()
    assert api.log_text().splitlines()
    assert all(re.fullmatch(r"\{.*\}", line) for line in api.log_text().splitlines())
