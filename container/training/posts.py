"""Labelled posts, as a channel's CSV and JSON lines files hold them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bounded_text import nfkc
from refusal import RefusalError

_SHOWN_CHARACTERS = 40
LONGEST_TEXT = 20_000
"""Characters in NFKC: of a longer post, serving refuses to say anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post; label 1 is a violation."""

    text: str
    label: int


def read_channel(folder: Path) -> list[Post]:
    """Reads every `.csv` and `.jsonl` below a channel's folder, in the order of their paths.

    CSV has a header line with the columns `text` and `label`, JSON lines have the keys; others are ignored.

    Raises:
        RefusalError: the channel is missing or empty, or holds a file or a line that is no post; one class only.
    """
    channel = folder.name
    if not folder.is_dir():
        raise RefusalError(f"channel {channel}: not there ({folder}); give the channels train and test")
    posts: list[Post] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = f"{channel}/{path.relative_to(folder)}"
        if path.suffix not in _READERS:
            raise RefusalError(f"{name}: got a {path.suffix or 'nameless'} file; allowed are {' and '.join(_READERS)}")
        posts.extend(_READERS[path.suffix](path, name))
    if not posts:
        raise RefusalError(f"channel {channel}: no post in it; give at least one .csv or .jsonl file with posts")
    for label in (0, 1):
        if not any(post.label == label for post in posts):
            raise RefusalError(
                f"channel {channel}: {len(posts)} posts, none with label {label}; give posts of both labels"
            )
    return posts


def fingerprint(channels: Mapping[str, Sequence[Post]]) -> str:
    """`sha256:…` over every channel's texts and labels in their order: equal data, equal fingerprint."""
    digest = hashlib.sha256()
    for channel, posts in channels.items():
        for post in posts:
            digest.update(json.dumps([channel, post.text, post.label]).encode())
    return f"sha256:{digest.hexdigest()}"


def _lines(path: Path, name: str) -> Iterator[str]:
    """Decodes line by line, so that a fault in the encoding has a line number too."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise RefusalError(
                    f"{name} line {number}: not UTF-8 ({error.reason}); save the file as UTF-8"
                ) from None


def _read_csv(path: Path, name: str) -> Iterator[Post]:
    rows = csv.DictReader(_lines(path, name), strict=True)
    try:
        columns = rows.fieldnames or []
        if not {"text", "label"} <= set(columns):
            raise RefusalError(
                f"{name} line 1: got the columns {_shown(','.join(columns))}; allowed is a header with text and label"
            )
        for row in rows:
            where = f"{name} line {rows.line_num}"
            if row["label"] not in ("0", "1"):
                raise RefusalError(f"{where}: got label {_shown(row['label'])}; allowed are 0 and 1")
            yield Post(text=_checked_text(row["text"], where), label=int(row["label"]))
    except csv.Error as error:
        raise RefusalError(
            f"{name} line {rows.reader.line_num}: not CSV ({error}); quote fields as RFC 4180 says"
        ) from None


def _read_json_lines(path: Path, name: str) -> Iterator[Post]:
    for number, line in enumerate(_lines(path, name), start=1):
        where = f"{name} line {number}"
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RefusalError(f"{where}: not JSON ({error}); give one object with text and label a line") from None
        if not isinstance(given, dict) or not {"text", "label"} <= given.keys():
            raise RefusalError(f"{where}: got {_shown(given)}; allowed is an object with text and label")
        label = given["label"]
        if isinstance(label, bool) or label not in (0, 1) or not isinstance(label, int):
            raise RefusalError(f"{where}: got label {_shown(label)}; allowed are 0 and 1")
        yield Post(text=_checked_text(given["text"], where), label=label)


_READERS = {".csv": _read_csv, ".jsonl": _read_json_lines}


def _checked_text(text: object, where: str) -> str:
    if not isinstance(text, str):
        raise RefusalError(f"{where}: got text {_shown(text)}; allowed is a string")
    if not text.strip():
        raise RefusalError(f"{where}: got an empty text; allowed is a text with at least one character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusalError(f"{where}: the text holds half of a surrogate pair; give valid Unicode") from None
    # What is far too long already is not worth the time.
    if (length := max(len(text), len(nfkc(text[:LONGEST_TEXT])))) > LONGEST_TEXT:
        raise RefusalError(f"{where}: got a text of {length} characters in NFKC; allowed are {LONGEST_TEXT}")
    return text


def _shown(value: object) -> str:
    """A value for an error line: one line, printable, short."""
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
