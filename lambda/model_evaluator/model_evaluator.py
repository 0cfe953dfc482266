"""Evaluates a new model, and the current model on the same held-out posts.

SageMaker packs the training job's files below `output/data/` into `output.tar.gz`, beside `model.tar.gz`. The
evaluation is in that small archive, so the model itself is never read. The current model's metrics are computed here,
from its predictions for the held-out posts, which a batch transform job makes. If training wrote the new model's
prediction for each of these posts, intervals of its AUC and of the difference are computed too. The workflow's gate
decides what the metrics must reach.
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
from auc_interval import CONFIDENCE, area_interval, drop_interval, shares

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

MODEL_ARCHIVE = "model.tar.gz"
OUTPUT_ARCHIVE = "output.tar.gz"
EVALUATION = "evaluation.json"
LARGEST_EVALUATION_BYTES = 1 << 20
POSTS = "posts.jsonl"
SCORES = "held_out_scores.jsonl"
"""File that training writes beside its evaluation: one prediction per line, in the order of the test posts."""
LONGEST_SCORE_BYTES = 200
PROFILE = "validation_profile.json"
"""File that training writes beside its evaluation: number of validation posts per measure, bin and label."""
LARGEST_PROFILE_BYTES = 1 << 15
MOST_BINS = 100
LARGEST_DIFFERENCE = 1e-6
USABLE_SHARE = 0.9
"""Share of a machine's memory for the model; the system and SageMaker need the rest."""


class InvalidEvaluationError(Exception):
    """The training job's evaluation is missing or not usable."""


class TooLittleMemoryError(Exception):
    """The model needs more memory to serve than a machine of the endpoint has."""


class InvalidScoresError(Exception):
    """The current model's predictions for the held-out posts are not usable."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The evaluation of the training job with the model at `model_data`, an S3 URI that ends in `model.tar.gz`.

    Its `current_metrics` are the current model's: `current_scores` is the S3 URI of its predictions, one per line, in
    the order of the posts in the folder at `test_uri`. They are null if `current_scores` is null.

    `machines` are the machines that will serve it: `name`, `mib` of memory and number of `workers`, each with its own
    model. If training measured the memory of serving (`serving` in the evaluation), a machine with less is refused.

    `comparison` has the intervals: `auc`, and `auc_drop`, how much lower the new AUC is than the current one, each with
    `value`, `low` and `high`, both bounds at `confidence`; and the number of `posts` and `violations`. It is empty if
    training wrote no `held_out_scores.jsonl` for exactly these posts, and has no `auc_drop` without a current model.

    `validation` is the profile of the validation posts that training wrote, with which served posts are compared; empty
    if it wrote none.
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
        evaluation, new_scores, profile = read_output(body, where)
    refuse_too_little_memory(evaluation.get("serving"), event.get("machines", []))
    scores_uri, current_scores = event.get("current_scores"), None
    evaluation |= {"current_metrics": None, "comparison": {}, "validation": profile}
    if scores_uri is not None or new_scores is not None:
        labels = held_out_labels(s3, event["test_uri"])
        if scores_uri is not None:
            current_scores = scores_of(s3, scores_uri, len(labels))
            evaluation["current_metrics"] = current_metrics(labels, current_scores)
        if new_scores is not None:
            evaluation["comparison"] = comparison(labels, new_scores, current_scores, evaluation["metrics"])
    LOGGER.info(
        "%s: %s; current: %s; %s",
        where,
        *(json.dumps(evaluation[of]) for of in ("metrics", "current_metrics", "comparison")),
    )
    return evaluation


def refuse_too_little_memory(serving: Any, machines: list[dict[str, Any]]) -> None:
    """Refuses a machine with too little memory. `serving` has `mib`, all processes with one worker, of which
    `worker_mib` are the worker's; without both, no machine is refused.
    """
    if not isinstance(serving, dict) or not all(type(serving.get(of)) is int for of in ("mib", "worker_mib")):
        return
    for machine in machines:
        needed = serving["mib"] + (machine["workers"] - 1) * serving["worker_mib"]
        usable = int(USABLE_SHARE * machine["mib"])
        if needed > usable:
            raise TooLittleMemoryError(
                f"the model needs {needed} MiB to serve with {machine['workers']} workers, and {machine['name']} has "
                f"{machine['mib']}, of which {usable} are available to it: use an instance type with more memory, "
                "fewer workers (MODEL_SERVER_WORKERS), or a smaller model (recipe student)"
            )


def held_out_labels(s3: Any, test_uri: str) -> list[int]:
    """The labels of the posts in the folder at `test_uri`; both labels have to occur."""
    posts_uri = f"{test_uri.rstrip('/')}/{POSTS}"
    labels = [_label(line, f"{posts_uri}, line {number}") for number, line in _lines(s3, posts_uri)]
    if not 0 < sum(labels) < len(labels):
        raise InvalidScoresError(
            f"{posts_uri} holds {sum(labels)} violations in {len(labels)} posts: both kinds are needed"
        )
    return labels


def scores_of(s3: Any, scores_uri: str, posts: int) -> list[float]:
    """The predictions at `scores_uri` for that number of posts."""
    scores = [_score(line, f"{scores_uri}, line {number}") for number, line in _lines(s3, scores_uri)]
    if len(scores) != posts:
        raise InvalidScoresError(f"{scores_uri} holds {len(scores)} predictions for {posts} held-out posts")
    return scores


def current_metrics(labels: list[int], scores: list[float]) -> dict[str, float]:
    """AUC and average precision of the current model."""
    return {"auc": shares(labels, scores).area, "average_precision": average_precision(labels, scores)}


def comparison(
    labels: list[int], new: list[float], current: list[float] | None, metrics: dict[str, float]
) -> dict[str, Any]:
    """Intervals of the new AUC and of its difference from the current one, as the handler describes."""
    if len(new) != len(labels):
        LOGGER.warning("%d predictions for %d held-out posts: no intervals", len(new), len(labels))
        return {}
    of_new = shares(labels, new)
    if "auc" not in metrics or abs(of_new.area - metrics["auc"]) > LARGEST_DIFFERENCE:
        # Predictions for other posts, or in another order, as a preprocessing step may leave them.
        LOGGER.warning("the predictions' AUC is %.6f, which is not the evaluation's: no intervals", of_new.area)
        return {}
    found = {
        "confidence": CONFIDENCE,
        "posts": len(labels),
        "violations": sum(labels),
        "auc": area_interval(of_new).as_json(),
    }
    if current is not None:
        found["auc_drop"] = drop_interval(shares(labels, current), of_new).as_json()
    return found


def average_precision(labels: list[int], scores: list[float]) -> float:
    """Precision at each distinct score, weighted by the recall gained there: AP = Σ (Rₙ - Rₙ₋₁) Pₙ."""
    positives = sum(labels)
    found = flagged = 0
    total = 0.0
    for hits, misses in _of_equal_scores(labels, scores):
        found += hits
        flagged += hits + misses
        total += hits / positives * found / flagged
    return total


def _of_equal_scores(labels: list[int], scores: list[float]) -> Iterator[tuple[int, int]]:
    """Number of violations and of other posts at each distinct score, the highest first."""
    ranked = sorted(zip(scores, labels, strict=True), reverse=True)
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
        raise InvalidScoresError(f"{at}: label is {_kind(label)}: it must be 0 (fine) or 1 (a violation)")
    return label


def _score(line: str, at: str) -> float:
    prediction = _value(line, "predictions")
    try:
        score = float(prediction) if isinstance(prediction, str) else math.nan
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise InvalidScoresError(f"{at}: predictions is {_kind(prediction)}: it must be a probability as a string")
    return score


def _kind(value: object) -> str:
    """The kind of a value, without its content: it may be a post."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return {type(None): "missing", bool: "true or false", int: "another number", float: "another number"}.get(
        type(value), "an array or an object"
    )


def _value(line: str, key: str) -> Any:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content.get(key) if isinstance(content, dict) else None


def output_location(model_data: str) -> tuple[str, str]:
    """Bucket and key of the output archive beside the model's."""
    scheme, _, rest = model_data.partition("://")
    bucket, _, key = rest.partition("/")
    folder, name = posixpath.split(key)
    if scheme != "s3" or not bucket or name != MODEL_ARCHIVE:
        raise InvalidEvaluationError(
            f"model_data is {model_data!r}: it must be an S3 URI that ends in /{MODEL_ARCHIVE}"
        )
    return bucket, posixpath.join(folder, OUTPUT_ARCHIVE)


def read_output(stream: Any, where: str) -> tuple[dict[str, Any], list[float] | None, dict[str, Any]]:
    """The evaluation, the predictions and the profile of the validation posts in a gzipped tar, read as a stream.

    Predictions and profile may be missing; both are then empty.
    """
    evaluation: dict[str, Any] | None = None
    scores: list[float] | None = None
    profile: dict[str, Any] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                name = posixpath.normpath(member.name)
                if name not in (EVALUATION, SCORES, PROFILE) or not member.isfile():
                    continue
                content = archive.extractfile(member)
                assert content is not None, "a file has content"
                if name == SCORES:
                    scores = list(_scores(content, f"{SCORES} in {where}"))
                    continue
                if name == PROFILE:
                    profile = _profile(content.read(LARGEST_PROFILE_BYTES + 1), f"{PROFILE} in {where}")
                    continue
                if member.size > LARGEST_EVALUATION_BYTES:
                    raise InvalidEvaluationError(
                        f"{EVALUATION} in {where} has {member.size} bytes: {LARGEST_EVALUATION_BYTES} are allowed"
                    )
                evaluation = _checked(content.read(), where)
    except (tarfile.TarError, zlib.error, EOFError):
        raise InvalidEvaluationError(f"{where} is no gzipped tar, or is incomplete") from None
    if evaluation is None:
        raise InvalidEvaluationError(f"{where} holds no {EVALUATION}: the training program writes it to output/data/")
    return evaluation, scores, profile


def _profile(content: bytes, where: str) -> dict[str, Any]:
    try:
        profile = json.loads(content) if len(content) <= LARGEST_PROFILE_BYTES else None
    except (ValueError, RecursionError):
        profile = None
    if not isinstance(profile, dict) or not all(_is_counted(counts) for counts in profile.values()):
        raise InvalidEvaluationError(
            f"{where} is no profile: it must be an object of counts by label, "
            f'{{"score": {{"fine": [0, 7, …], "violation": […]}}, …}}, each of {MOST_BINS} bins at most'
        )
    return profile


def _is_counted(counts: object) -> bool:
    return (
        isinstance(counts, dict)
        and counts.keys() == {"fine", "violation"}
        and all(
            isinstance(bins, list)
            and len(bins) <= MOST_BINS
            and all(type(count) is int and 0 <= count < 1 << 53 for count in bins)
            for bins in counts.values()
        )
    )


def _scores(lines: Any, where: str) -> Iterator[float]:
    number = 0
    while line := lines.readline(LONGEST_SCORE_BYTES):
        number += 1
        if line.strip():
            yield _score(line.decode("utf-8", "replace"), f"{where}, line {number}")


def _checked(content: bytes, where: str) -> dict[str, Any]:
    try:
        evaluation = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidEvaluationError(f"{EVALUATION} in {where} is not JSON") from None
    metrics = evaluation.get("metrics") if isinstance(evaluation, dict) else None
    if not isinstance(metrics, dict) or not metrics:
        raise InvalidEvaluationError(
            f"{EVALUATION} in {where} has no metrics: it must be an object of names and numbers"
        )
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            kind = "not finite" if type(value) is float else _kind(value)
            raise InvalidEvaluationError(f"metrics.{name} in {where} is {kind}: it must be a finite number")
    return {"metrics": metrics} | {
        name: evaluation[name]
        for name in ("recipe", "threshold", "posts", "data_fingerprint", "created", "serving")
        if name in evaluation
    }
