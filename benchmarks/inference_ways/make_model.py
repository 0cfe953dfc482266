"""Writes a model folder as the recipe `bert` does, with the weights of a BERT-base drawn at random.

`python make_model.py CONTAINER_TRAINING FOLDER COUNT` with the packages of container/training installed.
"""

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import torch
from bert_recipe import export_onnx
from fused_graph import fuse
from japanese_wordpiece import DICTIONARY, NORMALISATION, JapaneseWordpiece, build_tokenizer
from precision import quantise
from transformers import BertConfig, BertForSequenceClassification

SHORTEST, MEDIAN, LONGEST = 20, 60, 200
"""Tokens of a post, [CLS] and [SEP] included."""
SPREAD = 0.6
"""Of the logarithm of their number."""
VOCABULARY = 32_000
CHARACTERS = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
    "がぎぐげござじずぜぞ日本子育母乳夜泣離食保園病"
)


def main(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Every character is a token, so that a post has the length that is wanted.
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS, *(f"##{c}" for c in CHARACTERS)]
    tokens += [f"unused{number}" for number in range(VOCABULARY - len(tokens))]
    tokenizer = build_tokenizer({token: number for number, token in enumerate(tokens)}, max_length=512)
    tokenizer.save(str(folder / "tokenizer.json"))
    chance = random.Random(0)  # nosec B311  # seeded
    texts = []
    for _ in range(count):
        length = MEDIAN * chance.lognormvariate(0, SPREAD)
        length = round(min(max(length, SHORTEST), LONGEST))
        texts.append("".join(chance.choices(CHARACTERS, k=length - 2)))
    wordpiece = JapaneseWordpiece(tokenizer)
    (folder / "texts.json").write_text(json.dumps(texts))
    (folder / "token_ids.json").write_text(json.dumps([wordpiece.encode([t])["input_ids"][0].tolist() for t in texts]))

    torch.manual_seed(0)
    config = BertConfig(vocab_size=VOCABULARY, attn_implementation="eager")
    fp32, path = folder / "fp32.onnx", folder / "model" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    export_onnx(BertForSequenceClassification(config).eval(), fp32)
    fuse(fp32, layers=config.num_hidden_layers, heads=config.num_attention_heads, hidden_size=config.hidden_size)
    quantise(fp32, path, reduce_range=True)
    (folder / "tokenizer.json").replace(path.parent / "tokenizer.json")
    manifest = {
        "manifest_version": 1,
        "preprocessing": {
            "kind": "japanese_wordpiece",
            "normalisation": list(NORMALISATION),
            "tokenizer": "tokenizer.json",
            "dictionary": DICTIONARY,
        },
    }
    (path.parent / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main(Path(sys.argv[2]), int(sys.argv[3]))
