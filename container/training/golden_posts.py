"""What the model says of held-out posts.

A few of them with their texts, for whoever checks that it is served as it was trained; of all of them the probabilities
alone, for whoever compares it with another model.
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
"""Characters. A check asks about all of them, one after the other: no post may take it long."""


def write_golden_posts(folder: Path, posts: Sequence[Post], probabilities: Probabilities) -> None:
    """Writes `golden_posts.jsonl`: lines of `text` and `probability`, spread over the probabilities.

    Evenly by rank, the lowest and the highest among them, so that a model that answers with another's weights, or with
    its probabilities turned round, differs in most of them.
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
    """Writes `held_out_scores.jsonl`: a line for each post to test with, in their order, as a transform job answers."""
    lines = [json.dumps({"predictions": repr(float(probability))}) + "\n" for probability in probabilities]
    (folder / SCORES).write_text("".join(lines), encoding="utf-8")
