"""Makes training data from labelled posts in S3.

It reads every object of a known format below a prefix, each post with a `text` and a `label` of 0 or 1, and writes one
JSON-lines file for training and one for testing. Identical texts count once; if they have both labels, the post is a
violation, because a missed violation costs more than a post that is held for review.

Reviewers' decisions, from an export of their table, are merged with these posts:
- The latest decision on a post counts, without reviewers who are left out. "Unsure" is not a label.
- It replaces the label of every post with the same key: width of characters, case, white space and invisible characters
  do not matter. A new post is added to the training posts. The label of a test post changes only if two reviewers
  agree, and never in the fixed part.
- A post is on the same side in every run, wherever it comes from: the register of sides has it. A new post that would
be
  on the test side is held back: reviewers get mostly posts that the current model flagged, and any other model would
  look better on a test with its mistakes.
- If reviewers changed too many labels, or one reviewer gave too many, the release fails.

Posts are stored in a database on disk, so memory does not grow with their number.
"""

import contextlib
import datetime
import hashlib
import json
import logging
import os
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
from post_sides import PostSides
from review_limits import ReviewLimits
from reviewer_decisions import LABELS, LEFT_OUT, Decision, FaultyReviewerError, ReviewerDecisions

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

SIDES = {"train": ("train",), "test": ("test", "fixed")}
SUMMARY = "manifest-summary.json"
WHITE_SPACE = re.compile(r"\s+")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Reads `posts_prefix` of `bucket`, writes `<run_prefix>train/posts.jsonl` and `<run_prefix>test/posts.jsonl`.

    `format` is the format of the posts. `auto`, the default: `.csv` and `.tsv` with a header, `.jsonl`, `.ndjson` and
    `.json` with one object per line; other objects are skipped. `json_lines`: every object, whatever its name, as
    Athena's UNLOAD writes them. `dynamodb_export`: the `.json` objects below `data/` of an export of a DynamoDB table.
    Each may be gzipped; its name then ends in `.gz`.

    `known_sides` is the number of posts with a side in the current release, 0 if it recorded none, and null if no
    release serves. The secret that draws the sides of other posts is in Secrets Manager, with the ARN in
    SIDE_SECRET_ARN.

    `reviews`, which is optional, is `{"prefix": …, "since": …, "limits": {…}}`: one export of the reviewers' table is
    below `prefix`, and labels are new if they were decided after `since`, a time in ISO 8601, or null for all. `limits`
    are those of `ReviewLimits`, with its defaults.

    Returns for each side the `uri` of its folder, `posts` and `violations`, and for the test side also `texts_uri`, the
    texts alone in the same order, as a model's input; the numbers of `duplicates` and `conflicts`; the `fingerprint`,
    which depends only on the set of labelled posts; and in `sides` how many are `known` and how many of these are
    `new`. With `reviews` it also returns the number of `labels` by reviewers and how many of them are `new`; the number
    of `changed` labels; those not changed on the test side because only one reviewer decided (`unconfirmed`) or the
    post is in the fixed part (`fixed`); the number of posts `added`, `held_back` and `unsure`, and of posts with a
    decision that was `left_out`; and `as_of`, the time of the export, with `that_day`, the number of labels of that day
    (UTC) until then.
    """
    bucket, run_prefix = event["bucket"], event["run_prefix"]
    format_ = event.get("format", "auto")
    if format_ not in FORMATS:
        raise InvalidPostsError(f"format is {format_!r}: it must be one of {', '.join(FORMATS)}")
    reviews = event.get("reviews")
    since, limits = _review_request(reviews)
    known_sides = _known_sides(event.get("known_sides", 0))
    s3 = boto3.client("s3")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(_database(Path(folder) / "posts.db")) as posts:
        read = _read_posts(s3, bucket, event["posts_prefix"], format_, posts)
        distinct, conflicts = posts.execute("SELECT count(*), coalesce(sum(conflict), 0) FROM post").fetchone()
        sides = PostSides(s3, bucket, posts, known=known_sides)
        if reviews is None:
            reviewed = None
            sides.draw(("post",), _side_secret)
        else:
            decisions = ReviewerDecisions(posts)
            reviewed = _read_reviews(s3, bucket, reviews["prefix"], decisions)
            reviewed["left_out"] = decisions.leave_out()
            limits.check_reviewers(posts, since)
            sides.draw(("post", "decision"), _side_secret)
            reviewed |= decisions.merge(since)
            limits.check_changed(reviewed["changed"], distinct)
        drawn = sides.write_down(Path(run_prefix).name, Path(folder))
        result = _write_sides(s3, bucket, run_prefix, posts, Path(folder))
    result |= {"duplicates": read - distinct, "conflicts": conflicts, "sides": drawn}
    if reviewed is not None:
        result["reviews"] = reviewed
    LOGGER.info("%s", json.dumps(result))
    return result


def reviewed_as(text: str) -> bytes:
    """The SHA-256 of a text as a reviewer sees it, which is its key in the reviewers' table."""
    return bytes.fromhex(post_key(text))


def sided_as(text: str) -> bytes:
    """The SHA-256 that is a post's key in the register of sides.

    It is older than `reviewed_as`, which ignores invisible characters; a change would move posts with emojis to the
    other side.
    """
    normalised = WHITE_SPACE.sub(" ", unicodedata.normalize("NFKC", text).replace("\0", "")).strip().casefold()
    return hashlib.sha256(normalised.encode()).digest()


def _side_secret() -> bytes:
    arn = os.environ.get("SIDE_SECRET_ARN")
    if not arn:
        raise InvalidPostsError("SIDE_SECRET_ARN is not set: it is the ARN of the secret that draws the side of a post")
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=arn).get("SecretString")
    if not secret:
        raise InvalidPostsError(f"{arn} holds no text: put the secret back that draws the side of a post")
    return str(secret).encode()


def _known_sides(given: object) -> int | None:
    if given is None:
        return None
    # Numbers of the releases' table come through JSON, which has no integers.
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 0:
        raise InvalidPostsError(f"known_sides is {kind_of(given)}: it must be a number of posts, or null")
    return int(given)


def _read_file(body: Any, key: str, where: str) -> Iterator[LabelledPost]:
    return read_posts(body, key, where=where)


def _read_unloaded(body: Any, key: str, where: str) -> Iterator[LabelledPost]:
    """Athena's output: JSON lines under any name; no object if the query has no result."""
    name = f"{key}.jsonl{GZIP}" if key.endswith(GZIP) else f"{key}.jsonl"
    return read_posts(body, name, where=where, may_be_empty=True)


def _read_export(body: Any, key: str, where: str) -> Iterator[LabelledPost]:
    """The items of a DynamoDB export: `{"Item": {"text": {"S": …}, "label": …}}`."""
    for number, at, item in _items(body, key, where):
        yield LabelledPost(number, *_labelled(item, at))


def _items(body: Any, key: str, where: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    lines = text_lines(body, where, gzipped=key.endswith(GZIP))
    for number, at, content in json_objects(lines, where, ["Item"]):
        item = content.get("Item")
        if not isinstance(item, dict):
            raise InvalidPostsError(f"{at}: Item is {kind_of(item)}: each line must be an object with Item")
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
    """The kind of an item's value, which contains its type: `{"N": "2"}`."""
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
    # A key that ends in a slash is a folder of the console; Athena may write the others beside the posts.
    return None if key.removesuffix(GZIP).endswith(("/", ".metadata", "-manifest.csv")) else _read_unloaded


def _exported(key: str) -> Reader | None:
    # An export has manifests beside its `data/`, which are JSON too.
    return _read_export if "/data/" in key and key.removesuffix(GZIP).endswith(".json") else None


# The reader for an object, by its key; None if it is skipped.
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
    # It exists for one run: it need not survive a crash, and its cache stays at 64 MiB.
    posts.execute("PRAGMA journal_mode = OFF")
    posts.execute("PRAGMA synchronous = OFF")
    posts.execute("PRAGMA cache_size = -65536")
    posts.execute(
        "CREATE TABLE post (digest BLOB PRIMARY KEY, key BLOB, sided BLOB, text TEXT, label INTEGER, conflict INTEGER)"
        " WITHOUT ROWID"
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
                    (hashlib.sha256(text.encode()).digest(), reviewed_as(text), sided_as(text), text, label),
                )
                read += 1
    posts.execute("COMMIT")
    if not objects:
        raise InvalidPostsError(f"s3://{bucket}/{prefix} holds {WANTED[format_]}: put labelled posts there")
    return read


def _review_request(reviews: object) -> tuple[float | None, ReviewLimits]:
    """The time after which labels are new, in seconds since 1970, or None if all are; and the limits."""
    limits = ReviewLimits()
    if isinstance(reviews, dict):
        try:
            limits = ReviewLimits.of(reviews.get("limits"))
        except ValueError:
            raise InvalidPostsError(
                f"reviews.limits is {kind_of(reviews['limits'])}: it must have {', '.join(ReviewLimits.__slots__)}, as "
                "numbers"
            ) from None
    match reviews:
        case None | {"prefix": str(), "since": None}:
            return None, limits
        case {"prefix": str(), "since": str(since)}:
            return _seconds(since, "reviews.since"), limits
    raise InvalidPostsError(f"reviews is {kind_of(reviews)}: it must have a prefix, and since, which is a time or null")


def _seconds(time: object, at: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(str(time))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidPostsError(f"{at} is {kind_of(time)}: it must be a time in ISO 8601, with its offset from UTC")
    return moment.timestamp()


def _read_reviews(s3: Any, bucket: str, prefix: str, decisions: ReviewerDecisions) -> dict[str, Any]:
    """Reads every item of one complete export."""
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
    read = that_day = 0
    decisions.begin()
    for key in keys:
        if not key.startswith(f"{summaries[0].removesuffix(SUMMARY)}data/"):
            continue
        where = f"s3://{bucket}/{key}"
        with contextlib.closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            for _, at, item in _items(body, key, where):
                read += 1
                match item:
                    case {"entry": {"S": "post"}, "label": _}:
                        _keep_decision(item, at, decisions)
                    case {"entry": {"S": "post"}, "verdict": {"S": "unsure"}}:
                        _keep_unsure(item, at, decisions)
                    case {"entry": {"S": "post"}}:
                        pass  # it is waiting
                    case {"post": {"S": str(name)}} if name == LEFT_OUT:
                        _keep_left_out(item, at, decisions)
                    case {"post": {"S": str(name)}, "entry": {"S": str()}}:
                        that_day += _labels_counted(item) if name == day else 0
                    case _:
                        raise InvalidPostsError(
                            f"{at}: {kind_of(item)} without them: an item of the reviewers' table has post and entry"
                        )
    decisions.commit()
    if read != wanted:
        wanted = wanted if isinstance(wanted, int) else kind_of(wanted)
        raise InvalidPostsError(f"s3://{bucket}/{prefix} holds {read} items of {wanted}: export the table again")
    return {"as_of": as_of, "that_day": that_day}


def _read_summary(s3: Any, bucket: str, key: str) -> tuple[dict[str, Any], str]:
    where = f"s3://{bucket}/{key}"
    with contextlib.closing(s3.get_object(Bucket=bucket, Key=key)["Body"]) as body:
        text = "".join(text_lines(body, where))
    for _, at, summary in json_objects(iter([text]), where, ["itemCount", "exportTime"]):
        return summary, at
    raise InvalidPostsError(f"{where}: empty: export the table again")


def _keep_decision(item: dict[str, Any], at: str, decisions: ReviewerDecisions) -> None:
    text, label = _labelled(item, at)
    _keep(item, at, decisions, text, label)


def _keep_unsure(item: dict[str, Any], at: str, decisions: ReviewerDecisions) -> None:
    # Its text is checked like every text that may become a training post.
    text, _ = _labelled({**item, "label": {"N": "0"}}, at)
    _keep(item, at, decisions, text, None)


def _keep(item: dict[str, Any], at: str, decisions: ReviewerDecisions, text: str, label: int | None) -> None:
    decided = 0.0  # without a time it is older than all new ones
    if "decided" in item:
        given = item["decided"]
        decided = _seconds(given.get("S", given) if isinstance(given, dict) else given, f"{at}: decided")
    digest = hashlib.sha256(text.encode()).digest()
    decisions.add(reviewed_as(text), sided_as(text), digest, text, label, decided, Decision.of(item))


def _keep_left_out(item: dict[str, Any], at: str, decisions: ReviewerDecisions) -> None:
    try:
        decisions.leave_out_or_take_back(item)
    except FaultyReviewerError:
        raise InvalidPostsError(f"{at}: an entry of who is left out has a reviewer and an action") from None


def _labels_counted(item: dict[str, Any]) -> int:
    """A reviewer's number of labels of a day, without undone ones."""
    return sum(int(item.get(verdict, {}).get("N", 0)) for verdict in LABELS)


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]


def _write_sides(s3: Any, bucket: str, run_prefix: str, posts: sqlite3.Connection, folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    fingerprint = hashlib.sha256()
    for side, parts in SIDES.items():
        path, texts = folder / f"{side}.jsonl", folder / f"{side}-texts.jsonl"
        violations = {0: 0, 1: 0}
        with path.open("w", encoding="utf-8") as out, texts.open("w", encoding="utf-8") as out_texts:
            # In the order of the hashes, which has nothing to do with the posts' content.
            for digest, text, label in posts.execute(
                "SELECT digest, text, label FROM post JOIN side ON side.key = sided"
                " WHERE side IN (?1, ?2) ORDER BY digest",
                (parts[0], parts[-1]),
            ):
                fingerprint.update(digest + bytes([label]))
                violations[label] += 1
                out.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
                # Escaped, because some of Unicode's line separators would end a record of a batch transform job.
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
