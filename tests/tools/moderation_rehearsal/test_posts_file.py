import json
from pathlib import Path

import pytest
from labelled_posts import FileLayout

from cdk_rehearsal.step_failure import InvalidInputError
from moderation_rehearsal.posts_file import read_posts, write_posts_file
from moderation_rehearsal.sample_posts import Post

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
        ("posts.txt", GOOD, ": the name ends in none of .csv, .tsv, .jsonl"),
        ("posts.csv", "text,toxic\na,0\n", ", line 1: no column label among 2 columns (text, toxic)"),
        ("posts.csv", "text,toxic\na,0\n", "; or name the columns with --text-column and --label-column"),
        ("posts.csv", GOOD + "c,spam\n", ", line 42: label is a text of 4 characters: it must be 0 (fine)"),
        ("posts.csv", GOOD + "c,spam\n", "; or name the label of violations with --positive"),
        ("posts.csv", "text,label\na,0\nb,1\n", "holds 2 posts; give 40 or more"),
        ("posts.csv", "text,label\n" + "a,1\n" * 50, "50 of 50 posts are violations; give both labels"),
        ("posts.csv", "text,label\nあ,0\n".encode("shift_jis"), "UTF-8; or give --encoding cp932"),
        ("posts.csv", "text,label\nあ,0\n".encode("euc_jp"), "UTF-8; or give --encoding euc_jp"),
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


def test_a_file_of_ones_own_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "comments.tsv"
    path.write_bytes("".join(f"spam\t買って {number}\nham\tどうも {number}\n" for number in range(20)).encode("cp932"))
    layout = FileLayout(encoding="shift_jis", text_column="2", label_column="1", positive=["spam"])
    posts = read_posts(path, layout)
    assert [(post.text, post.label) for post in posts[:2]] == [("買って 0", 1), ("どうも 0", 0)]
    with pytest.raises(InvalidInputError, match="0 of 40 posts are violations; no label is what --positive names"):
        read_posts(path, FileLayout(encoding="shift_jis", text_column="2", label_column="1", positive=["scam"]))


def test_what_is_written_is_read_by_the_deployed_system(tmp_path: Path) -> None:
    posts = [Post(text='a\u2028b\n"c"', label=0), Post(text="死ね", label=1)] * 20
    write_posts_file(posts, tmp_path / "new" / "posts.jsonl")
    assert read_posts(tmp_path / "new" / "posts.jsonl") == posts
    with pytest.raises(InvalidInputError, match=r"--write-posts: .*posts.csv: give a name that ends in .jsonl"):
        write_posts_file(posts, tmp_path / "posts.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="cannot be written"):
        write_posts_file(posts, tmp_path / "file" / "posts.jsonl")
