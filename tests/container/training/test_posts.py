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
            "train/posts.jsonl, line 2: label is another number: it must be 0 (fine) or 1 (a violation)",
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


MARK = "zqx-marked-7f3a"
POST = f"電話は{MARK}です。返して"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"{POST},1\n"),
        ("a.csv", f"label,text\n{POST},1\n"),
        ("a.jsonl", f'{{"text": "{POST}", "label": "{POST}"}}'),
        ("a.jsonl", f'{{"text": "{POST * 1000}", "label": 1}}'),
        ("a.jsonl", f'{{"text": "{POST}", "label": 1}}\n' * 20),  # one label
        (None, ""),  # good posts, and an error that quotes one
    ],
)
def test_nothing_of_a_post_is_said(
    job: Path,
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str | None,
    content: str,
) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(job))
    train = load("train")
    monkeypatch.setattr(train.signal, "signal", lambda *_: None)
    if name is None:

        def fails(*_: object) -> None:
            raise ValueError(f"could not convert string to float: {POST!r}")

        monkeypatch.setattr(train, "_train", fails)
    else:
        channel = job / "input" / "data" / "train"
        (channel / "posts.jsonl").unlink()
        (channel / name).write_text(content, encoding="utf-8")
    assert train.main(["train"]) == 1
    failure = (job / "output" / "failure").read_text(encoding="utf-8")
    output = capfd.readouterr()
    for said in (failure, output.out, output.err):
        assert "電話" not in said
        assert MARK not in said
    assert failure.startswith("ValueError at test_posts.py:" if name is None else ("train/", "channel train"))
