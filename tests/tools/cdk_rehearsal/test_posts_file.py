import json
from pathlib import Path

import pytest

from cdk_rehearsal.posts_file import read_posts
from cdk_rehearsal.step_failure import InvalidInputError

ROWS = [("こんにちは, 皆さん", 0), ("死ね\nと言われた", 1)] * 20


def test_csv_and_json_lines_hold_the_same(tmp_path: Path) -> None:
    as_csv, as_lines = tmp_path / "posts.csv", tmp_path / "posts.jsonl"
    as_csv.write_text(
        "id,label,text\n" + "".join(f'7,{label},"{text}"\n' for text, label in ROWS), encoding="utf-8-sig"
    )
    as_lines.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in ROWS))
    expected = [(text, label) for text, label in ROWS]
    assert [(post.text, post.label) for post in read_posts(as_csv)] == expected
    assert [(post.text, post.label) for post in read_posts(as_lines)] == expected


GOOD = "text,label\n" + "a,0\nb,1\n" * 20


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("posts.txt", GOOD, 'the name ends in ".txt"; give a .csv or a .jsonl file'),
        ("posts.csv", "", 'the header has no column "text" but nothing'),
        ("posts.csv", "text,toxic\na,0\n", 'the header has no column "label" but text, toxic'),
        ("posts.csv", GOOD + "c,2\n", 'line 42: label is "2"; give 0 or 1'),
        ("posts.csv", GOOD + "c\n", "line 42: label is null; give 0 or 1"),
        ("posts.csv", GOOD + " ,1\n", 'line 42: text is " "; give a text that is not empty'),
        ("posts.csv", "text,label\na,0\nb,1\n", "holds 2 posts; give 40 or more"),
        ("posts.csv", "text,label\n" + "a,1\n" * 50, "every label is 1; give posts of both labels"),
        ("posts.csv", "text,label\nあ,0\n".encode("shift_jis"), "not UTF-8 at byte"),
        ("posts.jsonl", '{"text": "a", "label": 0}\n{"text"\n', "line 2: not JSON"),
        ("posts.jsonl", '{"text": "a"}\n', 'line 1: must be an object with "text" and "label"'),
        ("posts.jsonl", '{"text": 1, "label": 0}\n', "line 1: text is 1; give a text"),
        ("posts.jsonl", '{"text": "a", "label": true}\n', "line 1: label is true; give 0 or 1"),
    ],
)
def test_fails_in_one_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInputError) as error:
        read_posts(path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_fails_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="there is no such file"):
        read_posts(tmp_path / "posts.csv")
