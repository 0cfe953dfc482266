"""Nobody chooses a post's side, and nothing moves a post to another one."""

import gzip
import hashlib
from itertools import count, islice
from statistics import fmean
from typing import Any

import pytest
from post_sides import FIXED, TEST, TRAIN, drawn_side, hashed_side

POSTS = {f"投稿 {number}": number % 2 for number in range(200)}
SECRETS = [f"the secret of deployment number {number:04}".encode() for number in range(20)]


def keys(count_of: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(count_of)]


def test_a_fifth_is_tested_with_and_half_of_it_is_fixed() -> None:
    sides = [drawn_side(SECRETS[0], key) for key in keys(20_000)]
    for side, share in ((TRAIN, 0.8), (TEST, 0.1), (FIXED, 0.1)):
        assert abs(sides.count(side) / len(sides) - share) < 0.01


def test_a_side_follows_from_the_secret_and_not_from_the_hash() -> None:
    # Posts that would never be tested with, were the side drawn by the hash alone, as a writer can see.
    chosen = list(islice((key for key in keys(5_000) if hashed_side(key) == TRAIN), 1000))
    for secret in SECRETS:
        assert 0.15 < fmean(drawn_side(secret, key) != TRAIN for key in chosen) < 0.25
    alike = fmean(drawn_side(SECRETS[0], key) == drawn_side(SECRETS[1], key) for key in chosen)
    assert 0.60 < alike < 0.73  # 0.8² + 0.1² + 0.1² of two that are independent


def test_posts_of_before_keep_the_side_that_the_hash_gave_them() -> None:
    for key in keys(2_000):
        assert (drawn_side(SECRETS[0], key, hashed=True) == TRAIN) == (hashed_side(key) == TRAIN)


def test_texts_that_were_chosen_by_their_hash_are_tested_with_as_others_are(extraction: Any) -> None:
    texts = (f"buy now {number}" for number in count())
    never = (text for text in texts if hashed_side(extraction.module.reviewed_as(text)) == TRAIN)
    chosen = list(islice(never, 300))
    result = extraction.run(POSTS | dict.fromkeys(chosen, 0))
    assert 30 < len(set(chosen) & set(result["tested"])) < 90


def test_no_other_secret_moves_a_post(extraction: Any) -> None:
    first = extraction.run(POSTS)
    assert first["sides"] == {"known": 200, "new": 200}
    extraction.draws_by("of another deployment, into which the bucket was restored")
    more = extraction.run(POSTS | {f"new {number}": number % 2 for number in range(50)}, known_sides=200, run="s")
    assert more["sides"] == {"known": 250, "new": 50}
    assert {text for text in more["tested"] if text in POSTS} == set(first["tested"])
    again = extraction.run(POSTS, known_sides=250, run="t")
    assert again["sides"] == {"known": 250, "new": 0}
    assert len(extraction.register()) == 2


def test_a_release_of_before_keeps_its_sides_and_later_posts_are_drawn(extraction: Any) -> None:
    # The release that serves wrote no side down.
    first = extraction.run(POSTS, known_sides=0)
    of_hash = {text for text in POSTS if hashed_side(extraction.module.reviewed_as(text)) == TEST}
    assert set(first["tested"]) == of_hash
    new = {f"later {number}": number % 2 for number in range(200)}
    # It failed, so that the one of before still serves; or was put back.
    second = extraction.run(POSTS | new, known_sides=0, run="s")
    assert {text for text in second["tested"] if text in POSTS} == of_hash
    drawn = {text for text in new if drawn_side(extraction.secret, extraction.module.reviewed_as(text)) != TRAIN}
    assert {text for text in second["tested"] if text in new} == drawn
    assert drawn != {text for text in new if hashed_side(extraction.module.reviewed_as(text)) == TEST}


def test_what_looks_like_a_post_is_on_its_side_whichever_secret_there_is(extraction: Any) -> None:
    first = extraction.run(POSTS)
    tested, trained = next(iter(first["tested"])), next(iter(first["trained"]))
    like = [f"{text[:2]}\u200b{text[2:]}" for text in (tested, trained)]
    extraction.draws_by("of another deployment, into which the bucket was restored")
    second = extraction.run(POSTS | dict.fromkeys(like, 1), known_sides=200, run="s")
    assert like[0] in second["tested"]
    assert like[1] in second["trained"]


def test_posts_of_before_that_look_alike_stay_where_each_of_them_was(extraction: Any) -> None:
    like = {f"{text[:2]}\u200b{text[2:]}": label for text, label in POSTS.items()}
    first = extraction.run(POSTS | like, known_sides=0)
    assert set(first["tested"]) == {
        text for text in POSTS | like if hashed_side(extraction.module.sided_as(text)) == TEST
    }


def test_the_register_holds_hashes_and_no_text(extraction: Any) -> None:
    extraction.run({"a post of somebody's": 1, **POSTS})
    (key,) = extraction.register()
    body = extraction.s3.get_object(Bucket=extraction.bucket, Key=key)["Body"].read()
    lines = gzip.decompress(body).decode("ascii").splitlines()
    known = dict(line.split(",") for line in lines[1:])
    assert lines[0] == "post,side"
    assert set(known.values()) == {TRAIN, TEST, FIXED}
    reviewed_as = extraction.module.reviewed_as
    assert set(known) == {reviewed_as(text).hex() for text in ("a post of somebody's", *POSTS)}


def test_a_spelling_is_on_the_side_of_the_others(extraction: Any) -> None:
    first = extraction.run(POSTS)
    tested = next(iter(first["tested"]))
    spelt = "  " + tested.replace(" ", "\u3000")
    assert spelt in extraction.run(POSTS | {spelt: 1}, known_sides=200, run="s")["tested"]


def test_fails_when_sides_are_lost(extraction: Any) -> None:
    extraction.run(POSTS)
    (key,) = extraction.register()
    extraction.s3.delete_object(Bucket=extraction.bucket, Key=key)
    message = r"sides/ holds the sides of 0 posts, and the release that serves knew 200: restore its objects"
    with pytest.raises(Exception, match=message) as fault:
        extraction.run(POSTS, known_sides=200, run="s")
    assert type(fault.value).__name__ == "PostSidesError"
    assert extraction.register() == []


@pytest.mark.parametrize(
    "body",
    [
        b"post,side\n",
        gzip.compress(b"text,side\n"),
        gzip.compress(b"post,side\n" + b"0" * 64 + b",elsewhere\n"),
        gzip.compress(b"post,side\nsecret text,train\n"),
        gzip.compress(b"post,side\n" + b"0" * 64 + b"\n"),
        gzip.compress(b"post,side\n" + b"0" * 64 + b",train\n")[:-9],
    ],
    ids=["no gzip", "another table", "no side", "a text", "one column", "cut"],
)
def test_fails_when_an_object_is_none_of_the_register(extraction: Any, body: bytes) -> None:
    extraction.s3.put_object(Bucket=extraction.bucket, Key="sides/a.csv.gz", Body=body)
    with pytest.raises(Exception, match=r"sides/a.csv.gz, after line \d: not what a release writes there") as fault:
        extraction.run(POSTS)
    assert "secret text" not in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("known", ["200", -1, True])
def test_fails_when_what_is_known_is_no_number(extraction: Any, known: Any) -> None:
    with pytest.raises(Exception, match=r"known_sides is .*: it must be a number of posts, or null"):
        extraction.run(POSTS, known_sides=known)


def test_fails_without_a_secret(extraction: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIDE_SECRET_ARN")
    with pytest.raises(Exception, match="SIDE_SECRET_ARN is not set: it is the ARN of the secret"):
        extraction.run(POSTS)
