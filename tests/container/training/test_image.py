"""What only the image has: collected where `make test-containers` names one."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

IMAGE = os.environ["TRAINING_IMAGE"]
Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.image
def test_trains_a_bert_with_the_packages_of_the_image(
    job: Path, train: Train, hyperparameters: dict[str, str], pretrained: Path
) -> None:
    shutil.copytree(pretrained, job / "pretrained")
    for path in (job / "pretrained", *(job / "pretrained").iterdir()):
        path.chmod(0o755)  # the job's user is not the one that made it
    done = train(job, {**hyperparameters, "pretrained_model": "/opt/ml/pretrained"})
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (job / "model").iterdir()} == {
        "model.onnx",
        "manifest.json",
        "known_trigrams.bin",
        "tokenizer.json",
    }
    assert json.loads((job / "model" / "manifest.json").read_text())["recipe"] == "bert"
    # Nothing of it is root's: train.py becomes a user of its own before it trains.
    assert 0 not in {path.stat().st_uid for path in (job / "model").iterdir()}


@pytest.mark.image
def test_has_no_compiler() -> None:
    script = "for name in python cc gcc c++ clang ld make; do command -v $name; done; true"
    shell = ["docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c", script]
    assert subprocess.run(shell, check=True, capture_output=True, text=True).stdout.split() == ["/opt/venv/bin/python"]
