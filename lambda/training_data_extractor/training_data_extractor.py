"""Makes training data out of labelled posts in S3.

Reads every object of a known format below a prefix, each post with a `text` and a `label` of 0 or 1, and writes one
JSON-lines file to train with and one to test with. Identical texts count once; where they are labelled both ways, the
post is a violation, because a violation let through costs more than a post held for review.

Reviewers' decisions, of an export of their table, are merged with these posts:
- Of a post's decisions the latest counts. Unsure is no label.
- It takes the place of the label of every post that reads the same: width of characters, case and white space do not
  matter to a reviewer, nor characters that are not seen. A post that was not there is added to those to train with.
- A post is on the same side in every run, wherever it comes from: the side follows from what it says alone. One that
  was not there and would be on the side to test with is held back: what reviewers get are mostly posts that the current
  model flagged, and any other model would look better on a test of its mistakes.

Posts pass through a database on disk, so memory does not grow with their number.
"""

import contextlib
import datetime
import hashlib
import json
import logging
import re
import sqlite3
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from labelled_posts import (
    GZIP,
    SUFFIXES,
    InvalidPostsError,
    LabelledPost,
    checked_label,
    checked_text,
    format_of,
    json_objects,
    kind_of,
    read_posts,
    text_lines,
)
from post_key import post_key

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

TEST_PERCENT = 20
SIDES = ("train", "test")
SUMMARY = "manifest-summary.json"
WHITE_SPACE = re.compile(r"\s+")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Reads `posts_prefix` of `bucket`, writes `<run_prefix>train/posts.jsonl` and `<run_prefix>test/posts.jsonl`.

    `format` says how the posts lie there. `auto`, which it is where it is missing: `.csv` and `.tsv` with a header,
    `.jsonl`, `.ndjson` and `.json` with an object a line; others are passed over. `json_lines`: every object,
    whatever its name, as Athena's UNLOAD writes them.
    `dynamodb_export`: the `.json` objects below `data/` of an export of a DynamoDB table. Each may be gzipped, which a
    name that ends in `.gz` says.

    `reviews`, where there is one, is `{"prefix": …, "since": …}`: below `prefix` lies one export of the reviewers'
    table, and labels are new that were decided after `since`, a time in ISO 8601, or null for all.

    Returns for each side the `uri` of its folder, `posts` and `violations`, for the posts to test with also the
    `texts_uri` of their texts alone, in the same order, which is what a model is given to judge; the numbers of
    `duplicates` and `conflicts`; and the `fingerprint`, the same for the same set of labelled posts however they lie in
    objects. With `reviews` also these: `labels` of reviewers there are, how many of them are `new`, how many labels of
    posts were `changed`, how many posts were `added` and `held_back`, how many posts are `unsure`; and `as_of`, when
    the table was as it was exported, with `that_day`, how many labels were given on that day (UTC) until then.
    """
    bucket, run_prefix = event["bucket"], event["run_prefix"]
    format_ = event.get("format", "auto")
    if format_ not in FORMATS:
        raise InvalidPostsError(f"format is {format_!r}: it is one of {', '.join(FORMATS)}")
    reviews = event.get("reviews")
    since = _review_request(reviews)
    s3 = boto3.client("s3")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(_database(Path(folder) / "posts.db")) as posts:
        read = _read_posts(s3, bucket, event["posts_prefix"], format_, posts)
        distinct, conflicts = posts.execute("SELECT count(*), coalesce(sum(conflict), 0) FROM post").fetchone()
        reviewed = _read_reviews(s3, bucket, reviews["prefix"], posts) | _merge(posts, since) if reviews else None
        result = _write_sides(s3, bucket, run_prefix, posts, Path(folder))
    result |= {"duplicates": read - distinct, "conflicts": conflicts}
    if reviewed is not None:
        result["reviews"] = reviewed
    LOGGER.info("%s", json.dumps(result))
    return result


def reviewed_as(text: str) -> bytes:
    """The SHA-256 of a text as a reviewer sees it, which is what the reviewers' table has it under."""
    return bytes.fromhex(post_key(text))


def sided_as(text: str) -> bytes:
    """The SHA-256 by which a post's side is told.

    Of before `reviewed_as` passed over what is not seen: another one would move posts with emojis to the other side.
    """
    normalised = WHITE_SPACE.sub(" ", unicodedata.normalize("NFKC", text).replace("\0", "")).strip().casefold()
    return hashlib.sha256(normalised.encode()).digest()


def side_of(key: bytes) -> str:
    """The side of a post, by `sided_as`."""
    return "test" if int.from_bytes(key[:8]) % 100 < TEST_PERCENT else "train"


def _read_file(body: Any, key: str, where: str) -> Iterator[LabelledPost]:
    return read_posts(body, key, where=where)


def _read_unloaded(body: Any, key: str, where: str) -> Iterator[LabelledPost]:
    """What Athena wrote: JSON lines under any name, and nothing where it had nothing to write."""
    name = f"{key}.jsonl{GZIP}" if key.endswith(GZIP) else f"{key}.jsonl"
    return read_posts(body, name, where=where, may_be_empty=True)


def _read_export(body: Any, key: str, where: str) -> Iterator[LabelledPost]:
    """Each item of a DynamoDB export: `{"Item": {"text": {"S": …}, "label": …}}`."""
    for number, at, item in _items(body, key, where):
        yield LabelledPost(number, *_labelled(item, at))


def _items(body: Any, key: str, where: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    lines = text_lines(body, where, gzipped=key.endswith(GZIP))
    for number, at, content in json_objects(lines, where, ["Item"]):
        item = content.get("Item")
        if not isinstance(item, dict):
            raise InvalidPostsError(f"{at}: Item is {kind_of(item)}: each line is an object with Item")
        yield number, at, item


def _labelled(item: dict[str, Any], at: str) -> tuple[str, int]:
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
    return checked_text(text, at), checked_label(label, at, _kind(given))


def _kind(value: object) -> str:
    """The kind of an item's value, which says its own type: `{"N": "2"}`."""
    match value:
        case {"S": str(characters)}:
            return kind_of(characters)
        case {"N": _}:
            return "another number"
    return kind_of(value)


Reader = Callable[[Any, str, str], Iterator[LabelledPost]]


def _by_suffix(key: str) -> Reader | None:
    return _read_file if format_of(key) else None


def _every_object(key: str) -> Reader | None:
    # A key that ends in a slash is what the console makes of a folder; the others Athena may leave beside the posts.
    return None if key.removesuffix(GZIP).endswith(("/", ".metadata", "-manifest.csv")) else _read_unloaded


def _exported(key: str) -> Reader | None:
    # An export has manifests beside its `data/`, which are JSON too.
    return _read_export if "/data/" in key and key.removesuffix(GZIP).endswith(".json") else None


# What reads an object, by its key; None for one that is passed over.
FORMATS: dict[str, Callable[[str], Reader | None]] = {
    "auto": _by_suffix,
    "json_lines": _every_object,
    "dynamodb_export": _exported,
}
WANTED = {
    "auto": f"no object whose name ends in one of {', '.join(SUFFIXES)}",
    "json_lines": "no object",
    "dynamodb_export": "no data/….json object of an export",
}


def _database(path: Path) -> sqlite3.Connection:
    posts = sqlite3.connect(path, isolation_level=None)
    # It lives for one run: nothing has to survive a crash, and its cache stays at 64 MiB.
    posts.execute("PRAGMA journal_mode = OFF")
    posts.execute("PRAGMA synchronous = OFF")
    posts.execute("PRAGMA cache_size = -65536")
    posts.execute(
        "CREATE TABLE post (digest BLOB PRIMARY KEY, key BLOB, side TEXT, text TEXT, label INTEGER, conflict INTEGER)"
        " WITHOUT ROWID"
    )
    posts.execute(
        "CREATE TABLE decision"
        " (key BLOB PRIMARY KEY, digest BLOB, side TEXT, text TEXT, label INTEGER, decided REAL) WITHOUT ROWID"
    )
    return posts


def _read_posts(s3: Any, bucket: str, prefix: str, format_: str, posts: sqlite3.Connection) -> int:
    read = 0
    objects = 0
    posts.execute("BEGIN")
    for key in _keys(s3, bucket, prefix):
        reader = FORMATS[format_](key)
        if reader is None:
            continue
        objects += 1
        with contextlib.closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            for _, text, label in reader(body, key, f"s3://{bucket}/{key}"):
                posts.execute(
                    "INSERT INTO post VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (digest) DO UPDATE SET"
                    " conflict = max(conflict, label != excluded.label), label = max(label, excluded.label)",
                    (
                        hashlib.sha256(text.encode()).digest(),
                        reviewed_as(text),
                        side_of(sided_as(text)),
                        text,
                        label,
                    ),
                )
                read += 1
    posts.execute("COMMIT")
    if not objects:
        raise InvalidPostsError(f"s3://{bucket}/{prefix} holds {WANTED[format_]}: put labelled posts there")
    return read


def _review_request(reviews: object) -> float | None:
    """When labels begin to be new, in seconds since 1970; None where all are, or nothing is asked."""
    match reviews:
        case None | {"prefix": str(), "since": None}:
            return None
        case {"prefix": str(), "since": str(since)}:
            return _seconds(since, "reviews.since")
    raise InvalidPostsError(f"reviews is {kind_of(reviews)}: it has a prefix, and since, which is a time or null")


def _seconds(time: object, at: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(str(time))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidPostsError(f"{at} is {kind_of(time)}: it is a time in ISO 8601, with its offset from UTC")
    return moment.timestamp()


def _read_reviews(s3: Any, bucket: str, prefix: str, posts: sqlite3.Connection) -> dict[str, Any]:
    """Reads every item of one whole export into the table of decisions."""
    keys = list(_keys(s3, bucket, prefix))
    summaries = [key for key in keys if key.endswith(f"/{SUMMARY}")]
    if len(summaries) != 1:
        raise InvalidPostsError(
            f"s3://{bucket}/{prefix} holds {len(summaries)} objects {SUMMARY}: export the reviewers' table there, once"
        )
    summary, at = _read_summary(s3, bucket, summaries[0])
    as_of, wanted = summary.get("exportTime"), summary.get("itemCount")
    exported = _seconds(as_of, f"{at}: exportTime")
    day = f"day#{datetime.datetime.fromtimestamp(exported, datetime.UTC).date()}"
    read = unsure = that_day = 0
    posts.execute("BEGIN")
    for key in keys:
        if not key.startswith(f"{summaries[0].removesuffix(SUMMARY)}data/"):
            continue
        where = f"s3://{bucket}/{key}"
        with contextlib.closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            for _, at, item in _items(body, key, where):
                read += 1
                match item:
                    case {"entry": {"S": "post"}, "label": _}:
                        _keep_decision(item, at, posts)
                    case {"entry": {"S": "post"}}:
                        unsure += item.get("verdict") == {"S": "unsure"}
                    case {"post": {"S": str(name)}, "entry": {"S": str()}}:
                        that_day += _labels_counted(item) if name == day else 0
                    case _:
                        raise InvalidPostsError(
                            f"{at}: {kind_of(item)} without them: an item of the reviewers' table has post and entry"
                        )
    posts.execute("COMMIT")
    if read != wanted:
        wanted = wanted if isinstance(wanted, int) else kind_of(wanted)
        raise InvalidPostsError(f"s3://{bucket}/{prefix} holds {read} items of {wanted}: export the table again")
    return {"unsure": unsure, "as_of": as_of, "that_day": that_day}


def _read_summary(s3: Any, bucket: str, key: str) -> tuple[dict[str, Any], str]:
    where = f"s3://{bucket}/{key}"
    with contextlib.closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body:
        text = "".join(text_lines(body, where))
    for _, at, summary in json_objects(iter([text]), where, ["itemCount", "exportTime"]):
        return summary, at
    raise InvalidPostsError(f"{where}: empty: export the table again")


def _keep_decision(item: dict[str, Any], at: str, posts: sqlite3.Connection) -> None:
    text, label = _labelled(item, at)
    decided = 0.0  # before all that is new, where nobody wrote down when
    if "decided" in item:
        given = item["decided"]
        decided = _seconds(given.get("S", given) if isinstance(given, dict) else given, f"{at}: decided")
    key, digest = reviewed_as(text), hashlib.sha256(text.encode()).digest()
    posts.execute(
        "INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " digest = excluded.digest, text = excluded.text, label = excluded.label, decided = excluded.decided"
        " WHERE excluded.decided > decided",
        (key, digest, side_of(sided_as(text)), text, label, decided),
    )


def _labels_counted(item: dict[str, Any]) -> int:
    """What a reviewer's counters of a day say of labels: those that were undone are not in them."""
    return sum(int(item.get(verdict, {}).get("N", 0)) for verdict in ("violation", "fine"))


def _merge(posts: sqlite3.Connection, since: float | None) -> dict[str, int]:
    labels, new = posts.execute(
        "SELECT count(*), coalesce(sum(?1 IS NULL OR decided > ?1), 0) FROM decision", (since,)
    ).fetchone()
    posts.execute("CREATE INDEX post_key ON post (key)")
    changed = posts.execute(
        "UPDATE post SET label = decision.label FROM decision"
        " WHERE decision.key = post.key AND decision.label != post.label"
    ).rowcount
    unknown = "FROM decision WHERE key NOT IN (SELECT key FROM post) AND side ="
    (held_back,) = posts.execute(f"SELECT count(*) {unknown} 'test'").fetchone()
    added = posts.execute(f"INSERT INTO post SELECT digest, key, side, text, label, 0 {unknown} 'train'").rowcount
    return {"labels": labels, "new": new, "changed": changed, "added": added, "held_back": held_back}


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]


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
            raise InvalidPostsError(
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
