import base64
import json
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from tests.container.api.conftest import Api, Balancer, Runtime
from tests.container.api.openapi_answers import assert_is_documented, assert_says_nothing_that_is_not_judged
from tests.waiting import until

OIDC = "x-amzn-oidc-data"


class Reviewer:
    """A client with an identity, from the service's own page."""

    def __init__(self, api: Any, balancer: Any, subject: str = "hana") -> None:
        self._url = api.url
        self._session = requests.Session()
        self._session.headers.update({OIDC: balancer.header(subject), "Origin": api.url})

    def get(self, path: str) -> requests.Response:
        return self._session.get(f"{self._url}{path}", timeout=20)

    def post(self, path: str, body: object, **options: Any) -> requests.Response:
        return self._session.post(f"{self._url}{path}", json=body, timeout=20, **options)

    def take(self, count: int = 10) -> list[dict[str, Any]]:
        answer = self.post("/v1/reviews/take", {"count": count})
        assert answer.status_code == 200, answer.text
        posts: list[dict[str, Any]] = answer.json()["posts"]
        return posts

    def decide(self, post: dict[str, Any], verdict: str = "violation", **more: object) -> requests.Response:
        body = {"lease": post["lease"], "verdict": verdict, **more}
        return self.post(f"/v1/reviews/{post['post']}/decide", body)


@pytest.fixture
def stored(embedded_aws: Any, review_table: str) -> Callable[[], list[dict[str, Any]]]:
    """The posts that are in the table."""

    def read() -> list[dict[str, Any]]:
        items = embedded_aws.client("dynamodb").scan(TableName=review_table, ConsistentRead=True)["Items"]
        return [item for item in items if item["entry"]["S"] == "post"]

    return read


def test_a_reviewer_decides_no_faster_than_allowed_by_all_tasks_together(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    limits = {"REVIEW_DECISIONS_A_MINUTE": "5", "THRESHOLD": "0.5", "DEADLINE_MS": "20000"}
    apis = [start_reviews(runtime.url, **limits) for _ in range(2)]
    runtime.answers("0.9")
    for number in range(24):
        assert apis[0].moderate(f"bad {number}").status_code == 200
    # Not over the end of a minute.
    while time.time() % 60 > 50:
        time.sleep(0.2)
    hana, also_hana = (Reviewer(api, balancer) for api in apis)
    posts = hana.take(12)
    answers = [(hana, also_hana)[place % 2].decide(post) for place, post in enumerate(posts)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 7
    refused = answers[-1]
    assert re.fullmatch(
        r"you have made 5 decisions in this minute, which is the limit: wait \d+ seconds", refused.json()["error"]
    )
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    # A repeated call is no new decision, and taking back is one.
    assert also_hana.decide(posts[0]).status_code == 200
    undone = hana.post(f"/v1/reviews/{posts[0]['post']}/undo", {"decision": 1})
    assert undone.status_code == 429
    ken = Reviewer(apis[1], balancer, "ken")
    assert [ken.decide(post).status_code for post in ken.take(2)] == [200, 200]
    assert hana.get("/v1/reviews/statistics").json()["mine"]["violation"] == 5


def test_what_is_flagged_is_stored_and_reviewed(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer, stored: Callable[[], list[dict[str, Any]]]
) -> None:
    api = start_reviews(runtime.url, THRESHOLD="0.6", REVIEW_SAMPLE_PERCENT="0", DEADLINE_MS="20000")
    for text, probability in [("quiet", "0.2"), ("bad", "0.7"), ("worse", "0.9"), ("BAD", "0.7")]:
        runtime.answers(probability)
        assert api.moderate(text).json()["flag"] == (text != "quiet")
    until(lambda: sorted(item["text"]["S"] for item in stored()) == ["bad", "worse"])
    hana, ken = Reviewer(api, balancer), Reviewer(api, balancer, "ken")
    assert [post["text"] for post in hana.get("/v1/reviews").json()["posts"]] == ["worse", "bad"]
    worse, bad = hana.take()
    assert (worse["text"], worse["probability"], worse["model"], worse["flagged"]) == (
        "worse",
        0.9,
        "moderation-7",
        True,
    )
    assert ken.take() == []
    first = hana.decide(worse, "violation", reason="勧誘")
    assert first.json() == {"post": worse["post"], "verdict": "violation", "decision": 1}
    assert hana.decide(worse, "violation", reason="勧誘").json() == first.json()
    assert hana.decide(worse, "fine").status_code == 409
    assert ken.decide(bad, "fine").status_code == 409
    again = hana.post(f"/v1/reviews/{worse['post']}/undo", {"decision": 1})
    assert again.status_code == 200
    assert hana.decide(again.json(), "fine").json()["decision"] == 3
    statistics = ken.get("/v1/reviews/statistics").json()
    assert statistics["everybody"] == {"violation": 0, "fine": 1, "unsure": 0, "undone": 1}
    assert set(statistics["mine"].values()) == {0}
    assert (statistics["waiting"], statistics["waiting_more"], statistics["reviewer"]) == (1, False, "ken@example.com")


def test_a_stated_part_of_what_is_not_flagged_is_stored_with_its_weight(
    start_reviews: Callable[..., Api], runtime: Runtime, stored: Callable[[], list[dict[str, Any]]]
) -> None:
    api = start_reviews(runtime.url, THRESHOLD="0.6", REVIEW_SAMPLE_PERCENT="25", DEADLINE_MS="20000")
    posts = 160
    for start in range(0, posts, 32):
        runtime.answers(["0.1"] * 32)
        texts = [f"post {number}" for number in range(start, start + 32)]
        answer = requests.post(f"{api.url}/v1/moderations", json={"texts": texts}, timeout=60)
        assert {moderation["flag"] for moderation in answer.json()["moderations"]} == {0}
    # Fixed by the texts' hashes; about a quarter.
    until(lambda: 25 <= len(stored()) <= 55)
    sample = stored()
    assert {item["weight"]["N"] for item in sample} == {"4"}
    assert {item["flagged"]["BOOL"] for item in sample} == {False}
    assert all(0.6 <= float(item["priority"]["N"]) < 1 for item in sample)


def test_a_post_flagged_without_probability_is_stored(
    start_reviews: Callable[..., Api], runtime: Runtime, stored: Callable[[], list[dict[str, Any]]]
) -> None:
    api = start_reviews(runtime.url, DEADLINE_MS="20000")
    runtime.answers("high")
    assert api.moderate("post").json()["fallback"] == "unusable_answer"
    until(lambda: len(stored()) == 1)
    (post,) = stored()
    assert "probability" not in post
    assert post["priority"]["N"] == "1"


class Throttled:
    """Answers like a table that throttles, until it is told to let calls through."""

    def __init__(self, port: int) -> None:
        self.throttles = True
        self.refusals = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port = port
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        body = json.dumps(
            {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow"}
        ).encode()
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
        )
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.throttles:
                    self.refusals += 1
                    threading.Thread(
                        target=self._refuse, args=(client, head.encode() + b"Connection: close\r\n\r\n" + body)
                    ).start()
                    continue
                server = socket.create_connection(("localhost", self._port))
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _refuse(self, client: socket.socket, answer: bytes) -> None:
        with suppress(OSError), client:
            client.settimeout(5)
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65536)
            head, _, rest = request.partition(b"\r\n\r\n")
            stated = re.search(rb"content-length: (\d+)", head.lower())
            assert stated is not None
            length = int(stated[1])
            while len(rest) < length:
                rest += client.recv(65536)
            client.sendall(answer)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source:
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def throttled(embedded_aws: Any) -> Iterator[Any]:
    table = Throttled(int(embedded_aws.endpoint_url.rpartition(":")[2]))
    yield table
    table.close()


def test_a_text_that_is_sent_often_is_written_seldom(
    api_module: Callable[[str], ModuleType],
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    embedded_aws: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = review_store()
    written: list[str] = []
    keep = store.keep

    def note(post: Any, client: Any) -> Any:
        written.append(post.text)
        return keep(post, client)

    monkeypatch.setattr(store, "keep", note)
    stored: list[None] = []
    lost: list[int] = []
    outbox = api_module("reviews.outbox").review_outbox(
        store=store, region="us-east-1", queue_url=None, stored=lambda: stored.append(None), lost=lost.append
    )
    unscored = api_module("unscored.post").UnscoredPost
    for text in ["spam", "Spam", "other", *["ＳＰＡＭ"] * 50]:
        post = review_post(text)
        otherwise = unscored(request_id="a", place=0, received=post.received, reason="review", text=text)
        letter = api_module("reviews.outbox").ReviewLetter(post=post, otherwise=otherwise)
        outbox.put([letter], until=time.monotonic() + 60)
        outbox.drain(until=time.monotonic() + 60)
    assert lost == []
    assert written == ["spam", "other"]
    assert len(stored) == 2


@pytest.mark.parametrize("queue", [True, False])
def test_no_post_is_lost_while_the_table_throttles(
    start_reviews: Callable[..., Api],
    runtime: Runtime,
    balancer: Balancer,
    embedded_aws: Any,
    throttled: Any,
    stored: Callable[[], list[dict[str, Any]]],
    queue: bool,
) -> None:
    settings = {"AWS_ENDPOINT_URL_DYNAMODB": throttled.url, "AWS_ENDPOINT_URL_SQS": embedded_aws.endpoint_url}
    if queue:
        name = f"unscored-{uuid.uuid4().hex}"
        settings["UNSCORED_QUEUE_URL"] = embedded_aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    api = start_reviews(runtime.url, DEADLINE_MS="800", **settings)
    runtime.answers("0.9")
    texts = [f"post {number}" for number in range(12)]
    for text in texts:
        answer = api.moderate(text)
        assert (answer.status_code, answer.json()["flag"]) == (200, 1)
    until(lambda: throttled.refusals > 0)
    assert stored() == []
    hana = Reviewer(api, balancer)
    refused = hana.get("/v1/reviews")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json() == {"error": "the review table does not answer: try again"}
    if queue:
        # What the queue has is not lost even with the service.
        until(lambda: '"stored": true' in api.log_text())
        scored = len(runtime.invocations)
    throttled.throttles = False
    until(lambda: len(stored()) == len(texts))
    assert {item["text"]["S"] for item in stored()} == set(texts)
    assert {item["probability"]["N"] for item in stored()} == {"0.9"}
    if queue:
        assert len(runtime.invocations) == scored, "what was scored is not scored again"
    assert "post 3" not in api.log_text()


def test_a_decision_that_the_table_throttles_is_made_once_when_it_is_sent_again(
    start_reviews: Callable[..., Api],
    runtime: Runtime,
    balancer: Balancer,
    throttled: Any,
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
) -> None:
    store = review_store()
    for number in range(3):
        store.keep(review_post(f"post {number}"))
    posts = [{"post": entry.post, "lease": entry.lease} for entry in store.take(reviewer="hana", count=3)]
    api = start_reviews(runtime.url, AWS_ENDPOINT_URL_DYNAMODB=throttled.url)
    hana = Reviewer(api, balancer)
    assert [hana.decide(post).status_code for post in posts] == [503] * 3
    assert throttled.refusals > 0
    throttled.throttles = False
    for _ in range(2):
        assert [hana.decide(post).json() for post in posts] == [
            {"post": post["post"], "verdict": "violation", "decision": 1} for post in posts
        ]
    assert [len(store.history(post["post"])) for post in posts] == [1] * 3
    assert hana.take() == []


def test_a_service_that_ends_hands_over_what_it_has_and_the_next_goes_on(
    start_reviews: Callable[..., Api],
    runtime: Runtime,
    balancer: Balancer,
    embedded_aws: Any,
    review_table: str,
    throttled: Any,
    stored: Callable[[], list[dict[str, Any]]],
) -> None:
    api = start_reviews(runtime.url, DEADLINE_MS="300", AWS_ENDPOINT_URL_DYNAMODB=throttled.url)
    runtime.answers("0.9")
    for number in range(6):
        assert api.moderate(f"post {number}").status_code == 200
    api.process.send_signal(signal.SIGTERM)
    until(lambda: api.log_text().count("Worker exiting") == 2)
    throttled.throttles = False
    api.process.wait(60)
    assert len(stored()) == 6
    items = embedded_aws.client("dynamodb").scan(TableName=review_table, ConsistentRead=True)["Items"]
    counts = [item for item in items if item["post"]["S"].startswith("received#")]
    assert sum(int(count["flagged:0.925:1:stored"]["N"]) for count in counts) == 6
    second = start_reviews(runtime.url)
    hana = Reviewer(second, balancer)
    (taken, *_) = hana.take(3)
    second.kill()
    third = start_reviews(runtime.url)
    hana = Reviewer(third, balancer)
    assert hana.decide(taken, "fine").json()["decision"] == 1
    assert len(hana.take()) == 5


def test_the_page_and_its_calls_refuse_whoever_is_not_authenticated(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url)
    other = ec.generate_private_key(ec.SECP256R1())
    good = balancer.header()
    head, claims, signature = good.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"sub": "ken", "exp": int(time.time()) + 60}).encode()).decode()
    unsigned = base64.urlsafe_b64encode(
        json.dumps({"alg": "none", "kid": balancer.key_id, "signer": balancer.arn}).encode()
    ).decode()
    not_ours = "sign in again: the header is not from this service's load balancer"
    not_signed = "sign in again: the header is not signed by the load balancer"
    elsewhere = balancer.arn.replace("moderation", "another")
    cases = {
        None: "sign in: the load balancer's header is missing",
        "a": "sign in again: the load balancer's header cannot be read",
        "a.b.c": "sign in again: the load balancer's header cannot be read",
        balancer.header(exp=int(time.time()) - 60): "sign in again: your sign-in has expired",
        balancer.header(exp=None): not_signed,
        balancer.header(key=other): not_signed,
        f"{head}.{forged}.{signature}": not_signed,
        f"{unsigned}.{claims}.": not_ours,
        balancer.header(head={"signer": elsewhere}): not_ours,
        balancer.header(head={"alg": "HS256"}): not_ours,
        balancer.header(head={"kid": "../secret"}): "sign in again: the header names no key",
        balancer.header(head={"kid": "unknown"}): "sign in again: the load balancer has no such key",
        balancer.header("a b"): "sign in again: the header names no user",
    }
    for header, message in cases.items():
        for path in ["/review", "/v1/reviews"]:
            answer = requests.get(f"{api.url}{path}", headers={} if header is None else {OIDC: header}, timeout=20)
            assert (answer.status_code, answer.json()) == (401, {"error": message}), header
    asked = len(balancer.asked)
    for _ in range(5):
        assert requests.get(f"{api.url}/review", headers={OIDC: good}, timeout=20).status_code == 200
    # A key a process, and kept.
    assert len(balancer.asked) - asked <= 2
    assert not any("secret" in path for path in balancer.asked)


def test_writes_come_from_the_services_own_page(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url)
    headers = {OIDC: balancer.header(), "Content-Type": "application/json"}

    def status(**more: str) -> int:
        answer = requests.post(f"{api.url}/v1/reviews/take", data="{}", headers={**headers, **more}, timeout=20)
        return answer.status_code

    assert status(Origin=api.url) == 200
    assert status() == 403
    assert status(Origin="https://elsewhere.example") == 403
    assert status(Origin="null") == 403
    assert status(Origin=api.url, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert status(Origin=api.url, **{"Content-Type": "text/plain"}) == 415


def test_answers_in_one_line_whatever_is_wrong(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url)
    hana = Reviewer(api, balancer)
    nowhere = f"/v1/reviews/{'0' * 64}"
    for path, body, status, error in [
        ("/v1/reviews/take", {"count": 0}, 400, "count must be a whole number from 1 to 50"),
        ("/v1/reviews/take", {"count": True}, 400, "count must be a whole number"),
        ("/v1/reviews/take", [], 400, "the body must be an object with count"),
        (f"{nowhere}/decide", {"lease": "a", "verdict": "bad"}, 400, "verdict must be one of violation, fine, unsure"),
        (f"{nowhere}/decide", {"verdict": "fine"}, 400, "lease must be the one that came with the post"),
        (f"{nowhere}/decide", {"lease": "a", "verdict": "fine"}, 404, "there is no such post"),
        (f"/v1/reviews/{'a' * 3000}/decide", {"lease": "a", "verdict": "fine"}, 404, "there is no such post"),
        (f"{nowhere}/undo", {}, 400, "decision must be the number of your decision"),
        (f"{nowhere}/undo", {"decision": 1}, 404, "there is no such post"),
    ]:
        answer = hana.post(path, body)
        assert (answer.status_code, answer.json()) == (status, {"error": error})
    long = hana.post(f"{nowhere}/decide", {"lease": "a", "verdict": "fine", "reason": "a" * 501})
    assert long.status_code == 400
    for count in ["0", "51", "x", "", "-1", "٣"]:
        assert hana.get(f"/v1/reviews?count={count}").status_code == 400


def test_every_answer_is_as_the_document_says(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url, DEADLINE_MS="20000")
    hana = Reviewer(api, balancer)
    document = hana.get("/review/openapi.json").json()
    assert api.moderate("post").json()["flag"] == 1

    assert_says_nothing_that_is_not_judged(document)

    def check(answer: requests.Response, path: str, method: str) -> dict[str, Any]:
        content: dict[str, Any] = assert_is_documented(answer, path, method, document)
        return content

    check(hana.get("/v1/reviews"), "/v1/reviews", "get")
    (post,) = check(hana.post("/v1/reviews/take", {}), "/v1/reviews/take", "post")["posts"]
    decided = check(hana.decide(post), "/v1/reviews/{post}/decide", "post")
    check(hana.decide(post, "fine"), "/v1/reviews/{post}/decide", "post")
    undo = {"decision": decided["decision"]}
    check(hana.post(f"/v1/reviews/{post['post']}/undo", undo), "/v1/reviews/{post}/undo", "post")
    check(hana.post(f"/v1/reviews/{post['post']}/undo", {"decision": 9}), "/v1/reviews/{post}/undo", "post")
    check(hana.get("/v1/reviews/statistics"), "/v1/reviews/statistics", "get")
    assert "<h2>POST /v1/reviews/{post}/decide</h2>" in hana.get("/review/docs").text


def test_strangers_are_described_nothing_of_the_reviewers_calls(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url)
    for path in ["/docs", "/openapi.json"]:
        for headers in [{}, {OIDC: balancer.header()}]:
            answer = requests.get(f"{api.url}{path}", headers=headers, timeout=5)
            assert answer.status_code == 200
            assert "/v1/moderations" in answer.text
            assert not re.search("review(er|s|_)|lease|verdict", answer.text)
    for path in ["/review/docs", "/review/openapi.json"]:
        assert requests.get(f"{api.url}{path}", timeout=5).status_code == 401


def test_what_is_not_to_be_guessed_framed_or_sent_in_the_clear_says_so(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url)
    hana = Reviewer(api, balancer)
    over_https = {"X-Forwarded-Proto": "https"}
    paths = ["/docs", "/openapi.json", "/health", "/nowhere", "/review", "/v1/reviews", "/review/docs"]
    for path in [*paths, "/review/openapi.json", "/v1/reviews/statistics"]:
        for get in (requests.get, hana._session.get):
            answer = get(f"{api.url}{path}", headers=over_https, timeout=20)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if answer.headers["Content-Type"].startswith("text/html"):
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        for plain in [{}, {"X-Forwarded-Proto": "http"}]:
            answer = requests.get(f"{api.url}{path}", headers=plain, timeout=20)
            assert "Strict-Transport-Security" not in answer.headers
    malformed = requests.get(f"{api.url}/docs", headers={"Transfer-Encoding": "gzip"}, timeout=5)
    assert malformed.status_code == 400
    assert malformed.headers["X-Content-Type-Options"] == "nosniff"


def test_without_a_signer_posts_are_stored_and_nothing_is_open(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer, stored: Callable[[], list[dict[str, Any]]]
) -> None:
    api = start_reviews(runtime.url, REVIEW_SIGNER="", DEADLINE_MS="20000")
    assert api.moderate("post").json()["flag"] == 1
    until(lambda: len(stored()) == 1)
    for path in ["/review", "/v1/reviews"]:
        assert requests.get(f"{api.url}{path}", headers={OIDC: balancer.header()}, timeout=5).status_code == 404
    assert "/v1/reviews" not in requests.get(f"{api.url}/openapi.json", timeout=5).json()["paths"]


def test_what_is_stored_and_decided_are_metrics(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url, DEADLINE_MS="20000", SERVICE_NAME="reviewed")
    api.moderate("post")
    hana = Reviewer(api, balancer)
    until(lambda: hana.get("/v1/reviews").json()["posts"] != [])
    (post,) = hana.take()
    hana.decide(post)

    def named(name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in api.log_text().splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if name in line]

    for name in ["ReviewStored", "ReviewDecisions"]:
        until(partial(named, name))
        (line,) = named(name)
        assert (line[name], line["service"]) == (1, "reviewed")
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive == {
            "Namespace": "Moderation/Api",
            "Dimensions": [["service"]],
            "Metrics": [{"Name": name, "Unit": "Count"}],
        }
