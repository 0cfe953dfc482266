import csv
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from moderation_rehearsal.sample_posts import LONGEST_TEXT, SHORTEST_TEXT, Post, generate_posts

TOOLS = Path(__file__).resolve().parents[3] / "tools"


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    return generate_posts()


def run_program(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "moderation_rehearsal.sample_posts", *arguments],
        env={**os.environ, "PYTHONPATH": str(TOOLS), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )


def test_texts_are_unique_and_of_the_stated_lengths(posts: list[Post]) -> None:
    assert len(posts) == 4000
    assert len({post.text for post in posts}) == 4000
    lengths = sorted(len(post.text) for post in posts)
    assert lengths[0] >= SHORTEST_TEXT
    assert lengths[-1] <= LONGEST_TEXT
    assert lengths[40] < 25
    assert lengths[-40] > 200


def test_share_of_violations(posts: list[Post]) -> None:
    assert 0.15 <= sum(post.label for post in posts) / len(posts) <= 0.20


def test_every_mark_of_the_grammar_is_replaced(posts: list[Post]) -> None:
    assert not [post.text for post in posts if re.search(r"[{}\[\]|]", post.text)]


def test_contact_data_is_fictitious(posts: list[Post]) -> None:
    everything = "\n".join(post.text for post in posts).translate(
        str.maketrans("０１２３４５６７８９－", "0123456789-")
    )
    numbers = re.findall(r"\d{2,4}-?\d{4}-?\d{4}", everything)
    assert numbers
    assert all(number.replace("-", "").startswith("0000000") for number in numbers)
    domains = re.findall(r"[a-z0-9.-]+\.(?:com|jp|net|org)", everything)
    assert domains
    assert all(domain == "example.com" or domain.endswith(".example.com") for domain in domains)


def test_words_alone_do_not_separate_the_classes(posts: list[Post]) -> None:
    for word in ("LINE", "副業", "母親失格", "000-0000-", "example.com", "小学校"):
        assert {post.label for post in posts if word in post.text} == {0, 1}, word


def test_a_linear_model_learns_most_but_not_all(posts: list[Post]) -> None:
    train, test = posts[:3200], posts[3200:]
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(grams.fit_transform([post.text for post in train]), [post.label for post in train])
    scores = model.predict_proba(grams.transform([post.text for post in test]))[:, 1]
    assert 0.93 <= roc_auc_score([post.label for post in test], scores) <= 0.98


def test_seed_decides_the_posts() -> None:
    assert generate_posts(200, seed=7) == generate_posts(200, seed=7)
    assert generate_posts(200, seed=7) != generate_posts(200, seed=8)
    assert generate_posts(300, seed=7)[:200] == generate_posts(200, seed=7)


def test_hash_seed_does_not_matter(tmp_path: Path) -> None:
    written = []
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.csv"
        assert run_program("--count", "300", "--output", str(path), hash_seed=hash_seed).returncode == 0
        written.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert written[0] == written[1]


def test_program_writes_csv(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    done = run_program("--count", "500", "--seed", "3", "--output", str(path))
    assert done.returncode == 0, done.stderr
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Post(text=row["text"], label=int(row["label"])) for row in rows] == generate_posts(500, seed=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--count", "0", "--output", "posts.csv"), "sample posts: count must be at least 1, got 0\n"),
        (("--count", "1", "--output", "/nowhere/posts.csv"), "No such file or directory: '/nowhere/posts.csv'\n"),
    ],
)
def test_fails_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = run_program(*arguments)
    assert done.returncode == 1
    assert done.stderr.endswith(message)
    assert done.stderr.count("\n") == 1


def test_thousands_are_written_in_a_second() -> None:
    started = time.process_time()
    generate_posts(4000, seed=11)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("text", "label"), [("", 0), (" \n", 1), ("ほんぶん", 2)])
def test_fails_when_a_post_is_impossible(text: str, label: int) -> None:
    with pytest.raises(ValueError, match="must"):
        Post(text=text, label=label)
