"""A user's own posts: CSV with a header, or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cdk_rehearsal.sample_posts import Post
from cdk_rehearsal.step_failure import InvalidInputError

_FEWEST = 40


def read_posts(path: Path) -> list[Post]:
    """Raises InvalidInputError with one line that names the file, the line, what it holds and what is allowed."""
    readers = {".csv": _read_csv, ".jsonl": _read_json_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInputError(f'{path}: the name ends in "{path.suffix}"; give a .csv or a .jsonl file')
    try:
        posts = list(reader(path))
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from None
    violations = sum(post.label for post in posts)
    if len(posts) < _FEWEST:
        raise InvalidInputError(f"{path}: holds {len(posts)} posts; give {_FEWEST} or more")
    if violations in (0, len(posts)):
        raise InvalidInputError(f"{path}: every label is {posts[0].label}; give posts of both labels, 0 and 1")
    return posts


def _read_csv(path: Path) -> Iterator[Post]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        missing = [name for name in ("text", "label") if name not in (rows.fieldnames or [])]
        if missing:
            found = ", ".join(rows.fieldnames or []) or "nothing"
            raise InvalidInputError(
                f'{path}: the header has no column "{missing[0]}" but {found}; it must have text and label'
            )
        for row in rows:
            yield _post(path, rows.line_num, row["text"], row["label"])


def _read_json_lines(path: Path) -> Iterator[Post]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                post = json.loads(line)
            except json.JSONDecodeError as error:
                raise InvalidInputError(f"{path} line {number}: not JSON: {error.msg}") from None
            if not isinstance(post, dict) or not {"text", "label"} <= post.keys():
                raise InvalidInputError(f'{path} line {number}: must be an object with "text" and "label"')
            yield _post(path, number, post["text"], post["label"])


def _post(path: Path, line: int, text: Any, label: Any) -> Post:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(f"{path} line {line}: text is {json.dumps(text)}; give a text that is not empty")
    if isinstance(label, bool) or str(label).strip() not in ("0", "1"):
        raise InvalidInputError(f"{path} line {line}: label is {json.dumps(label)}; give 0 or 1")
    return Post(text=text, label=int(label))
