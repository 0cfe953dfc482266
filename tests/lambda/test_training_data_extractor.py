import csv
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

POSTS = [(f"投稿 {number}", number % 2) for number in range(300)]


@pytest.fixture
def extractor(load_function: Callable[[str], ModuleType]) -> ModuleType:
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

    def run(run: str = "r", /, **objects: bytes) -> dict[str, Any]:
        for name, body in objects.items():
            s3.put_object(Bucket=bucket, Key="posts/" + name.replace("__", "."), Body=body)
        event = {"bucket": bucket, "posts_prefix": "posts/", "run_prefix": f"runs/{run}/"}
        result: dict[str, Any] = extractor.handler(event, None)
        for side in ("train", "test"):
            assert result[side]["uri"] == f"s3://{bucket}/runs/{run}/{side}/"
            body = s3.get_object(Bucket=bucket, Key=f"runs/{run}/{side}/posts.jsonl")["Body"].read().decode()
            result[side]["written"] = [
                (post["text"], post["label"]) for post in map(json.loads, body.strip("\n").split("\n"))
            ]
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
        ("a.jsonl", b'{"text": "x", "label": 2}\n', r"posts/a.jsonl, line 1: label is 2: it is 0 \(fine\) or 1"),
        ("a.jsonl", b'\n{"text": "x", "label": true}\n', r"a.jsonl, line 2: label is true"),
        ("a.jsonl", b'{"text": "x"}\n', r"line 1: label is null"),
        ("a.jsonl", b'{"text": "  ", "label": 0}\n', r'line 1: text is "  ": it is a post of at least one character'),
        ("a.jsonl", b'{"text": 5, "label": 0}\n', r"line 1: text is 5"),
        ("a.jsonl", b'{"text": "\\ud800", "label": 0}\n', r"line 1: text holds half of a surrogate pair"),
        ("a.jsonl", b"{text}\n", r"line 1: not JSON"),
        ("a.jsonl", b"[1]\n", r"line 1: \[1\]: each line is an object"),
        ("a.jsonl", b'{"text": "x", "label": 0}\n\xff\xfe\n', r"after line 0: not UTF-8"),
        ("a.csv", b"text,flag\nx,1\n", r"a.csv, line 1: the columns are text, flag: the header names text and label"),
        ("a.csv", b"", r"line 1: the columns are none"),
        ("a.csv", b"text,label\nx,1\ny,yes\n", r'line 3: label is "yes"'),
        ("a.csv", b"text,label\nx\n", r"line 2: label is null"),
        ("a.csv", b'text,label\n"x,1\n', r"quote fields as RFC 4180 has it"),
    ],
)
def test_fails_when_a_post_is_faulty(
    extractor: ModuleType, aws: Any, bucket: str, name: str, body: bytes, message: str
) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key=f"posts/{name}", Body=body)
    with pytest.raises(extractor.InvalidPosts, match=message) as fault:
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)
    assert "\n" not in str(fault.value)


def test_fails_when_there_are_no_posts(extractor: ModuleType, bucket: str) -> None:
    with pytest.raises(extractor.InvalidPosts, match=f"s3://{bucket}/posts/ holds no .csv and no .jsonl object"):
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)


def test_fails_when_a_side_lacks_a_label(extract: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(Exception, match=r"of the posts to train with, 0 are violations and \d+ are not"):
        extract(a__jsonl=json_lines([(text, 0) for text, _ in POSTS]))


def test_fails_when_a_line_has_no_end(
    extractor: ModuleType, aws: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extractor, "LONGEST_LINE", 1000)
    aws.client("s3").put_object(Bucket=bucket, Key="posts/a.jsonl", Body=b"[" * 5000)
    with pytest.raises(extractor.InvalidPosts, match="line 1: longer than 1000 characters"):
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)
