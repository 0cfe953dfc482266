"""The original's way with PyTorch: `python pytorch_padded.py POSTS THREADS`. Tokenising is not timed."""

import sys
from pathlib import Path

import torch
from answering import answer_turns
from transformers import BertConfig, BertForSequenceClassification

LENGTH = 512

torch.set_num_threads(int(sys.argv[2]))
network = BertForSequenceClassification(BertConfig(vocab_size=32_000)).eval()


def predict(token_ids: list[int]) -> object:
    ids = torch.zeros((1, LENGTH), dtype=torch.int64)
    ids[0, : len(token_ids)] = torch.tensor(token_ids)
    with torch.inference_mode():
        return torch.softmax(network(input_ids=ids, attention_mask=(ids > 0).long()).logits, dim=-1).numpy()


answer_turns(Path(sys.argv[1]), predict)
