"""Whether one client can keep the ML API from answering the others: honest load is held while each attack runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import requests
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.container.api.conftest import Api, Balancer, Runtime
from tests.container.conftest import Programs
from tests.proofs import attacked_model
from tests.proofs.attackers import ATTACKS
from tests.proofs.honest_load import Answered, HonestLoad, percentile
from tests.proofs.proof import PROJECT, Suite

_DEADLINE_SECONDS = 1.0
_RATE = 20.0
_FLOOD_QUOTA = 500
_SETTLED_SECONDS = 60.0
_KEYS = 3000
_MOST_BY_POLICY = 0.05
_WARM_UP_POSTS = 60


class AttackError(Exception):
    """The service did not hold."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Seconds of honest load alone, under the attack, and after it."""

    alone: float
    under_attack: float
    after: float


_FULL = Phases(alone=5, under_attack=12, after=8)
_SHORT = Phases(alone=0.5, under_attack=2, after=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What honest clients and the attackers saw of one attack."""

    posts: list[Answered]
    began: float
    ended: float
    got: dict[str, int]

    def under_attack(self) -> list[Answered]:
        return [post for post in self.posts if self.began <= post.due < self.ended]

    def alone(self) -> list[Answered]:
        return [post for post in self.posts if post.due < self.began]

    def recovery_seconds(self) -> float:
        """From the end of the attack to the last answer that was none, came by policy, or took half the deadline."""
        late = [
            post.answered - self.ended
            for post in self.posts
            if post.due >= self.ended and (post.status != 200 or post.fallback or post.seconds > _DEADLINE_SECONDS / 2)
        ]
        return max(late, default=0.0)


class Service:
    """The API as gunicorn runs it, with table and queue in the embedded AWS and a stand-in for the endpoint."""

    def __init__(self, aws: EmbeddedAws, folder: Path, *, daily_quota: int) -> None:
        self._aws = aws
        self._folder = folder
        self.quota = daily_quota
        self._table = f"reviews-{uuid.uuid4().hex}"
        declared = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
        properties = _table_properties()
        aws.client("dynamodb").create_table(TableName=self._table, **{part: properties[part] for part in declared})
        queue = aws.client("sqs").create_queue(QueueName=f"unscored-{uuid.uuid4().hex}")["QueueUrl"]
        self._runtime = Runtime()
        self._runtime.reply = _scores(self._runtime)
        self.balancer = Balancer()
        self._keys = _SlowKeys()
        self.api = Api(
            Programs("api", "start_api.py"),
            self._runtime.url,
            folder / "api.log",
            AWS_ENDPOINT_URL_DYNAMODB=aws.endpoint_url,
            AWS_ENDPOINT_URL_SQS=aws.endpoint_url,
            DEADLINE_MS=str(int(_DEADLINE_SECONDS * 1000)),
            REVIEW_TABLE=self._table,
            REVIEW_DRAW_SECRET="drawn by the proofs alone, and by nobody else",
            REVIEW_DAILY_QUOTA=str(daily_quota),
            REVIEW_SIGNER=self.balancer.arn,
            REVIEW_KEYS_URL=self._keys.url,
            UNSCORED_QUEUE_URL=queue,
        )

    def warm_up(self) -> None:
        """A service that has just started has connections to make; a load balancer gives it its share by and by."""
        for number in range(_WARM_UP_POSTS):
            self.api.moderate(f"warm up {number}")

    def close(self) -> None:
        self.api.kill()
        self._keys.close()
        self.balancer.close()
        self._runtime.close()

    def hold(self, attack: str, phases: Phases) -> Held:
        """Send honest posts alone, then beside `attack`, then alone again."""
        self._runtime.invocations.clear()
        load = HonestLoad(self.api.port, rate=_RATE, name=f"honest {attack}")
        try:
            time.sleep(phases.alone)
            began, got = self._attack(attack, phases.under_attack)
            ended = time.monotonic()
            time.sleep(phases.after)
        finally:
            posts = load.stop()
        return Held(posts=posts, began=began, ended=ended, got=got)

    def stored(self) -> list[str]:
        pages = (
            self._aws.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self._table, ConsistentRead=True, FilterExpression="attribute_exists(queue)")
        )
        return [item["text"]["S"] for page in pages for item in page["Items"]]

    def over_quota(self) -> int:
        return self.api.log_text().count('"ReviewOverQuota": 1')

    def _attack(self, name: str, seconds: float) -> tuple[float, dict[str, int]]:
        headers = ""
        if name == "unknown_keys":
            path = self._folder / "headers.json"
            path.write_text(json.dumps([self.balancer.header(head={"kid": str(uuid.uuid4())}) for _ in range(_KEYS)]))
            headers = str(path)
        words = [sys.executable, "-m", "tests.proofs.attackers", name, str(self.api.port), str(seconds), headers]
        with subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as attackers:
            assert attackers.stdout is not None
            attackers.stdout.readline()
            began = time.monotonic()
            told = attackers.stdout.read()
        if attackers.returncode != 0:
            raise AttackError(f"the attackers of {name} stopped with {attackers.returncode}")
        return began, json.loads(told)


class _SlowKeys:
    """The load balancer's keys, as a place that takes its time to say that it knows none."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(0.8)
                with contextlib.suppress(OSError):
                    self.send_response(404)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _table_properties() -> dict[str, Any]:
    """The table as `ReviewQueue` declares it."""
    stack = cdk.Stack(cdk.App(), "Stack")
    ReviewQueue(stack, "Reviews")
    (table,) = Template.from_stack(stack).find_resources("AWS::DynamoDB::Table").values()
    properties: dict[str, Any] = table["Properties"]
    return properties


def _scores(runtime: Runtime) -> Callable[[Any], bool]:
    """The endpoint: flags every text, in the 20 ms that a small model takes."""

    def reply(connection: Any) -> bool:
        texts = json.loads(runtime.body).get("texts")
        time.sleep(0.02)
        body = json.dumps({"predictions": "0.93" if texts is None else ["0.93"] * len(texts)}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return True

    return reply


@contextlib.contextmanager
def _service(folder: Path, *, daily_quota: int = 1_000_000) -> Iterator[Service]:
    with EmbeddedAws() as aws:
        service = Service(aws, folder, daily_quota=daily_quota)
        try:
            service.warm_up()
            yield service
        finally:
            service.close()


def _judged(service: Service, held: Held, *, strict: bool) -> str:
    """What was found, in one line.

    Raises:
        AttackError: an honest post had no answer, the attackers a 5xx, `/health` none, or a flagged post was lost.
    """
    posts, attacked = held.posts, held.under_attack()
    unanswered = [post for post in posts if post.status != 200]
    if unanswered:
        statuses = sorted({post.status for post in unanswered})
        raise AttackError(f"{len(unanswered)} of {len(posts)} honest posts had no answer but {statuses}")
    faults = {status: count for status, count in held.got.items() if status.startswith("5") or status == "nothing"}
    if faults:
        raise AttackError(f"the attackers got {faults}: their mistakes count as the service's")
    if requests.get(f"{service.api.url}/health", timeout=5).status_code != 200:
        raise AttackError("/health does not answer")
    if "Traceback" in service.api.log_text():
        raise AttackError("the log has a traceback")
    by_policy = sum(post.fallback is not None for post in attacked)
    p99 = percentile([post.seconds for post in attacked], 0.99)
    recovery = held.recovery_seconds()
    if strict and by_policy > _MOST_BY_POLICY * len(attacked):
        raise AttackError(f"{by_policy} of {len(attacked)} honest posts were answered by policy")
    before = percentile([post.seconds for post in held.alone()], 0.99)
    return (
        f"{len(attacked)} of {len(attacked)} honest posts answered, {by_policy} by policy; p99 {1000 * p99:.0f} ms "
        f"(before it {1000 * before:.0f} ms); recovered in {recovery:.1f} s; bad inputs: {_shown(held.got)}; "
        f"{_lost(service, posts)}"
    )


def _lost(service: Service, posts: list[Answered]) -> str:
    """That every honest post, each flagged, is in the table in the end; those of the queue come late."""
    sent = {post.text for post in posts}
    deadline = time.monotonic() + _SETTLED_SECONDS
    while missing := sent - set(service.stored()):
        if time.monotonic() > deadline:
            raise AttackError(f"{len(missing)} of {len(sent)} flagged posts are not in the review table")
        time.sleep(0.5)
    return f"nothing lost of {len(sent)}"


def _shown(got: dict[str, int]) -> str:
    parts = [f"{count} × {what}" for what, count in sorted(got.items())]
    return f"{sum(got.values())} ({', '.join(parts)})"


def _case(name: str) -> Callable[[Path], str]:
    def case(folder: Path) -> str:
        with _service(folder) as service:
            return _judged(service, service.hold(name, _FULL), strict=True)

    return case


def flooded(folder: Path) -> str:
    """Beyond the quota clients get their answers, nothing is stored, and each post that was left out is counted."""
    with _service(folder, daily_quota=_FLOOD_QUOTA) as service:
        held = service.hold("flood", _FULL)
        unanswered = [post for post in held.posts if post.status != 200]
        if unanswered or set(held.got) != {"200"}:
            raise AttackError(f"{len(unanswered)} honest posts had no answer; the flood got {held.got}")
        texts = _WARM_UP_POSTS + len(held.posts) + 32 * held.got["200"]
        deadline = time.monotonic() + _SETTLED_SECONDS
        while (stored := len(service.stored())) + service.over_quota() < texts:
            if time.monotonic() > deadline:
                raise AttackError(f"{stored} stored and {service.over_quota()} counted, of {texts} flagged posts")
            time.sleep(0.5)
        if stored != _FLOOD_QUOTA:
            raise AttackError(f"{stored} posts stored, allowed {_FLOOD_QUOTA}")
        attacked = held.under_attack()
        p99 = percentile([post.seconds for post in attacked], 0.99)
        by_policy = sum(post.fallback is not None for post in attacked)
        return (
            f"{len(attacked)} of {len(attacked)} honest posts answered, {by_policy} by policy; "
            f"p99 {1000 * p99:.0f} ms; recovered in {held.recovery_seconds():.1f} s; "
            f"of {texts} distinct flagged texts {stored} stored, the quota, and {service.over_quota()} counted"
        )


def sampled(folder: Path) -> str:
    """Three of the attacks for some seconds each, one after the other against one service; no time is judged."""
    found = []
    with _service(folder) as service:
        for name in ("slow_bodies", "marks", "bad_inputs"):
            held = service.hold(name, _SHORT)
            _judged(service, held, strict=False)
            found.append(f"{name} {_shown(held.got)}")
    return f"every honest post answered and stored; {'; '.join(found)}"


ATTACKED = Suite(
    name="attacks",
    question=(
        "Can one client keep the ML API from answering other clients? The suite runs the API as it is deployed "
        "(gunicorn, two processes, a deadline of 1 s) on loopback, with its table and queue on the embedded AWS. "
        f"{_RATE:.0f} honest posts per second, each flagged and on its own connection, are sent before and during "
        f"{_FULL.under_attack:.0f} s of each attack, and for {_FULL.after:.0f} s after it. *By policy* counts answers "
        "without a score. *Recovered* is the time until the last answer that was by policy or took half the deadline. "
        "Bad inputs are counted by status; none may get a 5xx. The last case tests only the inference program."
    ),
    cases={
        **{name.replace("_", " "): _case(name) for name in ATTACKS if name != "flood"},
        "flood of distinct flagged texts": flooded,
        "slow texts to the model": attacked_model.held,
    },
    samples={"three attacks, some seconds each": sampled},
)
