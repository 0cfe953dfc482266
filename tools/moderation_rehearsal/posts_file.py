"""A user's own posts: CSV, TSV or JSON lines, with any names of columns and labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from labelled_posts import PLAIN, FileLayout, InvalidPostsError
from labelled_posts import read_posts as read_labelled

from cdk_rehearsal.step_failure import InvalidInputError
from moderation_rehearsal.sample_posts import Post

_FEWEST = 40


def read_posts(path: Path, layout: FileLayout = PLAIN) -> list[Post]:
    """Raises InvalidInputError with one line: the file, the line number, the given value and what is allowed."""
    try:
        with path.open("rb") as file:
            read = read_labelled(file, path.name, where=str(path), layout=layout)
            posts = [Post(text=post.text, label=post.label) for post in read]
    except InvalidPostsError as fault:
        raise InvalidInputError(f"{fault}{_option(fault, layout)}") from None
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    violations = sum(post.label for post in posts)
    if len(posts) < _FEWEST:
        raise InvalidInputError(f"{path}: holds {len(posts)} posts; give {_FEWEST} or more")
    if violations in (0, len(posts)):
        remedy = "no label is what --positive names" if layout.positive and not violations else "give both labels"
        raise InvalidInputError(f"{path}: {violations} of {len(posts)} posts are violations; {remedy}")
    return posts


def write_posts_file(posts: Sequence[Post], path: Path) -> None:
    """Writes the posts in the format of the deployed system. Raises InvalidInputError if that is impossible."""
    if path.suffix != ".jsonl":
        raise InvalidInputError(f"--write-posts: {path}: give a name that ends in .jsonl")
    lines = (json.dumps({"text": post.text, "label": post.label}, ensure_ascii=False) + "\n" for post in posts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InvalidInputError(f"--write-posts: {path}: cannot be written: {error.strerror}") from None


def _option(fault: InvalidPostsError, layout: FileLayout) -> str:
    """The option that would read the file."""
    if fault.encoding:
        return f"; or give --encoding {fault.encoding}"
    if fault.fault == "label" and not layout.positive:
        return "; or name the label of violations with --positive"
    if fault.fault == "columns":
        return "; or name the columns with --text-column and --label-column, by numbers from 1 where no header is"
    return ""
