import io
import json
import tarfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

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
    with pytest.raises(evaluator.InvalidEvaluation, match=message) as fault:
        evaluate(output)
    assert "\n" not in str(fault.value)


def test_fails_when_the_job_wrote_no_output(evaluator: ModuleType, bucket: str) -> None:
    with pytest.raises(evaluator.InvalidEvaluation, match=r"models/job/output/output.tar.gz is not there"):
        evaluator.handler({"model_data": f"s3://{bucket}/models/job/output/model.tar.gz"}, None)


@pytest.mark.parametrize("uri", ["https://b/model.tar.gz", "s3:///model.tar.gz", "s3://b/models/model.zip", ""])
def test_fails_when_the_model_lies_elsewhere(evaluator: ModuleType, uri: str) -> None:
    with pytest.raises(evaluator.InvalidEvaluation, match=r"it is an S3 URI that ends in /model\.tar\.gz"):
        evaluator.output_location(uri)
