import gzip
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]


def test_reads_each_post_once_and_none_that_is_known(tmp_path: Path, load: Load) -> None:
    channel = tmp_path / "unlabelled"
    (channel / "2026").mkdir(parents=True)
    (channel / "2026" / "a.jsonl").write_text('{"text": "one", "user": 1}\n\n{"text": "two"}\n{"text": "one"}\n')
    (channel / "b.csv").write_text('\nlabel,text\n1,"three, \nof two lines"\n,known\n', encoding="utf-8-sig")
    (channel / "c.tsv.gz").write_bytes(gzip.compress(b'text\tid\n"four\t1\n'))
    read = load("unlabelled_posts").read_unlabelled
    assert read(channel, known={"known"}) == ["one", "two", "three, \nof two lines", '"four']
    assert read(tmp_path / "none", known=set()) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": 1}\n', "unlabelled/a.jsonl, line 2: text is another number"),
        ("a.jsonl", b"[]\n", "unlabelled/a.jsonl, line 1: an array of 0: each line must be an object with text"),
        (
            "a.csv",
            b"post\na\n",
            "unlabelled/a.csv, line 1: no column text among 1 column (post): the first line names the columns",
        ),
        ("a.csv", b"text,x\na\n", "unlabelled/a.csv, line 2: 1 columns, the header has 2"),
        ("a.csv", b'text\n"a"b\n', "stands inside a quoted field: write it twice: quote fields as RFC 4180 has it"),
        ("a.csv", b'text\n"a\nb\n', 'unlabelled/a.csv, line 2: a quotation mark (") opens a field that does not end'),
        ("a.csv", "text\n\u591c".encode("cp932"), "unlabelled/a.csv, line 2: not "),
        ("a.csv", b"text\n", "channel unlabelled: no post in it; give at least one .csv, .tsv or .jsonl file"),
        ("a.parquet", b"x", "unlabelled/a.parquet: the name ends in none of .csv, .tsv, .jsonl"),
    ],
)
def test_fails_when_a_file_is_no_posts(tmp_path: Path, load: Load, name: str, content: bytes, said: str) -> None:
    channel = tmp_path / "unlabelled"
    channel.mkdir()
    (channel / name).write_bytes(content)
    with pytest.raises(load("refusal").RefusalError) as refused:
        load("unlabelled_posts").read_unlabelled(channel, known=set())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
