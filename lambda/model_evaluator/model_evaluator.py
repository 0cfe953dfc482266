"""Says how good a new model is, and how good the current one is on the same held-out posts.

SageMaker packs what the training job wrote below `output/data/` into `output.tar.gz`, beside the `model.tar.gz`. The
evaluation is in that small one, so the model itself is never read. The current model's metrics are computed here, from
what a batch transform job had it say of the held-out posts. What metrics must reach is the workflow's gate to say.
"""

import contextlib
import itertools
import json
import logging
import math
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any

import boto3

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

MODEL_ARCHIVE = "model.tar.gz"
OUTPUT_ARCHIVE = "output.tar.gz"
EVALUATION = "evaluation.json"
LARGEST_EVALUATION_BYTES = 1 << 20
POSTS = "posts.jsonl"


class InvalidEvaluationError(Exception):
    """The training job left no evaluation that can be judged."""


class InvalidScoresError(Exception):
    """What the current model said of the held-out posts cannot be judged."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The evaluation of the job whose model lies at `model_data`, an S3 URI that ends in `model.tar.gz`.

    `current_metrics` in it are the current model's: `current_scores` is the S3 URI of its predictions, one a line, in
    the order of the posts in the folder at `test_uri`. They are null where `current_scores` is.
    """
    bucket, key = output_location(event["model_data"])
    s3 = boto3.client("s3")
    where = f"s3://{bucket}/{key}"
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        raise InvalidEvaluationError(
            f"{where} is not there: the training program writes {EVALUATION} to output/data/"
        ) from None
    with contextlib.closing(answer["Body"]) as body:
        evaluation = read_evaluation(body, where)
    scores = event.get("current_scores")
    evaluation["current_metrics"] = None if scores is None else current_metrics(s3, scores, event["test_uri"])
    LOGGER.info("%s: %s; current: %s", where, *(json.dumps(evaluation[of]) for of in ("metrics", "current_metrics")))
    return evaluation


def current_metrics(s3: Any, scores_uri: str, test_uri: str) -> dict[str, float]:
    """AUC and average precision of predictions at `scores_uri` for the labelled posts in the folder at `test_uri`."""
    posts_uri = f"{test_uri.rstrip('/')}/{POSTS}"
    labels = [_label(line, f"{posts_uri}, line {number}") for number, line in _lines(s3, posts_uri)]
    scores = [_score(line, f"{scores_uri}, line {number}") for number, line in _lines(s3, scores_uri)]
    if len(labels) != len(scores):
        raise InvalidScoresError(f"{scores_uri} holds {len(scores)} predictions for {len(labels)} posts in {posts_uri}")
    if not 0 < sum(labels) < len(labels):
        raise InvalidScoresError(
            f"{posts_uri} holds {sum(labels)} violations in {len(labels)} posts: both kinds are needed"
        )
    return {"auc": area_under_curve(labels, scores), "average_precision": average_precision(labels, scores)}


def area_under_curve(labels: list[int], scores: list[float]) -> float:
    """The chance that a violation (label 1) scores higher than another post; of equal scores half count.

    The Mann-Whitney U of the violations over the number of pairs; both labels have to occur.
    """
    positives = sum(labels)
    negatives = len(labels) - positives
    won = 0.0
    lower = 0
    for hits, misses in _of_equal_scores(labels, scores, descending=False):
        won += hits * (lower + misses / 2)
        lower += misses
    return won / (positives * negatives)


def average_precision(labels: list[int], scores: list[float]) -> float:
    """Precision at each distinct score, weighted by the recall gained there: AP = Σ (Rₙ - Rₙ₋₁) Pₙ."""
    positives = sum(labels)
    found = flagged = 0
    total = 0.0
    for hits, misses in _of_equal_scores(labels, scores, descending=True):
        found += hits
        flagged += hits + misses
        total += hits / positives * found / flagged
    return total


def _of_equal_scores(labels: list[int], scores: list[float], *, descending: bool) -> Iterator[tuple[int, int]]:
    """How many violations and how many other posts there are at each distinct score."""
    ranked = sorted(zip(scores, labels, strict=True), reverse=descending)
    for _, equals in itertools.groupby(ranked, key=lambda pair: pair[0]):
        group = [label for _, label in equals]
        yield sum(group), len(group) - sum(group)


def _lines(s3: Any, uri: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that is not blank."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        raise InvalidScoresError(f"{uri} is not there") from None
    with contextlib.closing(answer["Body"]) as body:
        for number, line in enumerate(body.iter_lines(), start=1):
            if line.strip():
                yield number, line.decode("utf-8", "replace")


def _label(line: str, at: str) -> int:
    label = _value(line, "label")
    if type(label) is not int or label not in (0, 1):
        raise InvalidScoresError(f"{at}: label is {json.dumps(label)[:40]}: it is 0 (fine) or 1 (a violation)")
    return label


def _score(line: str, at: str) -> float:
    prediction = _value(line, "predictions")
    try:
        score = float(prediction) if isinstance(prediction, str) else math.nan
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise InvalidScoresError(f"{at}: predictions is {json.dumps(prediction)[:80]}: it is a probability as a string")
    return score


def _value(line: str, key: str) -> Any:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content.get(key) if isinstance(content, dict) else None


def output_location(model_data: str) -> tuple[str, str]:
    """Bucket and key of the output archive that lies beside the model's."""
    scheme, _, rest = model_data.partition("://")
    bucket, _, key = rest.partition("/")
    folder, name = posixpath.split(key)
    if scheme != "s3" or not bucket or name != MODEL_ARCHIVE:
        raise InvalidEvaluationError(f"model_data is {model_data!r}: it is an S3 URI that ends in /{MODEL_ARCHIVE}")
    return bucket, posixpath.join(folder, OUTPUT_ARCHIVE)


def read_evaluation(stream: Any, where: str) -> dict[str, Any]:
    """The evaluation in a gzipped tar, which is read as a stream and no further than that member."""
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                if posixpath.normpath(member.name) != EVALUATION or not member.isfile():
                    continue
                if member.size > LARGEST_EVALUATION_BYTES:
                    raise InvalidEvaluationError(
                        f"{EVALUATION} in {where} has {member.size} bytes: {LARGEST_EVALUATION_BYTES} are allowed"
                    )
                content = archive.extractfile(member)
                if content is not None:
                    return _checked(content.read(), where)
    except (tarfile.TarError, zlib.error, EOFError) as fault:
        raise InvalidEvaluationError(f"{where} is no gzipped tar: {fault}") from None
    raise InvalidEvaluationError(f"{where} holds no {EVALUATION}: the training program writes it to output/data/")


def _checked(content: bytes, where: str) -> dict[str, Any]:
    try:
        evaluation = json.loads(content)
    except ValueError as fault:
        raise InvalidEvaluationError(f"{EVALUATION} in {where} is not JSON: {fault}") from None
    metrics = evaluation.get("metrics") if isinstance(evaluation, dict) else None
    if not isinstance(metrics, dict) or not metrics:
        raise InvalidEvaluationError(f"{EVALUATION} in {where} has no metrics: it is an object of names and numbers")
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidEvaluationError(f"metrics.{name} in {where} is {value!r}: it is a finite number")
    return {"metrics": metrics} | {
        name: evaluation[name]
        for name in ("recipe", "threshold", "posts", "data_fingerprint", "created")
        if name in evaluation
    }
