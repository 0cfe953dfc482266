"""Runs with the interpreter that `BERT_PYTHON` names: one with the packages of container/training installed."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

CONTAINER = Path(__file__).resolve().parents[3] / "container"
BERT_PYTHON = os.environ.get("BERT_PYTHON", "")
Train = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(
    not BERT_PYTHON,
    reason="BERT_PYTHON is not set: name a python with the packages of container/training (torch) installed",
)

REFERENCE_TOKENS = """
import json, sys
from transformers import BertJapaneseTokenizer
tokenizer = BertJapaneseTokenizer.from_pretrained(sys.argv[1], mecab_kwargs={"mecab_dic": "ipadic"})
print(json.dumps(tokenizer(json.loads(sys.argv[2]), truncation=True, max_length=32)["input_ids"]))
"""

TEXTS = [
    "授乳で悩んでいます。",
    "LINEを追加してください",
    "一行目です\n二行目です\r\n三行目\t終わり",
    "ｶﾞｯｺｳ　㍿ １２３ＡＢＣ",
    "制御文字\x1cが\u2028ある\x85文",
    "絵文字🙂と未知の漢字龘",
    "あ" * 300,
    " 前後に空白 ",
]


def test_trains_exports_and_serves_the_same_tokens(
    job: Path, train: Train, hyperparameters: dict[str, str], pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = train(job, hyperparameters, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    assert {path.name for path in (job / "model").iterdir()} == {
        "model.onnx",
        "manifest.json",
        "known_trigrams.bin",
        "tokenizer.json",
    }
    assert manifest["preprocessing"]["kind"] == "japanese_wordpiece"
    assert manifest["preprocessing"]["dictionary"] == "ipadic"
    assert manifest["metrics"]["auc"] > 0.6
    assert "fused_attentions=2 of 2" in done.stdout
    precision = manifest["precision"]
    holds = abs(precision["auc_int8"] - precision["auc_fp32"]) <= 0.002 and precision["agreement"] >= 0.995
    assert precision["chosen"] == ("int8" if holds else "fp32"), precision
    assert precision["reduce_range"] is True
    assert precision["posts"] == 40
    assert precision["reason"]
    assert _operators(job).count("QAttention" if holds else "Attention") == 2

    # The inference image's own code, in an environment without torch and transformers.
    monkeypatch.syspath_prepend(CONTAINER / "inference")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    from inference import Model
    from onnxruntime import InferenceSession
    from preprocessing import from_manifest

    try:
        preprocessing = from_manifest(manifest["preprocessing"], job / "model")
        reference = json.loads(_run(REFERENCE_TOKENS, str(pretrained), json.dumps(TEXTS)))
        for text, expected in zip(TEXTS, reference, strict=True):
            assert [row.tolist() for row in preprocessing.rows([text])] == [expected], text
        controls = preprocessing.rows(["[SEP] [MASK] [CLS] [PAD]"])[0].tolist()
        assert controls[0] == 2
        assert controls[-1] == 3
        assert not {0, 2, 3, 4} & set(controls[1:-1])

        model = Model.load(job / "model", threads=1, batch_size=1)
        alone = [model.predict([text]).probabilities[0] for text in TEXTS]
        # The scale of int8 numbers is that of the whole batch.
        together = preprocessing.inputs(preprocessing.rows(TEXTS))
        found = InferenceSession(job / "model" / "model.onnx").run(["probability"], together)[0]
        assert np.allclose(found, alone, atol=0.02 if holds else 1e-5)
    finally:
        for name in ("inference", "batch_size", "device", "first_stage", "prediction_queue", "preprocessing"):
            sys.modules.pop(name, None)


def test_a_gpu_that_cannot_be_used_stops_the_job(job: Path, train: Train, hyperparameters: dict[str, str]) -> None:
    path = job / "input" / "config" / "resourceconfig.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"current_host": "algo-1", "current_instance_type": "ml.g5.xlarge"}))
    done = train(job, hyperparameters, python=BERT_PYTHON)
    assert done.returncode == 1
    reason = (job / "output" / "failure").read_text()
    assert reason.startswith("no usable GPU: ml.g5.xlarge has one, and ")
    assert reason.endswith(", or train on a type without a GPU\n")
    assert done.stderr == f"error: {reason}"
    assert not list((job / "model").glob("*"))


def test_serves_fp32_when_asked_to(job: Path, train: Train, hyperparameters: dict[str, str]) -> None:
    done = train(job, {**hyperparameters, "epochs": "1", "precision": "fp32"}, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    assert manifest["precision"] == {"chosen": "fp32", "reason": "hyperparameter precision"}
    nodes = onnx.load(job / "model" / "model.onnx").graph.node
    attentions = [node for node in nodes if node.op_type == "Attention"]
    assert len(attentions) == 2
    # Behind the last attention only the first token goes on; elsewhere all do.
    readers = [[node.op_type for node in nodes if a.output[0] in node.input] for a in attentions]
    assert readers == [["MatMul"], ["Gather"]]


@pytest.mark.parametrize("reduce_range", ["true", "false"])
def test_quantises_where_int8_holds(
    job: Path, train: Train, hyperparameters: dict[str, str], reduce_range: str
) -> None:
    # Posts that are told apart by far, so that no rounding moves one over the threshold.
    for channel in ("train", "test"):
        posts = [{"text": "追加 " * 3 if n % 4 == 0 else "授乳 " * 3, "label": int(n % 4 == 0)} for n in range(200)]
        (job / "input" / "data" / channel / "posts.jsonl").write_text("\n".join(map(json.dumps, posts)))
    done = train(job, {**hyperparameters, "reduce_range": reduce_range}, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    assert manifest["precision"]["chosen"] == "int8", manifest["precision"]
    assert manifest["precision"]["agreement"] == 1
    assert "agrees with fp32 on 100.00% of 40 flags" in manifest["precision"]["reason"]
    tensors = map(onnx.numpy_helper.to_array, onnx.load(job / "model" / "model.onnx").graph.initializer)
    largest = max(int(np.abs(tensor.astype(int)).max()) for tensor in tensors if tensor.dtype == np.int8)
    assert (largest <= 64) is (reduce_range == "true")


def test_trains_with_numbers_of_16_bits_when_asked_to(job: Path, train: Train, hyperparameters: dict[str, str]) -> None:
    models, losses = [], []
    for mixed_precision in ("off", "bf16"):
        given = {**hyperparameters, "epochs": "1", "mixed_precision": mixed_precision}
        done = train(job, given, python=BERT_PYTHON)
        assert done.returncode == 0, done.stderr
        assert f"mixed_precision={mixed_precision} " in done.stdout
        models.append((job / "model" / "model.onnx").read_bytes())
        losses.append(float(done.stdout.partition("loss=")[2].split()[0]))
    # It rounds otherwise, and learns the same.
    assert models[0] != models[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_the_same_seed_gives_the_same_model_whether_the_training_is_killed_or_not(
    job: Path, train: Train, hyperparameters: dict[str, str]
) -> None:
    given = {**hyperparameters, "batch_size": "4", "checkpoint_steps": "3"}
    assert train(job, given, python=BERT_PYTHON).returncode == 0
    model = (job / "model" / "model.onnx").read_bytes()
    metrics = json.loads((job / "model" / "manifest.json").read_text())["metrics"]
    assert not (job / "checkpoints").exists()
    shutil.rmtree(job / "model")

    checkpoint = job / "checkpoints" / "training.pt"
    checkpoint.parent.mkdir()
    process = subprocess.Popen(
        [BERT_PYTHON, CONTAINER / "training" / "train.py", "train"],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(job), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not list((job / "model").glob("*.onnx"))

    done = train(job, given, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    assert "resumed: epoch " in done.stdout
    assert (job / "model" / "model.onnx").read_bytes() == model
    assert json.loads((job / "model" / "manifest.json").read_text())["metrics"] == metrics


CHECK_PARTS = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
from checkpoint import Checkpoint
from mixed_precision import training_number_type
for wish, cuda, fast in (("auto", False, True), ("auto", True, True), ("auto", True, False), ("off", True, True),
                         ("bf16", False, False)):
    print(training_number_type(wish, cuda=cuda, bf16_is_fast=lambda: fast))
folder = Path(sys.argv[2])
Checkpoint(folder, of="a").write({"step": 3})
print(Checkpoint(folder, of="a").read(), Checkpoint(folder, of="b").read(), Checkpoint(None, of="a").read())
(folder / "training.pt").write_bytes((folder / "training.pt").read_bytes()[:200])
print(Checkpoint(folder, of="a").read(), [path.name for path in folder.iterdir()])
"""


def test_takes_fast_numbers_where_there_are_any_and_no_checkpoint_but_its_own(tmp_path: Path) -> None:
    said = _run(CHECK_PARTS, str(CONTAINER / "training"), str(tmp_path)).splitlines()
    assert said[:5] == ["None", "torch.bfloat16", "torch.float16", "None", "torch.bfloat16"]
    assert said[5:7] == [
        "warning: training.pt has other posts or hyperparameters: the training starts again from the beginning",
        "{'step': 3} None None",
    ]
    assert said[7].startswith("warning: training.pt cannot be read (")
    assert said[7].endswith("): the training starts again from the beginning")
    assert said[8] == "None ['training.pt']"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pretrained_model": "/nowhere"}, "hyperparameter pretrained_revision: missing; '/nowhere' is taken from the"),
        (
            {"pretrained_model": "owner/bert", "pretrained_revision": "0" * 40},
            "hyperparameter pretrained_model: 'owner/bert' cannot be loaded",
        ),
        ({"max_length": "512"}, "hyperparameter max_length: got 512; "),
    ],
)
def test_fails_when_the_pretrained_model_does_not_fit(
    job: Path, train: Train, hyperparameters: dict[str, str], change: dict[str, str], said: str
) -> None:
    done = train(job, {**hyperparameters, **change}, python=BERT_PYTHON)
    assert done.returncode == 1
    assert (job / "output" / "failure").read_text().startswith(said)
    assert not list((job / "model").glob("*"))


def test_fails_when_the_words_are_cut_by_another_dictionary(
    job: Path, train: Train, hyperparameters: dict[str, str], pretrained: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in pretrained.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    config = json.loads((other / "tokenizer_config.json").read_text())
    (other / "tokenizer_config.json").write_text(json.dumps({**config, "mecab_kwargs": {"mecab_dic": "unidic_lite"}}))
    assert train(job, {**hyperparameters, "pretrained_model": str(other)}, python=BERT_PYTHON).returncode == 1
    assert "has mecab_dic 'unidic_lite'; allowed is 'ipadic'" in (job / "output" / "failure").read_text()


def test_starts_from_the_channels_files_where_they_are_the_pinned_ones(
    job: Path, hyperparameters: dict[str, str], pretrained: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As in a job that is isolated: no hyperparameter names anything, and nothing is fetched."""
    program = tmp_path_factory.mktemp("program")
    shutil.copytree(CONTAINER / "training", program, dirs_exist_ok=True)
    shutil.copytree(pretrained, job / "input" / "data" / "pretrained")
    (job / "input" / "config").mkdir()
    given = {**hyperparameters, "epochs": "1"}
    del given["pretrained_model"]
    (job / "input" / "config" / "hyperparameters.json").write_text(json.dumps(given))
    pin = {"name": "owner/bert", "revision": "a" * 40}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "SAGEMAKER_BASE_DIR": str(job)}
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pretrained.iterdir()}
    ended = []
    for files in (hashes, hashes | {"vocab.txt": "0" * 64}):
        (program / "pretrained_model.json").write_text(json.dumps(pin | {"files": files}))
        ended.append(
            subprocess.run(
                [BERT_PYTHON, program / "train.py", "train"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        )
    assert ended[0].returncode == 0, ended[0].stderr
    assert f"revision={'a' * 40}" in ended[0].stdout
    assert ended[1].returncode == 1
    assert "vocab.txt has another SHA-256 than the pinned one" in (job / "output" / "failure").read_text()


def _operators(job: Path) -> list[str]:
    return [node.op_type for node in onnx.load(job / "model" / "model.onnx").graph.node]


def _run(program: str, *arguments: str) -> str:
    return subprocess.run(
        [BERT_PYTHON, "-c", program, *arguments], check=True, capture_output=True, text=True, timeout=120
    ).stdout
