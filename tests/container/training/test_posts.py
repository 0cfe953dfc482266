from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "posts.jsonl",
            '{"text": "a", "label": 0}\n{"text": "b", "label": 2}\n',
            "train/posts.jsonl, line 2: label is another number: it is 0 (fine) or 1 (a violation)",
        ),
        ("posts.csv", "text,label\n", "train/posts.csv: there is no post in it"),
        ("posts.parquet", "x", "train/posts.parquet: the name ends in none of .csv, .tsv, .jsonl"),
        (
            "posts.jsonl",
            '{"text": "a", "label": 0}\n' * 40,
            "channel train: 40 posts, none with label 1; give posts of both labels",
        ),
    ],
)
def test_fails_when_the_posts_are_unusable(tmp_path: Path, load: Load, name: str, content: str, said: str) -> None:
    posts, refusal = load("posts"), load("refusal")
    channel = tmp_path / "train"
    channel.mkdir()
    (channel / name).write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(refusal.RefusalError) as refused:
        posts.read_channel(channel)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_fails_when_a_channel_is_missing(tmp_path: Path, load: Load) -> None:
    with pytest.raises(load("refusal").RefusalError, match="channel test: not there"):
        load("posts").read_channel(tmp_path / "test")


def test_reads_all_files_of_a_channel_in_the_order_of_their_paths(tmp_path: Path, load: Load) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.csv").write_text('label,text\n1,"two\nlines"\n', encoding="utf-8-sig")
    (tmp_path / "a.jsonl").write_text('{"text": "first", "label": 0}\n\n')
    (tmp_path / ".hidden").write_text("not read")
    read = load("posts").read_channel(tmp_path)
    assert [(post.text, post.label) for post in read] == [("first", 0), ("two\nlines", 1)]


def test_fails_when_a_channel_is_empty(tmp_path: Path, load: Load) -> None:
    with pytest.raises(load("refusal").RefusalError, match=f"channel {tmp_path.name}: no post in it"):
        load("posts").read_channel(tmp_path)


@pytest.mark.parametrize(("text", "length"), [("a" * 360_000, 360_000), ("\u3316" * 10_000, 60_000)])
def test_refuses_a_post_that_serving_would_refuse(tmp_path: Path, load: Load, text: str, length: int) -> None:
    channel = tmp_path / "train"
    channel.mkdir()
    (channel / "posts.jsonl").write_text('{"text": "' + text + '", "label": 1}\n', encoding="utf-8")
    with pytest.raises(load("refusal").RefusalError) as refused:
        load("posts").read_channel(channel)
    assert str(refused.value).startswith(f"train/posts.jsonl, line 1: text has {length} characters, in NFKC")


def test_words_of_runs_without_end_are_cut_without_a_crash(load: Load) -> None:
    wordpiece = load("japanese_wordpiece")
    vocabulary = {token: place for place, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"])}
    tokenizer = wordpiece.build_tokenizer(vocabulary, max_length=64)
    encoded = wordpiece.JapaneseWordpiece(tokenizer).encode(["😀" * 20_000, "キ" * 20_000, "a" + "\u0315" * 20_000])
    assert encoded["input_ids"].shape == (3, 64)
