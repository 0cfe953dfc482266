"""Reads the posts of the channel `unlabelled`, on which a student learns its teacher's predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labelled_posts import (
    GZIP,
    SUFFIXES,
    InvalidPostsError,
    checked_text,
    format_of,
    json_objects,
    table_cells,
    text_lines,
)
from refusal import RefusalError

CHANNEL = "unlabelled"


def read_unlabelled(channel: Path, *, known: set[str]) -> list[str]:
    """Return the texts of every file below the channel's folder, each once and without those in `known`.

    CSV and TSV need a header line with the column `text`, JSON lines need this key. Other columns and keys, such as a
    label, are ignored. The result is empty if there is no such channel.

    Raises:
        RefusalError: a file or a line is invalid, or there is no post at all.
    """
    if not channel.is_dir():
        return []
    found: dict[str, None] = {}
    for path in sorted(path for path in channel.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = f"{channel.name}/{path.relative_to(channel)}"
        if format_of(path.name) is None:
            raise RefusalError(f"{name}: the name ends in none of {', '.join(SUFFIXES)}; give posts and nothing else")
        try:
            found.update(dict.fromkeys(_texts(path, name)))
        except InvalidPostsError as fault:
            raise RefusalError(str(fault)) from None
    if not found:
        raise RefusalError(f"channel {channel.name}: no post in it; give at least one .csv, .tsv or .jsonl file")
    return [text for text in found if text not in known]


def _texts(path: Path, name: str) -> Iterator[str]:
    with path.open("rb") as file:
        lines = text_lines(file, name, gzipped=path.name.lower().endswith(GZIP))
        format_ = str(format_of(path.name))
        if format_ == "jsonl":
            for _, at, content in json_objects(lines, name, ("text",)):
                yield checked_text(content.get("text"), at)
        else:
            for _, at, (text,) in table_cells(lines, name, format_, ("text",)):
                yield checked_text(text, at)
