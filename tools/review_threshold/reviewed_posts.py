"""The posts of the review table, out of its export to S3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from review_estimates import ReviewedPost

from review_threshold.input_error import InputError


def read_export(path: Path) -> list[ReviewedPost]:
    """Read an export: its folder, or one of its files, gzipped or not. Posts without a probability are passed over.

    Raises InputError where there is nothing to read, or a line is not of the review table.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: give the folder of a DynamoDB export")
    # Its manifests lie beside the folder data.
    files = sorted(one for one in path.rglob("data/*") if one.name.endswith((".json", ".json.gz")))
    posts = [post for file in (files if path.is_dir() else [path]) for post in _posts(file)]
    if not posts:
        raise InputError(f"{path} holds no post with a probability: give the folder of an export of the review table")
    return posts


def _posts(file: Path) -> Iterator[ReviewedPost]:
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        yield from parse(lines, str(file))


def parse(lines: Iterable[str], name: str) -> Iterator[ReviewedPost]:
    """Read the lines of an export; `name` is what an error calls them."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)["Item"]
            if item["entry"]["S"] != "post" or "probability" not in item:
                continue
            yield _post(item)
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError(f"{name}, line {number}: {fault!r}: each line is an item of the review table") from fault


def _post(item: Mapping[str, Any]) -> ReviewedPost:
    return ReviewedPost(
        probability=float(item["probability"]["N"]),
        flagged=bool(item["flagged"]["BOOL"]),
        weight=float(item["weight"]["N"]),
        received=datetime.fromisoformat(item["received"]["S"]).timestamp() / 86_400,
        verdict=item["verdict"]["S"] if "verdict" in item else None,
        first_verdict=item["first_verdict"]["S"] if "first_verdict" in item else None,
    )
