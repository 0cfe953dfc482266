"""Sends some held-out posts to a SageMaker endpoint, and refuses the endpoint if an answer is not valid.

An endpoint that is InService may still serve the previous model, or answer in a form that its callers cannot read. If
the training job wrote golden posts (texts with the exported model's predictions) beside its model, the endpoint has to
give the same predictions: a model that is served with different preprocessing does not.
"""

import contextlib
import io
import json
import logging
import posixpath
import re
import tarfile
import time
import zlib
from collections.abc import Iterator
from typing import Any, cast

import boto3
from botocore.config import Config

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

POSTS_ASKED = 8
LONGEST_LINE_BYTES = 1 << 22
OUTPUT_ARCHIVE = "output.tar.gz"
GOLDEN_POSTS = "golden_posts.jsonl"
MOST_GOLDEN_POSTS = 64
LARGEST_GOLDEN_POSTS_BYTES = 1 << 20
LARGEST_DIFFERENCE = 0.01


class EndpointRefusedError(Exception):
    """The endpoint's answer is not valid; the message says which post, what the answer was, and what was expected."""


class InvalidGoldenPostsError(Exception):
    """The golden posts of the training job cannot be read."""


def handler(event: dict[str, str], context: object) -> dict[str, Any]:
    """Invokes `endpoint_name` with the first posts at `posts` (S3 URI, JSON lines); `model` has to answer.

    Then it sends the golden posts beside `model_data` (S3 URI of the model's archive), if there are any; each answer
    has to be within 0.01 of the recorded prediction. Returns the number of both kinds of posts, the largest difference,
    and the longest response time in milliseconds.
    """
    endpoint = Endpoint(event["endpoint_name"], event["model"])
    asked = 0
    for text in held_out_texts(event["posts"]):
        asked += 1
        endpoint.ask(text, f"held-out post {asked}")
    if not asked:
        raise EndpointRefusedError(f"{event['posts']} has no post to check the endpoint with")
    golden = golden_posts(event["model_data"]) if "model_data" in event else []
    largest = 0.0
    for number, (text, expected) in enumerate(golden, start=1):
        got = endpoint.ask(text, f"golden post {number}")
        largest = max(largest, abs(got - expected))
        if largest > LARGEST_DIFFERENCE:
            raise EndpointRefusedError(
                f"golden post {number}: the endpoint says {got:.6f}, the exported model said {expected:.6f}: "
                f"at most {LARGEST_DIFFERENCE} apart is allowed"
            )
    result = {
        "posts": asked,
        "golden_posts": len(golden),
        "largest_difference": round(largest, 6),
        "slowest_ms": round(endpoint.slowest_ms, 1),
    }
    LOGGER.info("%s answers as agreed: %s", event["endpoint_name"], json.dumps(result))
    return result


class Endpoint:
    """The endpoint to check, and the model that has to answer."""

    def __init__(self, name: str, model: str) -> None:
        self._name = name
        self._model = model
        self._runtime = boto3.client("sagemaker-runtime", config=Config(read_timeout=30, retries={"mode": "standard"}))
        self.slowest_ms = 0.0

    def ask(self, text: str, which: str) -> float:
        """The probability of a violation. Raises EndpointRefusedError if the answer is not valid."""
        started = time.monotonic()
        answer = self._runtime.invoke_endpoint(
            EndpointName=self._name,
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"text": text}).encode(),
        )
        body = answer["Body"].read()
        self.slowest_ms = max(self.slowest_ms, (time.monotonic() - started) * 1000)
        return checked_answer(body, answer.get("CustomAttributes", ""), self._model, which)


def held_out_texts(uri: str) -> Iterator[str]:
    """The texts of the first posts of a JSON-lines object; the rest of it is not read."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with contextlib.closing(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]) as body:
        lines = io.BufferedReader(cast(io.RawIOBase, body))
        for _ in range(POSTS_ASKED):
            line = lines.readline(LONGEST_LINE_BYTES)
            if not line:
                return
            yield json.loads(line)["text"]


def golden_posts(model_data: str) -> list[tuple[str, float]]:
    """Text and probability of each golden post beside the model's archive; empty if the job wrote none.

    The archive is read as a stream, up to that member.
    """
    bucket, _, key = model_data.removeprefix("s3://").partition("/")
    key = posixpath.join(posixpath.dirname(key), OUTPUT_ARCHIVE)
    where = f"{GOLDEN_POSTS} in s3://{bucket}/{key}"
    s3 = boto3.client("s3")
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return []
    stream: Any = answer["Body"]
    try:
        with contextlib.closing(stream), tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                if posixpath.normpath(member.name) == GOLDEN_POSTS and member.isfile():
                    if member.size > LARGEST_GOLDEN_POSTS_BYTES:
                        raise InvalidGoldenPostsError(
                            f"{where} has {member.size} bytes: {LARGEST_GOLDEN_POSTS_BYTES} are allowed"
                        )
                    content = archive.extractfile(member)
                    return [] if content is None else _read_golden_posts(content.read(), where)
    except (tarfile.TarError, zlib.error, EOFError) as fault:
        raise InvalidGoldenPostsError(f"s3://{bucket}/{key} is no gzipped tar: {fault}") from None
    return []


def _read_golden_posts(content: bytes, where: str) -> list[tuple[str, float]]:
    lines = content.splitlines()
    if len(lines) > MOST_GOLDEN_POSTS:
        raise InvalidGoldenPostsError(f"{where} has {len(lines)} lines: {MOST_GOLDEN_POSTS} are allowed")
    posts = []
    for number, line in enumerate(lines, start=1):
        try:
            post = json.loads(line)
        except (ValueError, RecursionError):
            post = None
        match post:
            case {"text": str(text), "probability": float() | int() as probability} if 0 <= probability <= 1:
                posts.append((text, float(probability)))
            case _:
                raise InvalidGoldenPostsError(
                    f"{where}, line {number}: {len(line)} bytes of something else: it must have a text and a "
                    "probability from 0 to 1"
                )
    return posts


def checked_answer(body: bytes, custom_attributes: str, model: str, which: str) -> float:
    """The probability in `body`, which is `{"predictions": "<0 to 1>"}`; the attributes have to name `model`.

    Raises EndpointRefusedError otherwise.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise EndpointRefusedError(f"{which}: the answer is not JSON, in {len(body)} bytes") from None
    prediction = content.get("predictions") if isinstance(content, dict) else None
    if not isinstance(prediction, str) or not _is_probability(prediction):
        raise EndpointRefusedError(
            f"{which}: predictions is {_kind(prediction)}: it must be a probability from 0 to 1 as a string"
        )
    served = re.search(r"(?:^|[,;\s])model=([^,;\s]+)", custom_attributes)
    if served is None or served[1] != model:
        raise EndpointRefusedError(
            f"{which}: answered by {_shown(served[1]) if served else 'an unnamed model'}, needed {model}"
        )
    return float(prediction)


def _kind(value: object) -> str:
    """The kind of a value, without its content: an answer may contain the post that was sent."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return {type(None): "missing", bool: "true or false", int: "a number", float: "a number"}.get(
        type(value), "an array or an object"
    )


def _shown(model: str) -> str:
    """A model's name, if SageMaker allows it."""
    return model if re.fullmatch(r"[a-zA-Z0-9-]{1,63}", model) else "something that is not a model's name"


def _is_probability(text: str) -> bool:
    # float() would also accept ' 0.5 ', 'nan' and '1_0'.
    return re.fullmatch(r"\d+(\.\d*)?([eE][-+]?\d+)?", text, re.ASCII) is not None and 0 <= float(text) <= 1
