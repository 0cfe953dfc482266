"""Creates an untrained encoder with tiny layers: `python tiny_encoder.py FOLDER LAYERS CHARACTERS`.

It needs torch and transformers, so the Python with the training image's packages runs it. Its embeddings are so small
that one step at the usual learning rate changes them by a tenth: a few hundred posts are enough to train it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

_EMBEDDING_SIZE = 0.005
"""Factor on the initial values of BERT's word embeddings."""


def main(folder: Path, layers: int, characters: str) -> None:
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokens = [*special, *characters, *(f"##{character}" for character in characters)]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    network = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokens),
            hidden_size=64,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=128,
            max_position_embeddings=512,
        )
    )
    with torch.no_grad():
        network.bert.embeddings.word_embeddings.weight.mul_(_EMBEDDING_SIZE)
        network.bert.embeddings.position_embeddings.weight.zero_()
        network.bert.embeddings.token_type_embeddings.weight.zero_()
    network.save_pretrained(folder)
    tokenizer = {
        "tokenizer_class": "BertJapaneseTokenizer",
        "word_tokenizer_type": "mecab",
        "subword_tokenizer_type": "wordpiece",
        "do_lower_case": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
