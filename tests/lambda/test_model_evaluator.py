import io
import json
import random
import tarfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

EVALUATION = {
    "manifest_version": 1,
    "recipe": "linear",
    "threshold": 0.4,
    "metrics": {"auc": 0.93, "recall": 1},
    "posts": {"train": 8, "test": 2},
    "data_fingerprint": "sha256:00",
}


@pytest.fixture
def evaluator(load_function: Callable[[str], ModuleType]) -> ModuleType:
    return load_function("model_evaluator")


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name.replace("__", ".").replace("_in_", "/"))
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


@pytest.fixture
def evaluate(evaluator: ModuleType, aws: Any, bucket: str) -> Callable[[bytes], dict[str, Any]]:
    def run(output: bytes) -> dict[str, Any]:
        aws.client("s3").put_object(Bucket=bucket, Key="models/job/output/output.tar.gz", Body=output)
        result: dict[str, Any] = evaluator.handler(
            {"model_data": f"s3://{bucket}/models/job/output/model.tar.gz"}, None
        )
        return result

    return run


def test_returns_what_the_job_measured(evaluate: Callable[[bytes], dict[str, Any]]) -> None:
    result = evaluate(archive(plot__png=b"x" * 100_000, evaluation__json=json.dumps(EVALUATION).encode()))
    assert result["metrics"] == {"auc": 0.93, "recall": 1}
    assert result["data_fingerprint"] == "sha256:00"
    assert result["current_metrics"] is None


def test_takes_a_member_named_from_the_folder(evaluate: Callable[[bytes], dict[str, Any]]) -> None:
    result = evaluate(archive(**{"._in_evaluation__json": json.dumps(EVALUATION).encode()}))
    assert result["metrics"]["auc"] == 0.93


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (archive(other__json=b"{}"), "holds no evaluation.json: the training program writes it to output/data/"),
        (archive(folder_in_evaluation__json=b"{}"), "holds no evaluation.json"),
        (archive(evaluation__json=b"{"), "is not JSON"),
        (archive(evaluation__json=b"[]"), "has no metrics"),
        (archive(evaluation__json=b'{"metrics": {}}'), "has no metrics"),
        (archive(evaluation__json=b'{"metrics": {"auc": NaN}}'), r"metrics.auc in .* is nan: it is a finite number"),
        (archive(evaluation__json=b'{"metrics": {"auc": "0.9"}}'), r"metrics.auc in .* is '0.9'"),
        (archive(evaluation__json=b" " * (1 << 20) + b"{}"), "has 1048578 bytes: 1048576 are allowed"),
        (b"no archive", "is no gzipped tar"),
        (archive(evaluation__json=b"x" * 5000)[:60], "is no gzipped tar"),
    ],
    # An archive as an id holds the second in which it was made, which differs between two workers.
    ids=[
        "no evaluation",
        "other file",
        "half JSON",
        "a list",
        "no metric",
        "NaN",
        "text",
        "too large",
        "text file",
        "cut",
    ],
)
def test_fails_when_there_is_nothing_to_judge(
    evaluator: ModuleType, evaluate: Callable[[bytes], dict[str, Any]], output: bytes, message: str
) -> None:
    with pytest.raises(evaluator.InvalidEvaluationError, match=message) as fault:
        evaluate(output)
    assert "\n" not in str(fault.value)


def test_fails_when_the_job_wrote_no_output(evaluator: ModuleType, bucket: str) -> None:
    with pytest.raises(evaluator.InvalidEvaluationError, match=r"models/job/output/output.tar.gz is not there"):
        evaluator.handler({"model_data": f"s3://{bucket}/models/job/output/model.tar.gz"}, None)


@pytest.mark.parametrize("uri", ["https://b/model.tar.gz", "s3:///model.tar.gz", "s3://b/models/model.zip", ""])
def test_fails_when_the_model_lies_elsewhere(evaluator: ModuleType, uri: str) -> None:
    with pytest.raises(evaluator.InvalidEvaluationError, match=r"it is an S3 URI that ends in /model\.tar\.gz"):
        evaluator.output_location(uri)


@pytest.fixture
def compare(evaluator: ModuleType, aws: Any, bucket: str) -> Callable[[str, str], dict[str, Any]]:
    """Runs the function with labelled posts and with what the current model said of them."""

    def run(posts: str, scores: str) -> dict[str, Any]:
        s3 = aws.client("s3")
        output = archive(evaluation__json=json.dumps(EVALUATION).encode())
        s3.put_object(Bucket=bucket, Key="models/job/output/output.tar.gz", Body=output)
        s3.put_object(Bucket=bucket, Key="runs/r/test/posts.jsonl", Body=posts.encode())
        s3.put_object(Bucket=bucket, Key="runs/r/current/posts.jsonl.out", Body=scores.encode())
        result: dict[str, Any] = evaluator.handler(
            {
                "model_data": f"s3://{bucket}/models/job/output/model.tar.gz",
                "test_uri": f"s3://{bucket}/runs/r/test/",
                "current_scores": f"s3://{bucket}/runs/r/current/posts.jsonl.out",
            },
            None,
        )
        return result

    return run


def posts_of(*labels: int) -> str:
    return "".join(json.dumps({"text": "a\u2028b", "label": label}, ensure_ascii=False) + "\n" for label in labels)


def scores_of(*scores: str) -> str:
    return "\n\n".join(json.dumps({"predictions": score}) for score in scores)


def test_judges_the_current_model_on_the_held_out_posts(compare: Callable[[str, str], dict[str, Any]]) -> None:
    result = compare(posts_of(1, 0, 1, 0), scores_of("0.9", "0.7", "0.7", "1e-05"))
    assert result["metrics"] == EVALUATION["metrics"]
    assert result["current_metrics"] == {"auc": 0.875, "average_precision": pytest.approx(0.5 + 0.5 * 2 / 3)}


@pytest.mark.parametrize("distinct_scores", [1, 2, 7, 1_000_000])
def test_metrics_are_those_of_scikit_learn(evaluator: ModuleType, distinct_scores: int) -> None:
    chance = random.Random(distinct_scores)
    for _ in range(60):
        labels = [0, 1] + [int(chance.random() < 0.2) for _ in range(chance.randint(0, 200))]
        chance.shuffle(labels)
        scores = [chance.randrange(distinct_scores) / distinct_scores for _ in labels]
        assert evaluator.area_under_curve(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
        assert evaluator.average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


@pytest.mark.parametrize(
    ("posts", "scores", "message"),
    [
        (posts_of(1, 0, 1), scores_of("0.9", "0.1"), r"posts.jsonl.out holds 2 predictions for 3 posts in s3://"),
        (posts_of(1, 0), "", r"holds 0 predictions for 2 posts"),
        (posts_of(0, 0), scores_of("0.9", "0.1"), r"holds 0 violations in 2 posts: both kinds are needed"),
        (posts_of(1, 0), scores_of("0.9", "nan"), r'line 3: predictions is "nan": it is a probability as a string'),
        (posts_of(1, 0), scores_of("0.9", "high"), r'line 3: predictions is "high"'),
        (posts_of(1, 0), '{"predictions": 0.9}\n{"error": "no"}', r"line 1: predictions is 0.9"),
        (posts_of(1, 0), "<html>\n", r"line 1: predictions is null"),
        (posts_of(1) + '{"text": "x", "label": "0"}', scores_of("0.9", "0.1"), r'line 2: label is "0"'),
    ],
    ids=["fewer", "none", "one kind", "NaN", "word", "number", "no JSON", "label"],
)
def test_fails_when_the_current_model_cannot_be_judged(
    evaluator: ModuleType, compare: Callable[[str, str], dict[str, Any]], posts: str, scores: str, message: str
) -> None:
    with pytest.raises(evaluator.InvalidScoresError, match=message) as fault:
        compare(posts, scores)
    assert "\n" not in str(fault.value)


def test_fails_when_the_scores_are_not_there(evaluator: ModuleType, aws: Any, bucket: str) -> None:
    with pytest.raises(evaluator.InvalidScoresError, match=r"runs/r/current/posts.jsonl.out is not there"):
        list(evaluator._lines(aws.client("s3"), f"s3://{bucket}/runs/r/current/posts.jsonl.out"))
