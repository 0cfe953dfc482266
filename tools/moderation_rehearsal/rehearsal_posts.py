"""The posts of a rehearsal: a user's own or sample posts, held-out posts and later ones."""

from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path
from typing import Any, Self

from labelled_posts import FileLayout

from cdk_rehearsal.step_failure import InvalidInputError
from moderation_rehearsal.posts_file import read_posts, write_posts_file
from moderation_rehearsal.sample_posts import Post, generate_posts

SEED = 1998
_FIRST_SHARE = 0.9  # the rest are for the second release
_ARRIVING = 150
_ARRIVING_SEED = 2001


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalPosts:
    """`team` are the team's training posts, `uploaded` those of the first release.

    `held_out` are not trained on, but moderated; `arriving` are sent to the ML API later, in addition.
    """

    team: list[Post] = dataclasses.field(repr=False)
    uploaded: list[Post] = dataclasses.field(repr=False)
    held_out: list[Post] = dataclasses.field(repr=False)
    arriving: list[Post] = dataclasses.field(repr=False)

    @classmethod
    def choose(
        cls, *, data: Path | None, layout: FileLayout, written: Path | None, sample_posts: int, held_out: int
    ) -> Self:
        """Raises InvalidInputError if `data` is unusable, or if options describe its format but none are given."""
        posts = _posts(data, sample_posts, layout, written)
        shuffled = list(posts)
        random.Random(SEED).shuffle(shuffled)  # nosec B311  # seeded
        aside = min(held_out, len(shuffled) // 4)
        team = shuffled[aside:]
        return cls(
            team=team,
            uploaded=team[: math.ceil(len(team) * _FIRST_SHARE)],
            held_out=shuffled[:aside],
            arriving=_arriving(data, posts),
        )


def file_layout(**options: Any) -> FileLayout:
    """Raises InvalidInputError if the options of --data conflict."""
    try:
        return FileLayout(**options)
    except ValueError as fault:
        raise InvalidInputError(f"--data: {fault}") from None


def _posts(data: Path | None, count: int, layout: FileLayout, written: Path | None) -> list[Post]:
    if data is None:
        if layout != FileLayout() or written is not None:
            raise InvalidInputError("an option says how a file of posts lies, and there is none: give it with --data")
        return generate_posts(count)
    posts = read_posts(data, layout)
    if written is not None:
        write_posts_file(posts, written)
    return posts


def _arriving(data: Path | None, posts: list[Post]) -> list[Post]:
    """Sample posts of another seed; there are none for a user's own posts."""
    known = {post.text for post in posts}
    return [] if data else [post for post in generate_posts(_ARRIVING, _ARRIVING_SEED) if post.text not in known]
