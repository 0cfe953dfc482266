"""What the release's own validation posts are like, counted in bins: what is served later is compared with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from exported_model import Probabilities
from known_trigrams import KnownTrigrams
from post_bins import BINS, length_bin, score_bin, stage_bin, unseen_bin
from posts import Post

FILE = "validation_profile.json"
_LABELS = ("fine", "violation")


def validation_profile(
    posts: Sequence[Post], probabilities: Probabilities, known: KnownTrigrams, by_first_stage: Sequence[bool] = ()
) -> dict[str, dict[str, list[int]]]:
    """Returns how many posts there are in each bin of each kind, by label: `{"score": {"fine": […], …}, …}`.

    By their labels, since labelled posts have more violations among them than those that are served may have.

    Args:
        posts: that the model was not fitted to.
        probabilities: what it says of them.
        known: the trigrams of the posts that it was fitted to.
        by_first_stage: whether the first stage answers each post; empty where the model has none, and no kind `stage`.
    """
    kinds = [kind for kind in BINS if kind != "stage" or by_first_stage]
    counts = {kind: {label: [0] * BINS[kind] for label in _LABELS} for kind in kinds}
    for post, answered in zip(posts, by_first_stage, strict=bool(by_first_stage)):
        counts["stage"]["violation" if post.label else "fine"][stage_bin(answered)] += 1
    for post, probability in zip(posts, probabilities, strict=True):
        label = "violation" if post.label else "fine"
        counts["score"][label][score_bin(float(probability))] += 1
        counts["length"][label][length_bin(post.text)] += 1
        counts["unseen"][label][unseen_bin(known.unseen_percent(post.text))] += 1
    return counts


def write_validation_profile(
    folder: Path,
    posts: Sequence[Post],
    probabilities: Probabilities,
    known: KnownTrigrams,
    by_first_stage: Sequence[bool] = (),
) -> None:
    """Writes `validation_profile.json`, which holds counts and nothing of a post."""
    profile = validation_profile(posts, probabilities, known, by_first_stage)
    (folder / FILE).write_text(json.dumps(profile) + "\n", encoding="utf-8")
