"""A marked post through every failure of the ML API: it is in no error, no log line and no metric."""

import json
import logging
import sys
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import Any

import requests

from tests.container.api.conftest import Api, Balancer, Runtime
from tests.waiting import until

MARK = "zqx-marked-7f3a"
POST = f"電話は{MARK}です。返して"
OIDC = "x-amzn-oidc-data"
BODY = json.dumps({"text": POST}, ensure_ascii=False)
BAD_BODIES = [
    BODY[:-2],
    f"{BODY} {BODY}",
    POST,
    json.dumps(POST),
    json.dumps([POST]),
    json.dumps({POST: POST}),
    json.dumps({"text": [POST]}),
    json.dumps({"text": POST, "texts": [POST]}),
    json.dumps({"texts": POST}),
    json.dumps({"texts": [POST] * 33}),
    json.dumps({"texts": [POST, 5]}),
    json.dumps({"text": POST * 1000}),
    f'{{"text": "{MARK}\\ud800"}}',
    f'{{"text": {"[" * 100_000}{POST}',
    f'{{"text": "{POST}", "n": {"9" * 5000}',
]
FAULTS: list[Callable[..., None]] = [
    lambda runtime: runtime.answers_bytes(b"", close=True),
    lambda runtime: runtime.answers_bytes(POST.encode(), close=True),
    lambda runtime: runtime.answers("0.9", after_seconds=2),
    lambda runtime: runtime.answers(POST),
    lambda runtime: runtime.answers_body(BODY.encode()),
    lambda runtime: runtime.answers_body(POST.encode()),
    lambda runtime: runtime.answers_body(
        json.dumps({"message": POST}).encode(), status="400 Bad", headers=["X-Amzn-ErrorType: ValidationException"]
    ),
    lambda runtime: runtime.answers_body(
        json.dumps({"Message": POST, "OriginalMessage": POST, "OriginalStatusCode": 400}).encode(),
        status="424 Failed Dependency",
        headers=["X-Amzn-ErrorType: ModelError"],
    ),
    lambda runtime: runtime.answers_body(POST.encode(), status="500 Internal"),
]


def is_marked(said: str) -> bool:
    return any(part in said for part in (MARK, MARK[:6], "電話", "返して", "\\u96fb\\u8a71"))


def test_nothing_of_a_post_is_said(
    start_reviews: Callable[..., Api], runtime: Runtime, embedded_aws: Any, review_table: str, balancer: Balancer
) -> None:
    sqs = embedded_aws.client("sqs")
    queue_url = sqs.create_queue(QueueName=f"marked-{uuid.uuid4().hex}")["QueueUrl"]
    api = start_reviews(
        runtime.url,
        THRESHOLD="0.6",
        DEADLINE_MS="600",
        BREAKER_FAILURES="1000",
        AWS_ENDPOINT_URL_SQS=embedded_aws.endpoint_url,
        UNSCORED_QUEUE_URL=queue_url,
    )
    answers = [
        requests.post(
            f"{api.url}/v1/moderations",
            data=body.encode("utf-8", "surrogatepass"),
            headers={"Content-Type": kind},
            timeout=20,
        )
        for body in BAD_BODIES
        for kind in ("application/json", "text/plain")
    ]
    assert {answer.status_code for answer in answers} == {400, 415}
    # Where a post may be sent by mistake.
    for path in (f"/v1/moderations?text={POST}", f"/{POST}", f"/v1/reviews/{POST}"):
        answers.append(requests.get(f"{api.url}{path}", timeout=20))
    for fault in FAULTS:
        fault(runtime)
        answers.append(api.moderate(POST))
        assert answers[-1].json()["flag"] == 1
    runtime.answers("0.93")
    answers.append(api.moderate(POST))
    # Late scoring, of what was queued and of what is none of its messages.
    for message in (POST, BODY, json.dumps({"version": 1, "text": POST}), json.dumps({"version": 1, POST: POST})):
        sqs.send_message(QueueUrl=queue_url, MessageBody=message)
    until(lambda: "unreadable message" in api.log_text() and "late_decision" in api.log_text())
    # What a reviewer sends, beside the post.
    headers = {OIDC: balancer.header("hana"), "Origin": api.url}
    for path, body in (
        ("take", {"count": POST}),
        ("take", POST),
        (f"{POST}/decide", {"lease": POST, "verdict": "fine"}),
        (f"{'0' * 64}/decide", {"lease": POST, "verdict": POST}),
        (f"{'0' * 64}/decide", {"lease": "1", "verdict": "fine", "reason": POST * 100}),
        (f"{'0' * 64}/undo", {"decision": POST}),
    ):
        answers.append(requests.post(f"{api.url}/v1/reviews/{path}", json=body, headers=headers, timeout=20))
        assert answers[-1].status_code >= 400
    # The table is gone, and what is flagged has nowhere to go.
    embedded_aws.client("dynamodb").delete_table(TableName=review_table)
    answers.append(api.moderate(f"{POST} again"))
    answers.append(requests.post(f"{api.url}/v1/reviews/take", json={"count": 5}, headers=headers, timeout=20))
    assert answers[-1].status_code == 503
    log = api.log_text_at_rest()
    assert '"message": "metrics"' in log
    assert '"message": "the review table did not accept a post"' in log
    assert not [line for line in log.splitlines() if is_marked(line)]
    assert not [answer.text for answer in answers if is_marked(answer.text)]


def test_a_traceback_has_the_frames_and_no_message(api_module: Callable[[str], ModuleType]) -> None:
    formatter = api_module("observability.json_log").JsonFormatter()
    try:
        try:
            int(POST)
        except ValueError as fault:
            raise RuntimeError(POST) from fault
    except RuntimeError:
        record = logging.LogRecord("api", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    line = json.loads(formatter.format(record))
    assert not is_marked(json.dumps(line, ensure_ascii=False))
    assert line["traceback"].count("in test_a_traceback_has_the_frames_and_no_message") == 2
    assert line["traceback"].index("ValueError") < line["traceback"].index("RuntimeError")
