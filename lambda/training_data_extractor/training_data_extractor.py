"""Makes training data out of labelled posts in S3.

Reads every object of a known format below a prefix, each post with a `text` and a `label` of 0 or 1, and writes one
JSON-lines file to train with and one to test with. A post is on the same side in every run: the side follows from its
text alone. Identical texts count once; where they are labelled both ways, the post is a violation, because a violation
let through costs more than a post held for review.

Posts pass through a database on disk, so memory does not grow with their number.
"""

import contextlib
import csv
import gzip
import hashlib
import io
import json
import logging
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import boto3

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

TEST_PERCENT = 20
LONGEST_LINE = 1 << 20  # characters
SIDES = ("train", "test")
GZIP = ".gz"


class InvalidPosts(Exception):
    """The posts cannot be trained on; the message says which object, which line, and what is allowed."""


def handler(event: dict[str, str], context: object) -> dict[str, Any]:
    """Reads `posts_prefix` of `bucket`, writes `<run_prefix>train/posts.jsonl` and `<run_prefix>test/posts.jsonl`.

    `format` says how the posts lie there. `auto`, which it is where it is missing: `.csv` with a header and `.jsonl`
    objects, others are passed over. `json_lines`: every object, whatever its name, as Athena's UNLOAD writes them.
    `dynamodb_export`: the `.json` objects below `data/` of an export of a DynamoDB table. Each may be gzipped, which a
    name that ends in `.gz` says.

    Returns for each side the `uri` of its folder, `posts` and `violations`, for the posts to test with also the
    `texts_uri` of their texts alone, in the same order, which is what a model is given to judge; the numbers of
    `duplicates` and `conflicts`; and the `fingerprint`, the same for the same set of labelled posts however they lie in
    objects.
    """
    bucket, run_prefix = event["bucket"], event["run_prefix"]
    format_ = event.get("format", "auto")
    if format_ not in FORMATS:
        raise InvalidPosts(f"format is {_shown(format_)}: it is one of {', '.join(FORMATS)}")
    s3 = boto3.client("s3")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(_database(Path(folder) / "posts.db")) as posts:
        read = _read_posts(s3, bucket, event["posts_prefix"], format_, posts)
        result = _write_sides(s3, bucket, run_prefix, posts, Path(folder))
        distinct, conflicts = posts.execute("SELECT count(*), coalesce(sum(conflict), 0) FROM post").fetchone()
    result |= {"duplicates": read - distinct, "conflicts": conflicts}
    LOGGER.info("%s", json.dumps(result))
    return result


def side_of(digest: bytes) -> str:
    """The side of the post whose text has this SHA-256."""
    return "test" if int.from_bytes(digest[:8]) % 100 < TEST_PERCENT else "train"


def parse_csv(lines: Iterator[str], where: str) -> Iterator[tuple[int, str, int]]:
    """Line number, text and label of each post of a CSV whose header names `text` and `label`."""
    reader = csv.DictReader(lines, strict=True)
    try:
        columns = reader.fieldnames or []
        missing = [name for name in ("text", "label") if name not in columns]
        if missing:
            raise InvalidPosts(
                f"{where}, line 1: the columns are {', '.join(columns) or 'none'}: the header names text and label"
            )
        for row in reader:
            label = {"0": 0, "1": 1}.get((row["label"] or "").strip())
            yield reader.line_num, *_post(row["text"], label, row["label"], f"{where}, line {reader.line_num}")
    except csv.Error as fault:
        raise InvalidPosts(f"{where}, line {reader.line_num + 1}: {fault}: quote fields as RFC 4180 has it") from None


def parse_json_lines(lines: Iterator[str], where: str) -> Iterator[tuple[int, str, int]]:
    """Line number, text and label of each post of a JSON-lines file; empty lines are passed over."""
    for number, at, content in _json_objects(lines, where, "text and label"):
        given = content.get("label")
        label = given if type(given) is int and given in (0, 1) else None
        yield number, *_post(content.get("text"), label, given, at)


def parse_dynamodb_export(lines: Iterator[str], where: str) -> Iterator[tuple[int, str, int]]:
    """Line number, text and label of each item of a DynamoDB export: `{"Item": {"text": {"S": …}, "label": …}}`."""
    for number, at, content in _json_objects(lines, where, "Item"):
        item = content.get("Item")
        if not isinstance(item, dict):
            raise InvalidPosts(f"{at}: {_shown(content)}: each line is an object with Item")
        text, given = item.get("text"), item.get("label")
        match text:
            case {"S": str(characters)}:
                text = characters
        label = None
        match given:
            case {"N": "0" | "0.0"} | {"BOOL": False}:
                label = 0
            case {"N": "1" | "1.0"} | {"BOOL": True}:
                label = 1
        yield number, *_post(text, label, given, at)


def _json_objects(lines: Iterator[str], where: str, keys: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        at = f"{where}, line {number}"
        try:
            content = json.loads(line)
        except ValueError as fault:
            raise InvalidPosts(f"{at}: not JSON ({fault}): each line is an object with {keys}") from None
        if not isinstance(content, dict):
            raise InvalidPosts(f"{at}: {_shown(content)}: each line is an object with {keys}")
        yield number, at, content


Parser = Callable[[Iterator[str], str], Iterator[tuple[int, str, int]]]


def _by_suffix(name: str) -> Parser | None:
    return {".csv": parse_csv, ".jsonl": parse_json_lines}.get(Path(name).suffix.lower())


def _every_object(name: str) -> Parser | None:
    # A key that ends in a slash is what the console makes of a folder; the others Athena may leave beside the posts.
    return None if name.endswith(("/", ".metadata", "-manifest.csv")) else parse_json_lines


def _exported(name: str) -> Parser | None:
    # An export has manifests beside its `data/`, which are JSON too.
    return parse_dynamodb_export if "/data/" in name and name.endswith(".json") else None


# The parser of an object by its name without `.gz`; None for one that is passed over.
FORMATS: dict[str, Callable[[str], Parser | None]] = {
    "auto": _by_suffix,
    "json_lines": _every_object,
    "dynamodb_export": _exported,
}
WANTED = {
    "auto": "no .csv and no .jsonl object",
    "json_lines": "no object",
    "dynamodb_export": "no data/….json object of an export",
}


def _post(text: object, label: int | None, given_label: object, at: str) -> tuple[str, int]:
    if label is None:
        raise InvalidPosts(f"{at}: label is {_shown(given_label)}: it is 0 (fine) or 1 (a violation)")
    if not isinstance(text, str) or not text.strip():
        raise InvalidPosts(f"{at}: text is {_shown(text)}: it is a post of at least one character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidPosts(f"{at}: text holds half of a surrogate pair: it is valid Unicode")
    return text, label


def _shown(value: object) -> str:
    """A faulty value, short enough for one line."""
    shown = json.dumps(value, ensure_ascii=True)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"


def _database(path: Path) -> sqlite3.Connection:
    posts = sqlite3.connect(path, isolation_level=None)
    # It lives for one run: nothing has to survive a crash, and its cache stays at 64 MiB.
    posts.execute("PRAGMA journal_mode = OFF")
    posts.execute("PRAGMA synchronous = OFF")
    posts.execute("PRAGMA cache_size = -65536")
    posts.execute(
        "CREATE TABLE post (digest BLOB PRIMARY KEY, side TEXT, text TEXT, label INTEGER, conflict INTEGER)"
        " WITHOUT ROWID"
    )
    return posts


def _read_posts(s3: Any, bucket: str, prefix: str, format_: str, posts: sqlite3.Connection) -> int:
    read = 0
    objects = 0
    posts.execute("BEGIN")
    for key in _keys(s3, bucket, prefix):
        gzipped = key.endswith(GZIP)
        parse = FORMATS[format_](key.removesuffix(GZIP))
        if parse is None:
            continue
        objects += 1
        where = f"s3://{bucket}/{key}"
        with contextlib.closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            for _, text, label in parse(_lines(body, where, gzipped=gzipped), where):
                digest = hashlib.sha256(text.encode()).digest()
                posts.execute(
                    "INSERT INTO post VALUES (?, ?, ?, ?, 0) ON CONFLICT (digest) DO UPDATE SET"
                    " conflict = max(conflict, label != excluded.label), label = max(label, excluded.label)",
                    (digest, side_of(digest), text, label),
                )
                read += 1
    posts.execute("COMMIT")
    if not objects:
        raise InvalidPosts(f"s3://{bucket}/{prefix} holds {WANTED[format_]}: put labelled posts there")
    return read


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]


def _lines(body: Any, where: str, *, gzipped: bool) -> Iterator[str]:
    content: Any = io.BufferedReader(cast(io.RawIOBase, body))
    if gzipped:
        content = gzip.GzipFile(fileobj=content)
    # newline="" keeps the line ends, which the csv module needs to read a post of several lines.
    stream = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    number = 0
    try:
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise InvalidPosts(f"{where}, line {number}: longer than {LONGEST_LINE} characters")
            yield line
    except UnicodeDecodeError as fault:
        raise InvalidPosts(
            f"{where}, after line {number}: not UTF-8 ({fault.reason}): save the file as UTF-8"
        ) from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as fault:
        raise InvalidPosts(f"{where}, after line {number}: no gzip ({fault}): its name ends in {GZIP}") from None


def _write_sides(s3: Any, bucket: str, run_prefix: str, posts: sqlite3.Connection, folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    fingerprint = hashlib.sha256()
    for side in SIDES:
        path, texts = folder / f"{side}.jsonl", folder / f"{side}-texts.jsonl"
        violations = {0: 0, 1: 0}
        with path.open("w", encoding="utf-8") as out, texts.open("w", encoding="utf-8") as out_texts:
            # In the order of the hashes, which is no order of the posts.
            for digest, text, label in posts.execute(
                "SELECT digest, text, label FROM post WHERE side = ? ORDER BY digest", (side,)
            ):
                fingerprint.update(digest + bytes([label]))
                violations[label] += 1
                out.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
                # Escaped: some of Unicode's line ends would end a record of a batch transform job.
                out_texts.write(json.dumps({"text": text}) + "\n")
        if not all(violations.values()):
            raise InvalidPosts(
                f"of the posts to {side} with, {violations[1]} are violations and {violations[0]} are not: "
                f"at least one of each is needed; add labelled posts"
            )
        s3.upload_file(str(path), bucket, f"{run_prefix}{side}/posts.jsonl")
        result[side] = {
            "uri": f"s3://{bucket}/{run_prefix}{side}/",
            "posts": sum(violations.values()),
            "violations": violations[1],
        }
        if side == "test":
            s3.upload_file(str(texts), bucket, f"{run_prefix}texts/posts.jsonl")
            result[side]["texts_uri"] = f"s3://{bucket}/{run_prefix}texts/"
        path.unlink()
        texts.unlink()
    return result | {"fingerprint": f"sha256:{fingerprint.hexdigest()}"}
