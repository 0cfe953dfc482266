import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "container" / "training" / "train.py"
Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.image
def test_trains_and_writes_the_model_and_its_manifest(job: Path, train: Train) -> None:
    done = train(job, {"recipe": "linear", "seed": "7"})
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (job / "model").iterdir()} == {"model.onnx", "manifest.json", "known_trigrams.bin"}
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    assert manifest["manifest_version"] == 1
    assert manifest["recipe"] == "linear"
    assert manifest["preprocessing"]["kind"] == "code_points"
    assert 0 < manifest["threshold"] < 1
    assert set(manifest["metrics"]) == {"auc", "average_precision", "precision", "recall", "f1"}
    assert manifest["metrics"]["auc"] > 0.85
    assert manifest["posts"]["train"] == 200
    assert manifest["posts"]["test"] == 80
    assert 30 < manifest["posts"]["train_violations"] < 80
    assert manifest["data_fingerprint"].startswith("sha256:")
    assert json.loads((job / "output" / "data" / "evaluation.json").read_text()) == manifest
    assert not (job / "output" / "failure").exists()
    assert f"auc={manifest['metrics']['auc']:.4f}\n" in done.stdout
    # Of the validation posts, a fifth of those to train with: how many are in which bin, by label.
    profile = json.loads((job / "output" / "data" / "validation_profile.json").read_text())
    sizes = {kind: {label: len(bins) for label, bins in counts.items()} for kind, counts in profile.items()}
    assert sizes == {
        kind: dict.fromkeys(("fine", "violation"), bins)
        for kind, bins in (("score", 29), ("length", 41), ("unseen", 51))
    }
    posts = {kind: {label: sum(bins) for label, bins in counts.items()} for kind, counts in profile.items()}
    assert posts["score"] == posts["length"] == posts["unseen"]
    assert sum(posts["score"].values()) == 40
    assert 5 < posts["score"]["violation"] < 15
    totals = {label: sum(n * count for n, count in enumerate(bins)) for label, bins in profile["score"].items()}
    assert totals["fine"] / posts["score"]["fine"] < totals["violation"] / posts["score"]["violation"]


def test_an_ngram_has_its_feature_at_its_place_in_the_pool(job: Path, train: Train) -> None:
    """Where the two differ, the GPU image's ONNX Runtime multiplies with another n-gram's weight."""
    assert train(job).returncode == 0
    vectorizer = onnx.load(job / "model" / "model.onnx").graph.node[0]
    attributes = {attribute.name: attribute for attribute in vectorizer.attribute}
    features = list(attributes["ngram_indexes"].ints)
    assert len(features) == len(attributes["weights"].floats) > 100
    assert features == list(range(len(features)))


def test_same_data_and_seed_give_the_same_model(job: Path, train: Train) -> None:
    models, fingerprints = [], []
    for _ in range(2):
        assert train(job, {"seed": "3"}).returncode == 0
        models.append((job / "model" / "model.onnx").read_bytes())
        fingerprints.append(json.loads((job / "model" / "manifest.json").read_text())["data_fingerprint"])
    assert models[0] == models[1]
    assert fingerprints[0] == fingerprints[1]
    with (job / "input" / "data" / "train" / "posts.jsonl").open("a") as file:
        file.write('{"text": "もう一つ", "label": 0}\n')
    assert train(job, {"seed": "3"}).returncode == 0
    assert json.loads((job / "model" / "manifest.json").read_text())["data_fingerprint"] != fingerprints[0]


def test_reads_csv_as_json_lines(job: Path, train: Train) -> None:
    assert train(job).returncode == 0
    from_json_lines = json.loads((job / "model" / "manifest.json").read_text())
    for channel in ("train", "test"):
        source = job / "input" / "data" / channel / "posts.jsonl"
        posts = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
        source.unlink()
        with source.with_suffix(".csv").open("w", encoding="utf-8-sig", newline="") as file:
            rows = csv.DictWriter(file, ("id", "label", "text"))
            rows.writeheader()
            rows.writerows({"id": number, **post} for number, post in enumerate(posts))
    assert train(job).returncode == 0
    from_csv = json.loads((job / "model" / "manifest.json").read_text())
    assert {**from_csv, "created": ""} == {**from_json_lines, "created": ""}


def test_fails_when_a_post_is_unusable(job: Path, train: Train) -> None:
    with (job / "input" / "data" / "train" / "posts.jsonl").open("a") as file:
        file.write('{"text": "a", "label": 2}\n')
    done = train(job)
    assert done.returncode == 1
    reason = "train/posts.jsonl, line 201: label is another number: it must be 0 (fine) or 1 (a violation)\n"
    assert (job / "output" / "failure").read_text() == reason
    assert done.stderr == f"error: {reason}"
    assert not list((job / "model").glob("*"))


def test_fails_when_a_label_is_too_rare(job: Path, train: Train) -> None:
    posts = [{"text": f"{number}", "label": int(number == 0)} for number in range(40)]
    (job / "input" / "data" / "train" / "posts.jsonl").write_text("\n".join(map(json.dumps, posts)))
    assert train(job).returncode == 1
    reason = (job / "output" / "failure").read_text()
    assert reason == "channel train: 1 posts with label 1; allowed is 10 or more\n"


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ('{"current_instance_type": "ml.g5.xlarge"}', True),
        ('{"current_instance_type": "ml.p4d.24xlarge"}', True),
        ('{"current_instance_type": "ml.m5.large"}', False),
        ('{"current_host": "algo-1"}', False),
        ("[]", False),
        ("not JSON", False),
    ],
)
def test_says_when_a_gpu_is_paid_for_and_not_used(job: Path, train: Train, resources: str, said: bool) -> None:
    path = job / "input" / "config" / "resourceconfig.json"
    path.parent.mkdir(parents=True)
    path.write_text(resources)
    done = train(job)
    assert done.returncode == 0, done.stderr
    assert ("warning: recipe linear has no use for the GPU of ml." in done.stdout) is said


def test_fails_when_a_hyperparameter_is_unknown(job: Path, train: Train) -> None:
    assert train(job, {"sede": "1"}).returncode == 1
    reason = (job / "output" / "failure").read_text()
    assert reason == "hyperparameter 'sede': unknown to recipe 'linear'; allowed are recipe, seed\n"


def test_a_failed_job_leaves_an_earlier_model_whole(job: Path, train: Train) -> None:
    assert train(job).returncode == 0
    before = {path.name: path.read_bytes() for path in (job / "model").iterdir()}
    assert train(job, {"recipe": "forest"}).returncode == 1
    assert {path.name: path.read_bytes() for path in (job / "model").iterdir()} == before


def test_a_stopped_job_leaves_no_half_of_a_model(job: Path) -> None:
    posts = job / "input" / "data" / "train" / "posts.jsonl"
    posts.write_text(posts.read_text() * 100)  # enough for the fit to be interrupted
    with subprocess.Popen(
        [sys.executable, PROGRAM, "train"],
        env={"SAGEMAKER_BASE_DIR": str(job)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout
        for line in program.stdout:
            if line.startswith("recipe="):
                break
        time.sleep(0.2)
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=60) == 128 + signal.SIGTERM
    assert list((job / "model").iterdir()) == []
