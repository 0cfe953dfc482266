import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

INFERENCE = Path(__file__).resolve().parents[3] / "container" / "inference"
BERT_PYTHON = os.environ.get("BERT_PYTHON", "")
GPU_IMAGE_PYTHON = os.environ.get("GPU_IMAGE_PYTHON", "")
Train = Callable[..., subprocess.CompletedProcess[str]]

for_gpus = pytest.mark.skipif(
    not GPU_IMAGE_PYTHON,
    reason="GPU_IMAGE_PYTHON is not set: name the Python that `make gpu-image-environment` installs packages for",
)
# The images are pinned to different versions of ONNX Runtime, and one of them to that of the training.
for_each_image = pytest.mark.parametrize(
    "image", [pytest.param(sys.executable, id="cpu"), pytest.param(GPU_IMAGE_PYTHON, id="gpu", marks=for_gpus)]
)

# In a process of its own: both images have modules of the same names.
SERVE = """
import json, sys
from pathlib import Path
from inference import Model
model = Model.load(Path(sys.argv[1]), threads=1, batch_size=1)
print(json.dumps([model.predict([text]).probabilities[0] for text in json.load(sys.stdin)]))
"""


def golden(job: Path) -> list[dict[str, Any]]:
    lines = (job / "output" / "data" / "golden_posts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def said_by(python: str, job: Path, posts: list[dict[str, Any]]) -> list[float]:
    """What the inference image says, with the packages of `python`."""
    done = subprocess.run(
        [python, "-c", SERVE, job / "model"],
        input=json.dumps([post["text"] for post in posts]),
        env={"PYTHONPATH": str(INFERENCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    said: list[float] = json.loads(done.stdout)
    return said


@for_each_image
def test_each_inference_image_says_of_them_what_the_training_wrote(job: Path, train: Train, image: str) -> None:
    assert train(job).returncode == 0
    posts = golden(job)
    assert len(posts) == 64
    assert said_by(image, job, posts) == pytest.approx([post["probability"] for post in posts], abs=1e-6)


@for_each_image
@pytest.mark.skipif(not BERT_PYTHON, reason="BERT_PYTHON is not set: see test_bert_recipe.py")
def test_each_inference_image_says_of_a_bert_what_the_training_wrote(
    job: Path, train: Train, request: pytest.FixtureRequest, image: str
) -> None:
    assert train(job, request.getfixturevalue("hyperparameters"), python=BERT_PYTHON).returncode == 0
    posts = golden(job)
    assert said_by(image, job, posts) == pytest.approx([post["probability"] for post in posts], abs=1e-5)


@for_gpus
def test_the_gpu_image_has_another_onnxruntime() -> None:
    """Else one version is enough, and what is tried twice here is tried once."""
    version = "import onnxruntime; print(onnxruntime.__version__)"
    versions = {
        subprocess.run([python, "-c", version], capture_output=True, text=True, check=True).stdout
        for python in (sys.executable, GPU_IMAGE_PYTHON)
    }
    assert len(versions) == 2


def test_a_model_that_was_released_before_is_served_as_ever(job: Path, train: Train) -> None:
    """Its n-grams have their features in another order than the pool has them."""
    assert train(job).returncode == 0
    path = job / "model" / "model.onnx"
    model = onnx.load(path)
    coefficients = next(tensor for tensor in model.graph.initializer if tensor.name == "coefficients")
    weights = onnx.numpy_helper.to_array(coefficients)
    features = np.random.default_rng(0).permutation(len(weights))
    shuffled = np.empty_like(weights)
    shuffled[features] = weights
    coefficients.CopyFrom(onnx.numpy_helper.from_array(shuffled, "coefficients"))
    indexes = next(attribute for attribute in model.graph.node[0].attribute if attribute.name == "ngram_indexes")
    indexes.ints[:] = features.tolist()
    onnx.save(model, path)
    posts = golden(job)
    assert said_by(sys.executable, job, posts) == pytest.approx([post["probability"] for post in posts], abs=1e-6)


def test_they_are_held_out_and_spread_over_the_probabilities(job: Path, train: Train) -> None:
    assert train(job).returncode == 0
    lines = (job / "input" / "data" / "test" / "posts.jsonl").read_text(encoding="utf-8").splitlines()
    held_out = {json.loads(line)["text"] for line in lines}
    posts = golden(job)
    assert {post["text"] for post in posts} <= held_out
    probabilities = [post["probability"] for post in posts]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] < 0.2 < 0.8 < probabilities[-1]
    # All of them are scored, in their order and without their texts.
    scored = (job / "output" / "data" / "held_out_scores.jsonl").read_text().splitlines()
    scores = {
        json.loads(line)["text"]: float(json.loads(score)["predictions"])
        for line, score in zip(lines, scored, strict=True)
    }
    assert all(scores[post["text"]] == post["probability"] for post in golden(job))
    assert not any("text" in line for line in scored)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 1000])
def test_there_are_as_many_as_there_can_be(load: Callable[[str], ModuleType], tmp_path: Path, count: int) -> None:
    module, post = load("golden_posts"), load("posts").Post
    posts = [post(text=f"post {number}", label=0) for number in range(count)]
    too_long = post(text="x" * (module.LONGEST_TEXT + 1), label=1)
    probabilities = np.linspace(0, 1, num=count + 1)
    module.write_golden_posts(tmp_path, [*posts, too_long], probabilities)
    written = [json.loads(line) for line in (tmp_path / module.FILE).read_text().splitlines()]
    assert len(written) == len({post["text"] for post in written}) == min(count, 64)
    assert {"post 0", f"post {count - 1}"} <= {post["text"] for post in written}
    assert all(post["probability"] == probabilities[int(post["text"].split()[1])] for post in written)
