"""The posts to erase, identified only by their keys."""

from __future__ import annotations

import base64
import binascii
import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from post_key import post_key

from post_erasure.input_error import InputError

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_DEEPEST: Final = 20
_LARGEST_FIELD: Final = 1 << 27


@dataclass(frozen=True, slots=True)
class WantedPosts:
    """`keys`: the results of `post_key`, the same for all spellings that look the same to a reviewer."""

    keys: frozenset[str]

    @classmethod
    def read(cls, *, posts: Path | None, keys: Path | None) -> Self:
        """Read texts from a `.jsonl` or `.csv` file with `text`, or keys from a file with one per line.

        Raises:
            InputError: a file cannot be read or has other content; the message names the line, not its content.
        """
        wanted = cls(frozenset(_keys(keys) if keys else ()) | frozenset(map(post_key, _texts(posts) if posts else ())))
        if not wanted.keys:
            raise InputError("there is no post to erase: give --posts or --keys with a file that holds at least one")
        return wanted

    def and_keys(self, keys: frozenset[str]) -> WantedPosts:
        """Return these and more."""
        return WantedPosts(self.keys | keys)

    def has(self, text: str) -> bool:
        """Whether a text is one of these posts."""
        try:
            return post_key(text) in self.keys
        except UnicodeEncodeError:  # half a surrogate pair, which no post contains
            return False

    def is_in(self, content: Any, depth: int = 0) -> bool:
        """Whether one of the posts is in a JSON value: as `text` or in `texts`, or by its key as `post`.

        Other members contain no post: a verdict may be the same word as a post. It parses JSON in strings, as in the
        endpoint's captured data, and accepts plain values and DynamoDB's format.
        """
        if depth > _DEEPEST:
            return False
        match content:
            case str():
                return self._is_in_text(content, depth)
            case list():
                return any(self.is_in(part, depth + 1) for part in content)
            case dict():
                return self._is_member(content) or any(self.is_in(part, depth + 1) for part in _parts(content))
        return False

    def _is_member(self, content: dict[str, Any]) -> bool:
        texts = content.get("texts")
        listed = texts if isinstance(texts, list) else []
        return _plain(content.get("post")) in self.keys or any(
            isinstance(text, str) and self.has(text) for text in [_plain(content.get("text")), *listed]
        )

    def _is_in_text(self, text: str, depth: int) -> bool:
        if not text.lstrip().startswith(("{", "[")):
            return False
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return self.is_in(inner, depth + 1)


def _plain(value: Any) -> Any:
    """A plain text, from a plain value or DynamoDB's format."""
    return value.get("S") if isinstance(value, dict) else value


def _parts(content: dict[str, Any]) -> list[Any]:
    # SageMaker's encoding of captured requests that it does not treat as text.
    if content.get("encoding") == "BASE64" and isinstance(content.get("data"), str):
        return [_decoded(content["data"])]
    return list(content.values())


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{file} cannot be read ({type(fault).__name__}): give a file in UTF-8") from None


def _keys(file: Path) -> list[str]:
    keys = []
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            if not _KEY.fullmatch(line.strip()):
                raise InputError(f"{file}, line {number}: no key of a post: give 64 digits from 0 to f on each line")
            keys.append(line.strip())
    return keys


def _texts(file: Path) -> list[str]:
    if file.suffix == ".jsonl":
        found = [(number, _text_of(line)) for number, line in _json_lines(file) if line.strip()]
    elif file.suffix == ".csv":
        found = _csv_texts(file)
    else:
        raise InputError(f"{file} is no .jsonl and no .csv: give a file of posts with text, or their keys with --keys")
    for number, text in found:
        if not isinstance(text, str) or not text.strip() or not _is_whole(text):
            raise InputError(f"{file}, line {number}: no post: each has a text of at least one character")
    return [str(text) for _, text in found]


def _json_lines(file: Path) -> list[tuple[int, str]]:
    try:
        # A line of JSON may contain other characters that end a line.
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{file} cannot be read ({type(fault).__name__}): give a file in UTF-8") from None
    return list(enumerate(lines, start=1))


def _text_of(line: str) -> object:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content.get("text") if isinstance(content, dict) else None


def _csv_texts(file: Path) -> list[tuple[int, object]]:
    csv.field_size_limit(_LARGEST_FIELD)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            if "text" not in (reader.fieldnames or ()):
                raise InputError(f"{file}, line 1: no column is named text: give a header that names it")
            return [(reader.line_num, row["text"]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(f"{file} cannot be read ({type(fault).__name__}): give a CSV file in UTF-8") from None


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
