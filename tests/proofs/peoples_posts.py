"""Whether the way from posts to flags holds for posts that people wrote and labelled."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

from cdk_rehearsal.rehearsal import Rehearsal
from moderation_rehearsal.story import ModerationStory
from tests.proofs.proof import PROJECT, Suite
from tests.proofs.rehearsed import rehearsed

_POSTS = PROJECT.parent / "shared" / "data" / "japanese_toxic_posts.csv"
# Too few to ask anything of the model: 9 violations among 69 held-out posts gave an AUC of 0.20, and over 40 random
# splits of this size character n-grams average 0.495.
_CONTEXT = ("model.minimum_auc=0",)


def japanese_posts(folder: Path) -> str:
    """Rehearses the reference system with them. A post is a violation where at least half of the annotators say so."""
    if not _POSTS.is_file():
        return f"SKIPPED: {_POSTS.relative_to(PROJECT.parent)} is not beside the project"
    posts = folder / "labelled_posts.csv"
    with _POSTS.open(encoding="utf-8", newline="") as source, posts.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["text", "label"])
        for row in csv.DictReader(source):
            toxic = int(row["Toxic"]) + int(row["Very Toxic"])
            rows.writerow([row["text"], int(toxic >= int(row["Not Toxic"]) + int(row["Hard to Say"]))])
    story = ModerationStory(data=posts, releases="first")
    with rehearsed(folder, functools.partial(Rehearsal, story=story), *_CONTEXT) as rehearsal:
        rehearsal.run()
    report = story.report
    return (
        f"{report.posts_uploaded} posts trained with, {report.posts_sent} moderated, {report.posts_flagged} flagged, "
        f"{report.agreement_with_labels:.0%} as labelled"
    )


PEOPLES_POSTS = Suite(
    name="peoples-posts",
    question="Does the way from posts to flags hold for posts that people wrote and labelled? Nothing is asked of the "
    "model: these are too few.",
    cases={"Japanese posts": japanese_posts},
    # As long as the gate's rehearsal on generated posts, which goes the same way.
    samples={},
)
