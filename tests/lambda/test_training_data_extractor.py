import csv
import gzip
import hashlib
import importlib
import io
import json
import re
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from post_sides import drawn_side, hashed_side

POSTS = [(f"投稿 {number}", number % 2) for number in range(300)]


SECRET = "drawn by the tests alone, and by nobody else"


@pytest.fixture
def extractor(load_function: Callable[[str], ModuleType], aws: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = aws.client("secretsmanager").create_secret(Name=f"sides-{uuid.uuid4().hex}", SecretString=SECRET)
    monkeypatch.setenv("SIDE_SECRET_ARN", made["ARN"])
    return load_function("training_data_extractor")


def json_lines(posts: list[tuple[str, int]]) -> bytes:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in posts).encode()


def as_csv(posts: list[tuple[str, int]], header: tuple[str, ...] = ("id", "label", "text")) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, header)
    writer.writeheader()
    writer.writerows({"id": 1, "text": text, "label": label} for text, label in posts)
    return out.getvalue().encode("utf-8-sig")


@pytest.fixture
def extract(extractor: ModuleType, aws: Any, bucket: str) -> Callable[..., dict[str, Any]]:
    """Runs the function on the given objects; returns its result with the posts it wrote by side."""
    s3 = aws.client("s3")

    def run(run: str = "r", /, format_: str = "", **objects: bytes) -> dict[str, Any]:
        for name, body in objects.items():
            key = "posts/" + name.replace("__", ".").replace("_in_", "/")
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        event = {"bucket": bucket, "posts_prefix": "posts/", "run_prefix": f"runs/{run}/", "known_sides": None}
        if format_:
            event["format"] = format_
        result: dict[str, Any] = extractor.handler(event, None)
        for side in ("train", "test"):
            assert result[side]["uri"] == f"s3://{bucket}/runs/{run}/{side}/"
            body = s3.get_object(Bucket=bucket, Key=f"runs/{run}/{side}/posts.jsonl")["Body"].read().decode()
            result[side]["written"] = [
                (post["text"], post["label"]) for post in map(json.loads, body.strip("\n").split("\n"))
            ]
        body = s3.get_object(Bucket=bucket, Key=f"runs/{run}/texts/posts.jsonl")["Body"].read()
        assert result["test"]["texts_uri"] == f"s3://{bucket}/runs/{run}/texts/"
        result["texts"] = [json.loads(line) for line in body.splitlines()]
        return result

    return run


def test_every_post_is_written_once_to_one_side(extract: Callable[..., dict[str, Any]]) -> None:
    result = extract(a__csv=as_csv(POSTS[:150]), b__jsonl=json_lines(POSTS[150:]), README__md=b"not posts")
    written = result["train"]["written"] + result["test"]["written"]
    assert sorted(written) == sorted(POSTS)
    assert result["train"]["posts"] == len(result["train"]["written"])
    assert result["test"]["violations"] == sum(label for _, label in result["test"]["written"])
    assert 0.12 < result["test"]["posts"] / len(POSTS) < 0.28
    assert result["duplicates"] == result["conflicts"] == 0


def test_a_post_stays_on_its_side_and_the_fingerprint_is_of_the_set(extract: Callable[..., dict[str, Any]]) -> None:
    first = extract("first", a__jsonl=json_lines(POSTS))
    again = extract("again", a__jsonl=json_lines(POSTS[:100]), b__csv=as_csv(POSTS[:99:-1]))
    assert again["fingerprint"] == first["fingerprint"]
    assert again["test"]["written"] == first["test"]["written"]
    more = extract("more", c__jsonl=json_lines([("新しい投稿", 0)]))
    assert more["fingerprint"] != first["fingerprint"]
    assert set(first["test"]["written"]) <= set(more["test"]["written"])


def test_the_texts_to_test_with_lie_apart_in_the_same_order(extract: Callable[..., dict[str, Any]]) -> None:
    odd = [(f"{text}\u2028\x85。\r\n", label) for text, label in POSTS[:60]]
    result = extract(a__jsonl=json_lines(POSTS + odd))
    assert result["texts"] == [{"text": text} for text, _ in result["test"]["written"]]
    assert any("\u2028" in post["text"] for post in result["texts"])


def exported(posts: list[tuple[str, int]]) -> bytes:
    items = [
        {"Item": {"id": {"S": "x"}, "text": {"S": text}, "label": {"BOOL": bool(label)} if label else {"N": "0"}}}
        for text, label in posts
    ]
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items).encode()


def test_reads_what_athena_unloads(extract: Callable[..., dict[str, Any]]) -> None:
    result = extract(
        format_="json_lines",
        **{
            "20260101_000000_00001_aaaaa": json_lines(POSTS[:100]),
            "20260101_000000_00002_aaaaa__gz": gzip.compress(json_lines(POSTS[100:])),
            "20260101__metadata": b"\x00",
            "0b9a-manifest__csv": b"s3://elsewhere",
        },
    )
    assert sorted(result["train"]["written"] + result["test"]["written"]) == sorted(POSTS)


def test_reads_an_export_of_a_dynamodb_table(extract: Callable[..., dict[str, Any]]) -> None:
    result = extract(
        format_="dynamodb_export",
        **{
            "AWSDynamoDB_in_01_in_data_in_a__json__gz": gzip.compress(exported(POSTS[:100])),
            "AWSDynamoDB_in_01_in_data_in_b__json": exported(POSTS[100:]),
            "AWSDynamoDB_in_01_in_manifest-files__json": b'{"itemCount": 300}\n',
            "AWSDynamoDB_in_01_in_manifest-summary__json": b'{"itemCount": 300}\n',
        },
    )
    assert sorted(result["train"]["written"] + result["test"]["written"]) == sorted(POSTS)


def test_reads_gzipped_files_by_their_name(extract: Callable[..., dict[str, Any]]) -> None:
    result = extract(a__csv__gz=gzip.compress(as_csv(POSTS[:100])), b__jsonl__gz=gzip.compress(json_lines(POSTS[100:])))
    assert sorted(result["train"]["written"] + result["test"]["written"]) == sorted(POSTS)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        (
            "data/a.json",
            b'{"text": "x", "label": 0}\n',
            r"line 1: Item is missing: each line must be an object with Item",
        ),
        ("data/a.json", b"5\n", r"line 1: another number: each line must be an object with Item"),
        ("data/a.json", b'{"Item": {"text": {"S": "x"}}}\n', r"line 1: label is missing"),
        ("data/a.json", b'{"Item": {"text": {"S": "x"}, "label": {"N": "2"}}}\n', r"line 1: label is another number"),
        (
            "data/a.json",
            b'{"Item": {"text": {"S": "x"}, "label": {"S": "spam"}}}\n',
            r"label is a text of 4",
        ),
        ("data/a.json", b'{"Item": {"text": {"N": "5"}, "label": {"N": "1"}}}\n', r"line 1: text is an object"),
        ("data/a.json.gz", b"{}", r"line 1: not gzip, as its name says"),
        ("data/a.json.gz", gzip.compress(b"{}" * 100)[:-9], r"a.json.gz, line 1: the gzip file is cut off"),
        ("a.json", b"", r"holds no data/….json object of an export: put labelled posts there"),
    ],
    ids=["plain line", "number", "no label", "label 2", "label spam", "text 5", "no gzip", "cut gzip", "elsewhere"],
)
def test_fails_when_an_export_is_faulty(
    extractor: ModuleType, aws: Any, bucket: str, name: str, body: bytes, message: str
) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key=f"posts/{name}", Body=body)
    event = {"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/", "format": "dynamodb_export"}
    with pytest.raises(extractor.InvalidPostsError, match=message):
        extractor.handler(event, None)


def test_fails_when_the_format_is_unknown(extractor: ModuleType, bucket: str) -> None:
    event = {"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/", "format": "parquet"}
    with pytest.raises(
        extractor.InvalidPostsError, match="format is 'parquet': it must be one of auto, json_lines, dynamodb_"
    ):
        extractor.handler(event, None)


def test_identical_texts_count_once_and_a_violation_wins(extract: Callable[..., dict[str, Any]]) -> None:
    result = extract(a__jsonl=json_lines([*POSTS, ("投稿 0", 1), ("投稿 1", 0), ("投稿 1", 1), ("投稿 2", 0)]))
    labels = dict(result["train"]["written"] + result["test"]["written"])
    assert labels["投稿 0"] == labels["投稿 1"] == 1
    assert labels["投稿 2"] == 0
    assert (result["duplicates"], result["conflicts"]) == (4, 2)


def test_a_post_may_have_several_lines_and_any_separator_inside(extract: Callable[..., dict[str, Any]]) -> None:
    odd = [('一行目\r\n二行目, 「"引用"」', 1), ("a\u2028b\x85c", 0)]
    for result in (extract(a__csv=as_csv(POSTS + odd)), extract(a__csv=as_csv(POSTS), b__jsonl=json_lines(odd))):
        assert set(odd) <= set(result["train"]["written"] + result["test"]["written"])


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        (
            "a.jsonl",
            b'\n{"text": "x", "label": 2}\n',
            r"posts/a.jsonl, line 2: label is another number: it must be 0",
        ),
        (
            "a.csv.gz",
            gzip.compress(b"text,label\nx,1\n\ny,yes\n"),
            r"a.csv.gz, line 4: label is a text of 3",
        ),
        (
            "a.tsv",
            b"text\tlabel\n" + b"x" * 10_001 + b"\t1\n",
            r"a.tsv, line 2: text has 10001 ",
        ),
    ],
)
def test_fails_when_a_post_is_faulty(
    extractor: ModuleType, aws: Any, bucket: str, name: str, body: bytes, message: str
) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key=f"posts/{name}", Body=body)
    with pytest.raises(extractor.InvalidPostsError, match=message) as fault:
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)
    assert "\n" not in str(fault.value)


def test_fails_when_there_are_no_posts(extractor: ModuleType, bucket: str) -> None:
    with pytest.raises(extractor.InvalidPostsError, match=f"s3://{bucket}/posts/ holds no object whose name ends"):
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)


def test_fails_when_a_side_lacks_a_label(extract: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(Exception, match=r"of the posts to train with, 0 are violations and \d+ are not"):
        extract(a__jsonl=json_lines([(text, 0) for text, _ in POSTS]))


def test_fails_when_a_line_has_no_end(
    extractor: ModuleType, aws: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelled_posts.LONGEST_LINE", 1000)
    aws.client("s3").put_object(Bucket=bucket, Key="posts/a.jsonl", Body=b"[" * 5000)
    with pytest.raises(extractor.InvalidPostsError, match="line 1: longer than 1000 characters"):
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)


EXPORT = "runs/r/reviews/AWSDynamoDB/01693685827463-2d8752fd"
AS_OF = "2026-11-24T12:00:00.000Z"


def decided(text: str, label: int | None, at: str = "2026-11-24T09:00:00.000+00:00") -> dict[str, Any]:
    """The item of a post on which a reviewer has decided; without a label, that it is unsure."""
    item = {"post": {"S": text}, "entry": {"S": "post"}, "text": {"S": text}, "decided": {"S": at}}
    return item | ({"verdict": {"S": "unsure"}} if label is None else {"label": {"N": str(label)}})


def agreed(text: str, label: int, at: str = "2026-11-24T09:00:00.000+00:00") -> dict[str, Any]:
    """The item of a post on which two reviewers have decided alike."""
    verdict = {"S": "violation" if label else "fine"}
    first = {"first_reviewer": {"S": "ken"}, "first_verdict": verdict}
    return decided(text, label, at) | {"verdict": verdict, "decided_by": {"S": "hana"}, **first}


@pytest.fixture
def export(aws: Any, bucket: str) -> Callable[..., None]:
    """Writes items as an export of the reviewers' table: two files, of which one is empty, and the summary."""

    def write(*items: dict[str, Any], folder: str = EXPORT, **summary: Any) -> None:
        lines = "".join(json.dumps({"Item": item}, ensure_ascii=False) + "\n" for item in items)
        told = {"exportTime": AS_OF, "itemCount": len(items)} | summary
        for name, body in {
            "_started": b"",
            "data/a.json.gz": gzip.compress(lines.encode()),
            "data/b.json.gz": gzip.compress(b""),
            "manifest-summary.json": json.dumps(told).encode(),
            "manifest-files.json": b"{}",
        }.items():
            aws.client("s3").put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=body)

    return write


@pytest.fixture
def merge(extractor: ModuleType, aws: Any, bucket: str, export: Callable[..., None]) -> Callable[..., dict[str, Any]]:
    """Runs the function on posts and items of the reviewers' table; returns its result and the labels of each side."""

    def run(
        posts: list[tuple[str, int]], *items: dict[str, Any], since: str | None = None, **summary: Any
    ) -> dict[str, Any]:
        s3 = aws.client("s3")
        s3.put_object(Bucket=bucket, Key="posts/a.jsonl", Body=json_lines(posts))
        export(*items, **summary)
        reviews = {"prefix": "runs/r/reviews/", "since": since}
        event = {
            "bucket": bucket,
            "posts_prefix": "posts/",
            "run_prefix": "runs/r/",
            "known_sides": None,
            "reviews": reviews,
        }
        result: dict[str, Any] = extractor.handler(event, None)
        for side in ("train", "test"):
            body = s3.get_object(Bucket=bucket, Key=f"runs/r/{side}/posts.jsonl")["Body"].read().decode()
            result[f"{side}ed"] = {post["text"]: post["label"] for post in map(json.loads, body.splitlines())}
        return result

    return run


def on_side(extractor: ModuleType, side: str, count: int) -> list[str]:
    texts = (f"審査 {number}" for number in range(1000))
    return [text for text in texts if drawn(extractor, text) == side][:count]


def drawn(extractor: ModuleType, text: str) -> str:
    return drawn_side(SECRET.encode(), extractor.reviewed_as(text))


def test_decisions_join_the_posts_and_leave_the_held_out_ones_where_they_are(
    extractor: ModuleType, merge: Callable[..., dict[str, Any]]
) -> None:
    before = merge(POSTS)
    assert before["reviews"] == {
        "labels": 0,
        "new": 0,
        "changed": 0,
        "unconfirmed": 0,
        "fixed": 0,
        "added": 0,
        "held_back": 0,
        "unsure": 0,
        "left_out": 0,
        "as_of": AS_OF,
        "that_day": 0,
    }
    learnt = on_side(extractor, "train", 3)
    held_back = [*on_side(extractor, "test", 1), *on_side(extractor, "fixed", 1)]
    trained = next(iter(before["trained"]))
    tested, unsure = [text for text, _ in POSTS if drawn(extractor, text) == "test"][:2]
    waiting = {"post": {"S": "w"}, "entry": {"S": "post"}, "text": {"S": "waits"}, "queue": {"S": "waiting#0"}}
    counted = {"violation": {"N": "4"}, "fine": {"N": "2"}, "unsure": {"N": "9"}, "undone": {"N": "1"}}
    result = merge(
        POSTS,
        *(decided(text, 1) for text in learnt),
        *(decided(text, 0) for text in held_back),
        decided(trained, 1 - before["trained"][trained]),
        agreed(tested, 1 - before["tested"][tested], "2026-11-20T09:00:00+00:00"),
        decided(unsure, None),
        # The first of two opinions, which stands since the second was undone.
        {name: value for name, value in decided(learnt[0].upper(), 1).items() if name != "decided"},
        waiting,
        {"post": {"S": learnt[0]}, "entry": {"S": "decision#000001"}, "verdict": {"S": "violation"}},
        {"post": {"S": "day#2026-11-24"}, "entry": {"S": "reviewer#hana"}, **counted},
        {"post": {"S": "day#2026-11-24"}, "entry": {"S": "reviewer#ken"}, "fine": {"N": "1"}},
        {"post": {"S": "day#2026-11-23"}, "entry": {"S": "reviewer#ken"}, "fine": {"N": "50"}},
        since="2026-11-22T00:00:00.000Z",
    )
    assert result["trained"] == before["trained"] | {trained: 1 - before["trained"][trained]} | dict.fromkeys(learnt, 1)
    assert result["tested"] == before["tested"] | {tested: 1 - before["tested"][tested]}
    assert result["fingerprint"] != before["fingerprint"]
    assert (result["train"]["posts"], result["test"]["posts"]) == (len(result["trained"]), len(result["tested"]))
    assert result["reviews"] == {
        "labels": 7,
        "new": 6,
        "changed": 2,
        "unconfirmed": 0,
        "fixed": 0,
        "added": 3,
        "held_back": 2,
        "unsure": 1,
        "left_out": 0,
        "as_of": AS_OF,
        "that_day": 7,
    }
    # In the next release they are part of what the team has.
    more = merge([*POSTS, *((text, 0) for text in held_back)])
    assert set(more["tested"]) == set(before["tested"]) | set(held_back)


def test_a_decision_is_on_every_post_that_reads_the_same(merge: Callable[..., dict[str, Any]]) -> None:
    written = ["FREE  money", "ｆｒｅｅ money", "free money\n"]
    result = merge([*POSTS, *((text, 0) for text in written)], agreed("Free Money", 1))
    labels = result["trained"] | result["tested"]
    assert {text: labels[text] for text in written} == dict.fromkeys(written, 1)
    assert "Free Money" not in labels
    assert len({text in result["tested"] for text in written}) == 1
    assert (result["reviews"]["changed"], result["reviews"]["added"]) == (3, 0)


def test_of_two_decisions_on_a_post_the_latest_counts(
    extractor: ModuleType, merge: Callable[..., dict[str, Any]]
) -> None:
    (text,) = on_side(extractor, "train", 1)
    early, late = "2026-11-24T08:00:00+09:00", "2026-11-24T00:00:00+00:00"
    for items in ([decided(text, 1, late), decided(text, 0, early)], [decided(text, 0, early), decided(text, 1, late)]):
        assert merge(POSTS, *items)["trained"][text] == 1


def test_a_decision_changes_posts_that_differ_in_what_is_not_seen(
    extractor: ModuleType, merge: Callable[..., dict[str, Any]]
) -> None:
    texts = ["ありがとう❤\ufe0f", "あり\u200bがとう❤", "ありがとう\u2060❤\ufe0f"]
    marked = "a" + "\u0301" * 40
    result = merge(
        [*POSTS, *((text, 0) for text in texts), (marked, 0)],
        decided("ありがとう❤", 1, "2026-11-24T00:00:00+00:00"),
        decided("a" + "\u0301" * 30, 1, "2026-11-24T00:00:00+00:00"),
    )
    assert (result["reviews"]["changed"], result["reviews"]["added"]) == (4, 0)
    labels = result["trained"] | result["tested"]
    assert {labels[text] for text in [*texts, marked]} == {1}


def test_what_is_not_seen_moves_no_post_to_the_other_side(extractor: ModuleType) -> None:
    texts = [f"{face} {number}" for face in ("❤\ufe0f", "👨\u200d👩\u200d👧", "a\u200bb") for number in range(60)]
    moved = 0
    for text in texts:
        # As every release told the sides so far.
        normalised = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()
        assert extractor.sided_as(text) == hashlib.sha256(normalised.encode()).digest()
        moved += hashed_side(extractor.sided_as(text)) != hashed_side(extractor.reviewed_as(text))
    assert moved > 30, "the key that reviewers have would have done"


def test_a_text_has_the_key_under_which_reviewers_have_it(
    extractor: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "container" / "api")
    review_post = importlib.import_module("reviews.post")
    for text in [
        *["ＦＲＥＥ  money\0", " ｶﾞﾗｽ\n\u3000ß İ", "①\u00a0ﬀ", "投稿"],
        *["fr\u200bee money", "👨‍👩‍👧❤️", "a" + "\u0315" * 99 + "\u0300" * 99, "\u0300" * 31, "\u3164"],
    ]:
        assert extractor.reviewed_as(text).hex() == review_post.post_key(text)


@pytest.mark.parametrize(
    ("item", "summary", "message"),
    [
        (decided("x", 2), {}, r"a.json.gz, line 1: label is another number: it must be 0 \(fine\) or 1"),
        (decided(" ", 1), {}, r"line 1: text is empty: it must be a post of at least one character"),
        (decided("x" * 10_001, 1), {}, r"line 1: text has 10001 characters"),
        (
            decided("x", 1, "yesterday"),
            {},
            r"line 1: decided is a text of 9 characters: it must be a time in ISO 8601, with its offset",
        ),
        (
            decided("x", 1, "2026-11-24T09:00:00"),
            {},
            r"line 1: decided is .*: it must be a time in ISO 8601, with its offset",
        ),
        (
            {"text": {"S": "x"}, "label": {"N": "1"}},
            {},
            r"line 1: .*: an item of the reviewers' table has post and entry",
        ),
        (decided("x", 1), {"itemCount": 2}, r"runs/r/reviews/ holds 1 items of 2: export the table again"),
        (
            decided("x", 1),
            {"exportTime": None},
            r"manifest-summary.json, line 1: exportTime is missing: it must be a time",
        ),
    ],
    ids=["label 2", "no text", "long text", "no time", "no offset", "another table", "not whole", "no summary"],
)
def test_fails_when_an_export_of_reviews_is_faulty(
    extractor: ModuleType, merge: Callable[..., dict[str, Any]], item: dict[str, Any], summary: Any, message: str
) -> None:
    # Not of the same class: each fixture that loads the function loads it anew.
    with pytest.raises(Exception, match=message) as fault:
        merge(POSTS, item, **summary)
    assert type(fault.value).__name__ == "InvalidPostsError"
    assert "\n" not in str(fault.value)


def test_fails_when_there_is_no_export_of_reviews_or_more_than_one(
    extractor: ModuleType, merge: Callable[..., dict[str, Any]], export: Callable[..., None]
) -> None:
    export(folder=f"{EXPORT}-again")
    with pytest.raises(extractor.InvalidPostsError, match=r"holds 2 objects manifest-summary.json: export the .* once"):
        merge(POSTS)


@pytest.mark.parametrize("reviews", [5, {}, {"prefix": "a/"}, {"prefix": "a/", "since": 5}])
def test_fails_when_reviews_are_asked_for_wrongly(extractor: ModuleType, reviews: object) -> None:
    event = {"bucket": "b", "posts_prefix": "posts/", "run_prefix": "runs/r/", "reviews": reviews}
    with pytest.raises(
        extractor.InvalidPostsError, match=r"reviews is .*: it must have a prefix, and since, which is a time or"
    ):
        extractor.handler(event, None)
