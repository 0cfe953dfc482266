import csv
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from post_key import post_key

from post_erasure.stored_file import NotDivisibleError, NotReadableError, take_out
from post_erasure.wanted_posts import WantedPosts

WANTED = WantedPosts(frozenset({post_key("free money"), post_key("train"), post_key("0")}))
KEY = post_key("free money")


def line(**content: object) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


@pytest.fixture
def taken(tmp_path: Path) -> Callable[[str, bytes], tuple[int, bytes]]:
    def run(name: str, content: bytes) -> tuple[int, bytes]:
        source, target = tmp_path / "given", tmp_path / "written"
        source.write_bytes(content)
        found = take_out(source, target, name, WANTED)
        return found, target.read_bytes()

    return run


KEPT = line(text="ok", label=0) + line(text="お得な情報", label=1)
# Every way in which a post is written down somewhere, and what is like one and is none.
JSON_LINES = [
    (line(text="free money", label=1), 1),
    (line(text="ＦＲＥＥ\u3000money", label=1), 1),
    (line(text="fr\u200bee money\ufe0f", label=1), 1),
    (line(Item={"post": {"S": KEY}, "entry": {"S": "post"}, "text": {"S": "Free money"}}), 1),
    (line(Item={"post": {"S": KEY}, "entry": {"S": "decision#000001"}, "reason": {"S": "scam"}}), 1),
    (line(captureData={"endpointInput": {"data": '{"text": "free money"}', "encoding": "JSON"}}), 1),
    (line(captureData={"endpointInput": {"data": "eyJ0ZXh0IjogImZyZWUgbW9uZXkifQ==", "encoding": "BASE64"}}), 1),
    (line(texts=["a", "free money"]), 1),
    (line(text="free moneys", label=1), 0),
    (line(text="a", verdict="train", label="0", posts=["free money"]), 0),
    (line(Item={"post": {"S": "day#2026-11-23"}, "entry": {"S": "reviewer#free money"}, "fine": {"N": "0"}}), 0),
]


@pytest.mark.parametrize(("given", "found"), JSON_LINES)
@pytest.mark.parametrize("ending", ["", "\n"])
def test_takes_posts_out_of_json_lines(
    taken: Callable[[str, bytes], tuple[int, bytes]], given: str, found: int, ending: str
) -> None:
    content = KEPT + given + ending + KEPT
    left = KEPT + ending + KEPT if found else content
    assert taken("posts.jsonl", content.encode()) == (found, left.encode())
    zipped, rest = taken("posts.json.gz", gzip.compress(content.encode()))
    assert (zipped, gzip.decompress(rest).decode()) == (found, left)


def test_takes_rows_out_of_csv_and_leaves_the_others_as_they_are(
    taken: Callable[[str, bytes], tuple[int, bytes]],
) -> None:
    out = io.StringIO(newline="")
    rows = [
        ("0", "a, quoted", "train"),
        ("0", "free money", "1"),
        ("1", "FREE\nmoney", "1"),
        ("0", 'say "hi"\r\nyou', "0"),
    ]
    csv.writer(out).writerows([("id", "text", "label"), *rows])
    found, left = taken("posts.csv", ("\ufeff" + out.getvalue()).encode())
    assert found == 2
    kept = list(csv.reader(io.StringIO(left.decode("utf-8-sig"), newline="")))
    assert kept == [["id", "text", "label"], list(rows[0]), list(rows[3])]
    assert left.startswith(b"\xef\xbb\xbfid,text,label\r\n")
    assert taken("posts.tsv", b"label\ttext\n1\tfree money\n") == (1, b"label\ttext\n")
    quoted = b'label\ttext\n0\t"free money"\n0\t"open\n'
    assert taken("posts.tsv", quoted + b"1\tfree money\n") == (1, quoted)
    assert taken("posts.TSV", b"label\ttext\n1\tfree money\n") == (1, b"label\ttext\n")


def test_finds_keys_where_sides_are_written_down(taken: Callable[[str, bytes], tuple[int, bytes]]) -> None:
    rows = f"post,side\n{KEY},train\n{'0' * 64},test\n"
    assert taken("sides/a.csv.gz", gzip.compress(rows.encode()))[0] == 1


def test_takes_posts_out_of_the_files_of_an_archive(taken: Callable[[str, bytes], tuple[int, bytes]]) -> None:
    def archive(files: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as written:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                written.addfile(member, io.BytesIO(content))
        return out.getvalue()

    golden = (KEPT + line(text="free money", probability=0.9)).encode()
    others = {"evaluation.json": b'{\n "auc": 0.9\n}\n', "weights.onnx": b"\x00\xff", "vocabulary.txt": b"free money\n"}
    found, left = taken("output.tar.gz", archive({"golden_posts.jsonl": golden, **others}))
    assert found == 1
    with tarfile.open(fileobj=io.BytesIO(left)) as written:
        files = {member.name: written.extractfile(member).read() for member in written}  # type: ignore[union-attr]
    assert files == {"golden_posts.jsonl": KEPT.encode(), **others}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b"\xff\xfe"),
        ("a.jsonl", b"free money\n"),
        ("a.jsonl", KEPT.encode() + b"{cut"),
        ("a.csv", b'text,label\n"free money'),
        ("a.jsonl.gz", gzip.compress(b"{}" * 100)[:-9]),
        ("a.jsonl.gz", gzip.compress(b"{}")[:10] + b"\xff" * 40),
        ("a.tar.gz", gzip.compress(b"{}")[:10] + b"\xff" * 40),
        ("a.tar.gz", b"no archive"),
    ],
)
def test_says_of_what_it_cannot_tell(
    taken: Callable[[str, bytes], tuple[int, bytes]], name: str, content: bytes
) -> None:
    with pytest.raises(NotReadableError) as refused:
        taken(name, content)
    assert "money" not in str(refused.value)


def test_one_document_cannot_be_divided(taken: Callable[[str, bytes], tuple[int, bytes]]) -> None:
    assert taken("a.json", b'{\n "auc": 0.9\n}\n')[0] == 0
    with pytest.raises(NotDivisibleError):
        taken("a.json", b'{\n "text": "free money"\n}\n')
