import importlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "container" / "training" / "train.py"

IMAGE = os.environ.get("TRAINING_IMAGE")
collect_ignore = [] if IMAGE else ["test_image.py"]

MAKE_PRETRAINED = """
import json, sys
from pathlib import Path
import torch
from transformers import BertConfig, BertForSequenceClassification
folder, characters = Path(sys.argv[1]), sys.argv[2]
tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *("##" + c for c in characters), "追加", "授乳"]
(folder / "vocab.txt").write_text("\\n".join(tokens) + "\\n", encoding="utf-8")
torch.manual_seed(0)
BertForSequenceClassification(BertConfig(vocab_size=len(tokens), hidden_size=32, num_hidden_layers=2,
    num_attention_heads=2, intermediate_size=64, max_position_embeddings=128)).save_pretrained(folder)
(folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertJapaneseTokenizer",
    "word_tokenizer_type": "mecab", "subword_tokenizer_type": "wordpiece", "do_lower_case": False}))
"""
CHARACTERS = (
    "EILN。あいがくさしすだてでとにのまりるわをん㍿一三乳予二保個別制前副加園夜字後御"
    "心悩授接文未業泣消漢熱発白目知種稼空終絡絵育行話追連配防離電食１２３ＡＢＣｯｳｶｺﾞ🙂"
)
"""Those of the texts of test_bert_recipe.py that can be printed, but for one that is to be unknown, and more.

The network's first weights are drawn in this order: AUCs depend on it."""

Posts = Sequence[Mapping[str, object]]
Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def make_posts() -> Callable[[int, int], list[dict[str, object]]]:
    """Posts of which a quarter are violations, a few of them labelled wrongly."""

    def make(count: int, seed: int) -> list[dict[str, object]]:
        chance = random.Random(seed)
        topics = ("夜泣き", "離乳食", "保育園", "授乳", "予防接種", "発熱", "おむつ", "ベビーカー")
        questions = ("で悩んでいます", "はいつから始めましたか？", "のおすすめはありますか", "が心配です")
        violations = (
            "絶対に稼げる副業です",
            "LINEを追加してください",
            "090-1234-5678に電話して",
            "消えろ",
            "ﾗｲﾝで個別に連絡を",
        )
        posts: list[dict[str, object]] = []
        for number in range(count):
            violation = number % 4 == 0
            text = "。".join(chance.choice(topics) + chance.choice(questions) for _ in range(chance.randint(1, 4)))
            text += f"{chance.randint(0, 99)}ヶ月です。" + (chance.choice(violations) if violation else "")
            posts.append({"text": text, "label": int(violation) if chance.random() < 0.95 else int(not violation)})
        return posts

    return make


@pytest.fixture
def job(tmp_path: Path, make_posts: Callable[[int, int], list[dict[str, object]]]) -> Path:
    """The folder of a job with good posts in both channels."""
    for channel, count, seed in (("train", 200, 1), ("test", 80, 2)):
        folder = tmp_path / "input" / "data" / channel
        folder.mkdir(parents=True)
        lines = [json.dumps(post, ensure_ascii=False) for post in make_posts(count, seed)]
        (folder / "posts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two tiny layers that has learnt nothing, saved as one of the hub is."""
    folder = tmp_path_factory.mktemp("pretrained")
    python = [os.environ.get("BERT_PYTHON", "")]
    if IMAGE:
        python = ["docker", "run", "--rm", "--volume", f"{folder}:{folder}", "--entrypoint", "python", IMAGE]
    subprocess.run([*python, "-c", MAKE_PRETRAINED, str(folder), CHARACTERS], check=True, timeout=120)
    return folder


@pytest.fixture(scope="session")
def hyperparameters(pretrained: Path) -> dict[str, str]:
    return {
        "recipe": "bert",
        "pretrained_model": str(pretrained),
        "epochs": "2",
        "learning_rate": "0.003",
        "max_length": "32",
    }


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the program, and forgets all of them afterwards: their names are not this process's."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(PROGRAM.parent)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(PROGRAM.parent)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def train(training_programs: Any) -> Train:
    """Runs the real program on a job's folder; with `python` another interpreter's, and then in no container."""

    def run(
        base: Path, hyperparameters: Mapping[str, object] | None = None, *, python: str = ""
    ) -> subprocess.CompletedProcess[str]:
        if hyperparameters is not None:
            path = base / "input" / "config" / "hyperparameters.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(hyperparameters))
        environment = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}  # other tests run beside this one
        if python or not training_programs.image:
            command = [python or sys.executable, str(PROGRAM), "train"]
            environment |= {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
        else:
            for made_by_sagemaker in ("model", "output/data"):
                (base / made_by_sagemaker).mkdir(parents=True, exist_ok=True)
            base.chmod(0o755)
            program = training_programs.start(["train"], environment, mounts={base: "/opt/ml"})
            command, environment = program.command, program.environment
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
