"""The model's predictions for held-out posts.

A few posts with their texts serve to check that the endpoint predicts as the trained model does. The probabilities of
all posts, without texts, serve to compare models.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from exported_model import Probabilities
from posts import Post

FILE = "golden_posts.jsonl"
SCORES = "held_out_scores.jsonl"
MOST_POSTS = 64
LONGEST_TEXT = 1000
"""The most characters of a post: a check sends these posts one after the other, so none may take long."""


def write_golden_posts(folder: Path, posts: Sequence[Post], probabilities: Probabilities) -> None:
    """Write `golden_posts.jsonl`: lines of `text` and `probability`, spread over the probabilities.

    They are spread evenly by rank, including the lowest and the highest, so that a model with other weights or with
    swapped labels differs on most of them.
    """
    eligible = [index for index, post in enumerate(posts) if len(post.text) <= LONGEST_TEXT]
    ranked = sorted(eligible, key=lambda index: probabilities[index])
    chosen = np.unique(np.linspace(0, len(ranked) - 1, num=min(MOST_POSTS, len(ranked))).round().astype(int))
    lines = [
        json.dumps({"text": posts[index].text, "probability": float(probabilities[index])}) + "\n"
        for index in (ranked[rank] for rank in chosen)
    ]
    (folder / FILE).write_text("".join(lines), encoding="utf-8")


def write_held_out_scores(folder: Path, probabilities: Probabilities) -> None:
    """Write `held_out_scores.jsonl`: a line per test post, in order, in the format of a transform job's output."""
    lines = [json.dumps({"predictions": repr(float(probability))}) + "\n" for probability in probabilities]
    (folder / SCORES).write_text("".join(lines), encoding="utf-8")
