"""Reads the labelled posts of a channel's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelled_posts import SUFFIXES, InvalidPostsError, format_of, read_posts
from refusal import RefusalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post; label 1 is a violation."""

    text: str
    label: int


def read_channel(folder: Path) -> list[Post]:
    """Read every file of labelled posts below a channel's folder, in the order of their paths.

    CSV and TSV need a header line with the columns `text` and `label`, JSON lines need these keys; other columns and
    keys are ignored.

    Raises:
        RefusalError: the channel is missing or empty, a file or a line is invalid, or only one label occurs.
    """
    channel = folder.name
    if not folder.is_dir():
        raise RefusalError(f"channel {channel}: not there ({folder}); give the channels train and test")
    posts: list[Post] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = f"{channel}/{path.relative_to(folder)}"
        if format_of(path.name) is None:
            raise RefusalError(
                f"{name}: the name ends in none of {', '.join(SUFFIXES)}; give labelled posts and nothing else"
            )
        try:
            with path.open("rb") as file:
                posts.extend(Post(text=post.text, label=post.label) for post in read_posts(file, name))
        except InvalidPostsError as fault:
            raise RefusalError(str(fault)) from None
    if not posts:
        raise RefusalError(f"channel {channel}: no post in it; give at least one .csv, .tsv or .jsonl file with posts")
    for label in (0, 1):
        if not any(post.label == label for post in posts):
            raise RefusalError(
                f"channel {channel}: {len(posts)} posts, none with label {label}; give posts of both labels"
            )
    return posts


def fingerprint(channels: Mapping[str, Sequence[Post]]) -> str:
    """Return `sha256:…` over all channels' texts and labels in order: equal data have an equal fingerprint."""
    digest = hashlib.sha256()
    for channel, posts in channels.items():
        for post in posts:
            digest.update(json.dumps([channel, post.text, post.label]).encode())
    return f"sha256:{digest.hexdigest()}"
