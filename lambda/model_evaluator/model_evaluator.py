"""Reads what a training job found out about its model.

SageMaker packs what the job wrote below `output/data/` into `output.tar.gz`, beside the `model.tar.gz`. The evaluation
is in that small one, so the model itself is never read. What the metrics must reach is the workflow's gate to say.
"""

import contextlib
import json
import logging
import math
import posixpath
import tarfile
import zlib
from typing import Any

import boto3

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

MODEL_ARCHIVE = "model.tar.gz"
OUTPUT_ARCHIVE = "output.tar.gz"
EVALUATION = "evaluation.json"
LARGEST_EVALUATION_BYTES = 1 << 20


class InvalidEvaluation(Exception):
    """The training job left no evaluation that can be judged."""


def handler(event: dict[str, str], context: object) -> dict[str, Any]:
    """The evaluation of the job whose model lies at `model_data`, an S3 URI that ends in `model.tar.gz`."""
    bucket, key = output_location(event["model_data"])
    s3 = boto3.client("s3")
    where = f"s3://{bucket}/{key}"
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        raise InvalidEvaluation(
            f"{where} is not there: the training program writes {EVALUATION} to output/data/"
        ) from None
    with contextlib.closing(answer["Body"]) as body:
        evaluation = read_evaluation(body, where)
    LOGGER.info("%s: %s", where, json.dumps(evaluation["metrics"]))
    return evaluation


def output_location(model_data: str) -> tuple[str, str]:
    """Bucket and key of the output archive that lies beside the model's."""
    scheme, _, rest = model_data.partition("://")
    bucket, _, key = rest.partition("/")
    folder, name = posixpath.split(key)
    if scheme != "s3" or not bucket or name != MODEL_ARCHIVE:
        raise InvalidEvaluation(f"model_data is {model_data!r}: it is an S3 URI that ends in /{MODEL_ARCHIVE}")
    return bucket, posixpath.join(folder, OUTPUT_ARCHIVE)


def read_evaluation(stream: Any, where: str) -> dict[str, Any]:
    """The evaluation in a gzipped tar, which is read as a stream and no further than that member."""
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                if posixpath.normpath(member.name) != EVALUATION or not member.isfile():
                    continue
                if member.size > LARGEST_EVALUATION_BYTES:
                    raise InvalidEvaluation(
                        f"{EVALUATION} in {where} has {member.size} bytes: {LARGEST_EVALUATION_BYTES} are allowed"
                    )
                content = archive.extractfile(member)
                if content is not None:
                    return _checked(content.read(), where)
    except (tarfile.TarError, zlib.error, EOFError) as fault:
        raise InvalidEvaluation(f"{where} is no gzipped tar: {fault}") from None
    raise InvalidEvaluation(f"{where} holds no {EVALUATION}: the training program writes it to output/data/")


def _checked(content: bytes, where: str) -> dict[str, Any]:
    try:
        evaluation = json.loads(content)
    except ValueError as fault:
        raise InvalidEvaluation(f"{EVALUATION} in {where} is not JSON: {fault}") from None
    metrics = evaluation.get("metrics") if isinstance(evaluation, dict) else None
    if not isinstance(metrics, dict) or not metrics:
        raise InvalidEvaluation(f"{EVALUATION} in {where} has no metrics: it is an object of names and numbers")
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidEvaluation(f"metrics.{name} in {where} is {value!r}: it is a finite number")
    return {"metrics": metrics} | {
        name: evaluation[name]
        for name in ("recipe", "threshold", "posts", "data_fingerprint", "created")
        if name in evaluation
    }
