"""Asks a SageMaker endpoint about a few held-out posts and refuses it unless it answers as agreed.

An endpoint that is InService may still serve the model before, or answer with something that its callers cannot read.
"""

import contextlib
import io
import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any, cast

import boto3
from botocore.config import Config

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

POSTS_ASKED = 8
LONGEST_LINE_BYTES = 1 << 22


class EndpointRefused(Exception):
    """The endpoint does not answer as agreed; the message says which post, what came and what should have."""


def handler(event: dict[str, str], context: object) -> dict[str, Any]:
    """Invokes `endpoint_name` with the first posts at `posts` (S3 URI, JSON lines) and expects `model` to answer.

    Returns how many were asked and the longest answer in milliseconds.
    """
    runtime = boto3.client("sagemaker-runtime", config=Config(read_timeout=30, retries={"mode": "standard"}))
    slowest_ms = 0.0
    asked = 0
    for text in held_out_texts(event["posts"]):
        asked += 1
        started = time.monotonic()
        answer = runtime.invoke_endpoint(
            EndpointName=event["endpoint_name"],
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"text": text}).encode(),
        )
        body = answer["Body"].read()
        slowest_ms = max(slowest_ms, (time.monotonic() - started) * 1000)
        check_answer(body, answer.get("CustomAttributes", ""), event["model"], f"held-out post {asked}")
    if not asked:
        raise EndpointRefused(f"{event['posts']} holds no post to check the endpoint with")
    result = {"posts": asked, "slowest_ms": round(slowest_ms, 1)}
    LOGGER.info("%s answers as agreed: %s", event["endpoint_name"], json.dumps(result))
    return result


def held_out_texts(uri: str) -> Iterator[str]:
    """The texts of the first posts of a JSON-lines object, of which no more is read."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with contextlib.closing(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]) as body:
        lines = io.BufferedReader(cast(io.RawIOBase, body))
        for _ in range(POSTS_ASKED):
            line = lines.readline(LONGEST_LINE_BYTES)
            if not line:
                return
            yield json.loads(line)["text"]


def check_answer(body: bytes, custom_attributes: str, model: str, which: str) -> None:
    """Raises EndpointRefused unless `body` is `{"predictions": "<0 to 1>"}` and the attributes name `model`."""
    try:
        content = json.loads(body)
    except ValueError:
        raise EndpointRefused(f"{which}: the answer is not JSON: {body[:80]!r}") from None
    prediction = content.get("predictions") if isinstance(content, dict) else None
    if not isinstance(prediction, str) or not _is_probability(prediction):
        raise EndpointRefused(
            f"{which}: predictions is {json.dumps(prediction)[:80]}: it is a probability from 0 to 1 as a string"
        )
    served = re.search(r"(?:^|[,;\s])model=([^,;\s]+)", custom_attributes)
    if served is None or served[1] != model:
        raise EndpointRefused(f"{which}: answered by {served[1] if served else 'an unnamed model'}, needed {model}")


def _is_probability(text: str) -> bool:
    # float() would take ' 0.5 ', 'nan' and '1_0' too.
    return re.fullmatch(r"\d+(\.\d*)?([eE][-+]?\d+)?", text, re.ASCII) is not None and 0 <= float(text) <= 1
