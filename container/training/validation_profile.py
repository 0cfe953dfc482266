"""Counts a release's validation posts in bins, for comparison with the posts that it serves later."""

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
    """Return the number of posts in each bin of each kind, by label: `{"score": {"fine": […], …}, …}`.

    The counts are by label, because the share of violations may be larger than among served posts.

    Args:
        posts: posts on which the model was not fitted.
        probabilities: the model's probabilities of these posts.
        known: the trigrams of the posts on which it was fitted.
        by_first_stage: whether the first stage answers each post; empty if there is none, which omits the kind `stage`.
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
    """Write `validation_profile.json`, which contains counts and nothing of a post."""
    profile = validation_profile(posts, probabilities, known, by_first_stage)
    (folder / FILE).write_text(json.dumps(profile) + "\n", encoding="utf-8")
