"""What the release's own validation posts are like, counted in bins: what is served later is compared with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from exported_model import Probabilities
from known_trigrams import KnownTrigrams
from post_bins import BINS, length_bin, score_bin, unseen_bin
from posts import Post

FILE = "validation_profile.json"
_LABELS = ("fine", "violation")


def validation_profile(
    posts: Sequence[Post], probabilities: Probabilities, known: KnownTrigrams
) -> dict[str, dict[str, list[int]]]:
    """Returns how many posts there are in each bin of each kind, by label: `{"score": {"fine": […], …}, …}`.

    By their labels, since labelled posts have more violations among them than those that are served may have.

    Args:
        posts: that the model was not fitted to.
        probabilities: what it says of them.
        known: the trigrams of the posts that it was fitted to.
    """
    counts = {kind: {label: [0] * bins for label in _LABELS} for kind, bins in BINS.items()}
    for post, probability in zip(posts, probabilities, strict=True):
        label = "violation" if post.label else "fine"
        counts["score"][label][score_bin(float(probability))] += 1
        counts["length"][label][length_bin(post.text)] += 1
        counts["unseen"][label][unseen_bin(known.unseen_percent(post.text))] += 1
    return counts


def write_validation_profile(
    folder: Path, posts: Sequence[Post], probabilities: Probabilities, known: KnownTrigrams
) -> None:
    """Writes `validation_profile.json`, which holds counts and nothing of a post."""
    (folder / FILE).write_text(json.dumps(validation_profile(posts, probabilities, known)) + "\n", encoding="utf-8")
