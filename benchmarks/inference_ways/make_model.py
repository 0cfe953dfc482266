"""Writes model folders as the recipes do, with weights drawn at random: a BERT-base, a student, each alone and behind a
first stage.

`python make_model.py CONTAINER_TRAINING FOLDER COUNT LAYERS WIDTH SHARE` with the packages of container/training
installed. SHARE of the texts is answered by the first stage. FOLDER/model is the BERT-base's; FOLDER/cascade,
FOLDER/student and FOLDER/cascade-student are folders of jobs with a `model` each.
"""

import json
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import linear_recipe
import numpy as np
import torch
from bert_recipe import export_onnx
from cascade import FIRST_STAGE
from fused_graph import fuse
from hyperparameters import STUDENT_HEAD_WIDTH, Hyperparameters
from japanese_wordpiece import DICTIONARY, NORMALISATION, JapaneseWordpiece, build_tokenizer
from posts import Post
from precision import quantise
from transformers import BertConfig, BertForSequenceClassification

SHORTEST, MEDIAN, LONGEST = 20, 60, 200
"""Tokens of a post, [CLS] and [SEP] included."""
SPREAD = 0.6
"""Of the logarithm of their number."""
VOCABULARY = 32_000
FITTED_POSTS = 4000
"""By the first stage: of so many it has as many n-grams as it takes."""
CHARACTERS = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
    "がぎぐげござじずぜぞ日本子育母乳夜泣離食保園病"
)
PREPROCESSING = {
    "kind": "japanese_wordpiece",
    "normalisation": list(NORMALISATION),
    "tokenizer": "tokenizer.json",
    "dictionary": DICTIONARY,
}


def main(folder: Path, count: int, *, layers: int, width: int, share: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Every character is a token, so that a post has the length that is wanted.
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS, *(f"##{c}" for c in CHARACTERS)]
    tokens += [f"unused{number}" for number in range(VOCABULARY - len(tokens))]
    tokenizer = build_tokenizer({token: number for number, token in enumerate(tokens)}, max_length=512)
    tokenizer.save(str(folder / "tokenizer.json"))
    chance = random.Random(0)  # nosec B311  # seeded
    texts = _drawn(chance, count)
    wordpiece = JapaneseWordpiece(tokenizer)
    (folder / "texts.json").write_text(json.dumps(texts))
    (folder / "token_ids.json").write_text(json.dumps([wordpiece.encode([t])["input_ids"][0].tolist() for t in texts]))

    first = folder / "first_stage"
    first.mkdir(exist_ok=True)
    more = [Post(text=text, label=number % 2) for number, text in enumerate(_drawn(chance, FITTED_POSTS))]
    fitted = linear_recipe.train(more, more[:50], Hyperparameters(), first)
    scores = np.sort(fitted.probabilities(texts))
    low, high = (float(np.quantile(scores, at)) for at in (share / 2, 1 - share / 2))
    cascade = {
        "serves": "cascade",
        "share": share,
        "first_stage": {
            "model": FIRST_STAGE,
            "preprocessing": fitted.preprocessing,
            "low": low,
            "high": high,
            "scores": [0.0, 1.0],
            "answers": [0.0, 1.0],
        },
    }

    base = BertConfig(vocab_size=VOCABULARY, attn_implementation="eager")
    small = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // STUDENT_HEAD_WIDTH,
        intermediate_size=4 * width,
        attn_implementation="eager",
    )
    for name, config, job, behind in (
        ("fp32", base, folder, folder / "cascade"),
        ("student-fp32", small, folder / "student", folder / "cascade-student"),
    ):
        _write(config, folder / f"{name}.onnx", job / "model")
        shutil.copy(folder / "tokenizer.json", job / "model")
        _write_manifest(job / "model", {})
        shutil.copytree(job / "model", behind / "model", dirs_exist_ok=True)
        shutil.copy(first / "model.onnx", behind / "model" / FIRST_STAGE)
        _write_manifest(behind / "model", {"cascade": cascade})
        for served in (job, behind):
            if served != folder:
                shutil.copy(folder / "texts.json", served)
                shutil.copy(folder / "token_ids.json", served)


def _drawn(chance: random.Random, count: int) -> list[str]:
    texts = []
    for _ in range(count):
        length = MEDIAN * chance.lognormvariate(0, SPREAD)
        length = round(min(max(length, SHORTEST), LONGEST))
        texts.append("".join(chance.choices(CHARACTERS, k=length - 2)))
    return texts


def _write(config: BertConfig, fp32: Path, model: Path) -> None:
    torch.manual_seed(0)
    model.mkdir(parents=True, exist_ok=True)
    export_onnx(BertForSequenceClassification(config).eval(), fp32)
    fuse(fp32, layers=config.num_hidden_layers, heads=config.num_attention_heads, hidden_size=config.hidden_size)
    quantise(fp32, model / "model.onnx", reduce_range=True)


def _write_manifest(model: Path, more: dict[str, object]) -> None:
    manifest = {"manifest_version": 1, "preprocessing": PREPROCESSING, **more}
    (model / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main(
        Path(sys.argv[2]),
        int(sys.argv[3]),
        layers=int(sys.argv[4]),
        width=int(sys.argv[5]),
        share=float(sys.argv[6]),
    )
