"""Runs with the interpreter that `BERT_PYTHON` names: one with the packages of container/training installed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.container.training.test_golden_posts import GPU_IMAGE_PYTHON, said_by

CONTAINER = Path(__file__).resolve().parents[3] / "container"
BERT_PYTHON = os.environ.get("BERT_PYTHON", "")
Train = Callable[..., subprocess.CompletedProcess[str]]

MODEL_FILES = {"model.onnx", "manifest.json", "tokenizer.json", "known_trigrams.bin"}

pytestmark = pytest.mark.skipif(
    not BERT_PYTHON,
    reason="BERT_PYTHON is not set: name a python with the packages of container/training (torch) installed",
)


def _write(job: Path, channel: str, count: int, *, words: int, labelled: bool = True) -> None:
    """Posts that are told apart by far, so that a network learns it from a few hundred."""
    folder = job / "input" / "data" / channel
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        violation = number % 4 == 0
        text = ("追加 " if violation else "授乳 ") * words + str(number)
        lines.append(json.dumps({"text": text, "label": int(violation)} if labelled else {"text": text}))
    (folder / "posts.jsonl").write_text("\n".join(lines))


@pytest.fixture
def student(hyperparameters: Mapping[str, str]) -> dict[str, str]:
    return {
        **hyperparameters,
        "recipe": "student",
        "epochs": "1",
        "batch_size": "32",
        "student_epochs": "1",
        "student_learning_rate": "0.001",
        "student_width": "256",
    }


def test_serves_a_student_that_judges_as_its_teacher(
    job: Path, train: Train, student: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(job, "train", 600, words=2)
    _write(job, "test", 80, words=2)
    _write(job, "unlabelled", 560, words=1, labelled=False)
    done = train(job, student, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    files = {path.name for path in (job / "model").iterdir()}
    assert files == MODEL_FILES | {"first_stage.onnx"}
    said = manifest["student"]
    assert said["serves"] == "student", said
    assert said["examples"] == {"labelled": 480, "unlabelled": 560}
    assert (said["layers"], said["width"]) == (4, 256)
    assert said["vocabulary"]["tokens"] < said["vocabulary"]["of"]
    assert said["auc_drop"]["high"] <= 0.01
    assert said["agreement"]["value"] >= 0.97
    assert manifest["network"] == {"model_type": "bert", "layers": 4, "fused_attentions": 4}
    assert manifest["precision"]["chosen"] == "int8"
    operators = [node.op_type for node in onnx.load(job / "model" / "model.onnx").graph.node]
    assert operators.count("QAttention") == 4
    assert manifest["metrics"]["auc"] == 1
    # So far apart are these posts that a linear model answers most of them.
    assert manifest["cascade"]["serves"] == "cascade", manifest["cascade"]
    assert manifest["cascade"]["share"] > 0.9
    assert manifest["cascade"]["agreement"]["value"] >= 0.995
    # Of the validation posts, by label, how many the network and how many the first stage answers.
    profile = json.loads((job / "output" / "data" / "validation_profile.json").read_text())
    network, first_stage = np.sum(list(profile["stage"].values()), axis=0)
    assert first_stage / (network + first_stage) == manifest["cascade"]["share"]
    assert network + first_stage == np.sum(list(profile["score"].values()))

    # By the GPU image's ONNX Runtime, the other pinned one: test_golden_posts.py says it where there is none. Scores of
    # mixed posts differ with each n-gram's weight; those of the golden ones are at the ends of the first stage.
    mixed = [{"text": "追加 " * more + "授乳 " * less} for more in range(5) for less in range(5) if more or less]
    by_gpu_image = said_by(GPU_IMAGE_PYTHON, job, mixed) if GPU_IMAGE_PYTHON else None

    # The inference image's own code, in an environment without torch and transformers.
    monkeypatch.syspath_prepend(CONTAINER / "inference")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    from inference import Model

    try:
        model = Model.load(job / "model", threads=1, batch_size=1)
        path = job / "model" / "manifest.json"
        path.write_text(json.dumps({name: value for name, value in manifest.items() if name != "cascade"}))
        alone = Model.load(job / "model", threads=1, batch_size=1)
        golden = [json.loads(line) for line in (job / "output/data/golden_posts.jsonl").read_text().splitlines()]
        served = [model.predict([post["text"]]).probabilities[0] for post in golden]
        if by_gpu_image is not None:
            of_mixed = [model.predict([post["text"]]) for post in mixed]
            assert {one.by_first_stage[0] for one in of_mixed} == {True, False}
            assert by_gpu_image == pytest.approx([one.probabilities[0] for one in of_mixed], abs=1e-3), "int8 rounds"
        assert np.allclose(served, [post["probability"] for post in golden], atol=1e-5)
        said_alone = np.array(alone.predict([post["text"] for post in golden]).probabilities)
        flags = [post["text"].startswith("追加") for post in golden]
        assert (said_alone >= manifest["threshold"]).tolist() == flags
    finally:
        for name in (
            "inference",
            "batch_size",
            "device",
            "first_stage",
            "known_trigrams",
            "prediction_queue",
            "preprocessing",
        ):
            sys.modules.pop(name, None)


def test_serves_the_teacher_where_there_are_too_few_posts(job: Path, train: Train, student: dict[str, str]) -> None:
    _write(job, "unlabelled", 100, words=1, labelled=False)
    done = train(job, student, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    assert manifest["student"] == {
        "serves": "teacher",
        "reason": (
            "260 posts to learn from, labelled or not; 1000 are needed: give 740 more, as in the channel unlabelled"
        ),
        "examples": {"labelled": 160, "unlabelled": 100},
    }
    assert manifest["network"]["layers"] == 2
    assert {path.name for path in (job / "model").iterdir()} == MODEL_FILES


# A BERT of seven layers, as wide as a student may be, hands down its embeddings and layers.
COPIES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
from japanese_wordpiece import build_tokenizer
from pretrained_encoder import Encoder, japanese_parts
from student_recipe import student_of
from transformers import BertConfig, BertForSequenceClassification
names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "追加", "授乳", "消"]
tokenizer = build_tokenizer({name: number for number, name in enumerate(names)}, max_length=16)
old = BertForSequenceClassification(BertConfig(vocab_size=len(names), hidden_size=256, num_hidden_layers=7,
    num_attention_heads=4, intermediate_size=512, max_position_embeddings=64))
teacher = Encoder(network=old, **japanese_parts(tokenizer, max_length=16))
student, tokens = student_of(teacher, ["授乳"], layers=4, width=256)
new = student.network
query = lambda layer: layer.attention.self.query.weight
same = [[int(torch.equal(query(a), query(b))) for b in old.bert.encoder.layer] for a in new.bert.encoder.layer]
ids = student.encode(["授乳"])["input_ids"][0].tolist()
words = new.get_input_embeddings().weight[ids]
print(json.dumps({"layers": same, "ids": ids, "tokens": [len(new.get_input_embeddings().weight), tokens],
    "heads": new.config.num_attention_heads,
    "words": torch.equal(words, old.get_input_embeddings().weight[[2, 6, 3]])}))
"""


def test_has_the_layers_and_words_of_a_teacher_as_wide() -> None:
    done = subprocess.run(
        [BERT_PYTHON, "-c", COPIES, str(CONTAINER / "training")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["layers"] == [[int(of == number) for of in range(7)] for number in (0, 2, 4, 6)]
    assert found["words"], found
    assert found["heads"] == 4
    # [MASK] and one word are gone.
    assert found["tokens"] == [6, 8]
