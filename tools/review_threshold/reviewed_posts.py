"""The posts of the review table, from its export to S3."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from labelled_posts import GZIP, InvalidPostsError, json_objects, text_lines

from review_threshold.input_error import InputError
from review_threshold.review_estimates import ReviewedPost

_SUMMARY = "manifest-summary.json"


def read_export(path: Path) -> list[ReviewedPost]:
    """Read an export: its folder, or one of its files, gzipped or not. Posts without a probability are skipped.

    Raises InputError for a missing, incomplete or second export, or for a line that is not from the review table.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: give the folder of a DynamoDB export")
    files, items = ([path], None) if path.is_file() else _files(path)
    read = 0
    posts = []
    for file in files:
        of_file = list(_read(file))
        read += len(of_file)
        posts += [post for post in of_file if post is not None]
    if items is not None and read != items:
        raise InputError(f"{path} holds {read} items of {items}: copy the export again, with all its files")
    if not posts:
        raise InputError(f"{path} holds no post with a probability: give the folder of an export of the review table")
    return posts


def parse(lines: Iterable[str], name: str) -> Iterator[ReviewedPost]:
    """Read the lines of an export; `name` is their name in errors."""
    return (post for post in _parsed(iter(lines), name) if post is not None)


def _files(folder: Path) -> tuple[list[Path], int | None]:
    """The data files of the only export below a folder, and its number of items if the summary has it."""
    # Its manifests are next to the folder `data`.
    found = folder.iterdir() if folder.name == "data" else folder.rglob("data/*")
    files = sorted(one for one in found if one.name.endswith((".json", f".json{GZIP}")))
    exports = sorted({file.parent.parent for file in files})
    if len(exports) > 1:
        raise InputError(f"{folder} holds {len(exports)} exports: give one of them, as {exports[-1]}")
    for export in exports:
        try:
            items = json.loads((export / _SUMMARY).read_text(encoding="utf-8"))["itemCount"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            items = None
        return files, items if type(items) is int else None
    return files, None


def _read(file: Path) -> Iterator[ReviewedPost | None]:
    try:
        with file.open("rb") as stream:
            yield from _parsed(text_lines(stream, str(file), gzipped=file.name.endswith(GZIP)), str(file))
    except InvalidPostsError as fault:
        raise InputError(str(fault)) from None
    except OSError as fault:
        raise InputError(f"{file} cannot be read: {fault.strerror}") from None


def _parsed(lines: Iterator[str], name: str) -> Iterator[ReviewedPost | None]:
    """The post of each item; None if it is not a post or has no probability."""
    for _, at, content in json_objects(lines, name, ["Item"]):
        item = content.get("Item")
        if not isinstance(item, dict):
            raise _not_of_the_table(at, "there is no Item")
        is_post = _value(item, "entry", "S", at) == "post" and "probability" in item
        yield _post(item, at) if is_post else None


def _post(item: Mapping[str, Any], at: str) -> ReviewedPost:
    received = _value(item, "received", "S", at)
    try:
        days = datetime.fromisoformat(received).timestamp() / 86_400
    except (TypeError, ValueError, OverflowError):
        raise _not_of_the_table(at, "received is no time in ISO 8601") from None
    try:
        return ReviewedPost(
            probability=_number(item, "probability", at),
            flagged=bool(_value(item, "flagged", "BOOL", at)),
            weight=_number(item, "weight", at),
            received=days,
            verdict=_value(item, "verdict", "S", at) if "verdict" in item else None,
            first_verdict=_value(item, "first_verdict", "S", at) if "first_verdict" in item else None,
        )
    except ValueError as fault:
        raise _not_of_the_table(at, str(fault)) from None


def _number(item: Mapping[str, Any], name: str, at: str) -> float:
    try:
        number = float(_value(item, name, "N", at))
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise _not_of_the_table(at, f"{name} is no number")
    return number


def _value(item: Mapping[str, Any], name: str, kind: str, at: str) -> Any:
    value = item.get(name)
    if not isinstance(value, dict) or kind not in value:
        raise _not_of_the_table(at, f"{name} has no {kind}")
    return value[kind]


def _not_of_the_table(at: str, what: str) -> InputError:
    return InputError(f"{at}: {what}: each line must be an item of the review table")
