"""One reader of labelled posts: a table of odd files, each run through rehearsal, extraction and training."""

import csv
import gzip
import hashlib
import importlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import bounded_text
import labelled_posts
import pytest

from cdk_rehearsal.step_failure import InvalidInputError
from moderation_rehearsal import posts_file

PROJECT = Path(__file__).parents[2]
TRAINING = PROJECT / "container" / "training"
FINE, BAD = "こんにちは", "死ね、と言われた"
BOTH = [(FINE, 0), (BAD, 1)]
CSV = f"text,label\n{FINE},0\n{BAD},1\n"
TSV = f"text\tlabel\n{FINE}\t0\n{BAD}\t1\n"
JSONL = "".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in BOTH)
LONGEST = bounded_text.LONGEST_TEXT
DIGITS = "9" * 5000
LABEL = "it must be 0 (fine) or 1 (a violation)"
SAVE = "by its bytes: save the file as UTF-8"


def line(text: str, label: str) -> str:
    return f'{{"text": {text}, "label": {label}}}\n'


# What each file is called, holds, and is read as: its posts, or what is wrong with it.
FILES: list[tuple[str, str | bytes, list[tuple[str, int]] | str]] = [
    # Formats, and how their names say them.
    ("a.csv", CSV, BOTH),
    ("a.CSV", CSV, BOTH),
    ("a.tsv", TSV, BOTH),
    ("a.jsonl", JSONL, BOTH),
    ("a.ndjson", JSONL, BOTH),
    ("a.json", JSONL, BOTH),
    ("a.csv.gz", gzip.compress(CSV.encode()), BOTH),
    ("a.TSV.GZ", gzip.compress(TSV.encode()), BOTH),
    ("a.jsonl.gz", gzip.compress(JSONL.encode()), BOTH),
    ("a.json", f"[{JSONL.strip().replace(chr(10), ',')}]", ", line 1: an array of 2: each line must be an object with"),
    ("a.json", '[\n{"text": "a"},\n', ", line 1: not JSON at character 3"),
    # Labels.
    ("a.jsonl", line('"a"', '"0"') + line('"b"', '" 1 "'), [("a", 0), ("b", 1)]),
    ("a.csv", "text,label\na, 0\nb,1 \n", [("a", 0), ("b", 1)]),
    ("a.jsonl", line('"a"', "1.0"), f", line 1: label is another number: {LABEL}"),
    ("a.jsonl", line('"a"', "true"), f", line 1: label is true or false: {LABEL}"),
    ("a.jsonl", line('"a"', "null"), f", line 1: label is missing: {LABEL}"),
    ("a.jsonl", line('"a"', "2"), f", line 1: label is another number: {LABEL}"),
    ("a.jsonl", line('"a"', "[0]"), f", line 1: label is an array of 1: {LABEL}"),
    ("a.jsonl", line('"a"', '{"N": 1}'), f", line 1: label is an object: {LABEL}"),
    ("a.jsonl", line('"a"', DIGITS), f", line 1: label is another number: {LABEL}"),
    ("a.csv", f"text,label\na,{DIGITS}\n", f", line 2: label is a text of 5000 characters: {LABEL}"),
    ("a.csv", "text,label\na,0\nb,spam\n", f", line 3: label is a text of 4 characters: {LABEL}"),
    ("a.csv", "text,label\na,\n", f", line 2: label is empty: {LABEL}"),
    ("a.csv", "text,label\na,１\n", f", line 2: label is a text of 1 character: {LABEL}"),
    ("a.csv", "label,text\n1,0\n0,1\n", [("0", 1), ("1", 0)]),
    ("a.csv", "label,text\n死ねと言われた,1\n", f", line 2: label is a text of 7 characters: {LABEL}"),
    # Texts.
    ("a.jsonl", line("5", "0"), ", line 1: text is another number: it must be a post"),
    ("a.jsonl", line("null", "0"), ", line 1: text is missing"),
    ("a.jsonl", line('" \\n"', "0"), ", line 1: text is empty"),
    ("a.jsonl", line('"\\u0000"', "0"), ", line 1: text is empty"),
    ("a.csv", 'text,label\n"\u3000",0\n', ", line 2: text is empty"),
    ("a.jsonl", line('"ab\\ud800"', "0"), ", line 1: text holds half of a surrogate pair at character 3"),
    ("a.jsonl", '{"text": "a", "label": 0, "by": "\\udfff"}\n' + line('"b"', "1"), [("a", 0), ("b", 1)]),
    ("a.jsonl", line('"\\ud83d\\ude00"', "0") + line('"b"', "1"), [("😀", 0), ("b", 1)]),
    ("a.csv", f"text,label\n{'a' * LONGEST},0\nb,1\n", [("a" * LONGEST, 0), ("b", 1)]),
    ("a.csv", f"text,label\nb,0\n{'a' * (LONGEST + 1)},0\n", f", line 3: text has {LONGEST + 1} characters"),
    ("a.csv", f'text,label\n"{"a" * 131_073}",0\n', ", line 2: text has 131073 characters"),
    ("a.jsonl", line(f'"{"a" * 20_001}"', "1"), ", line 1: text has 20001 characters"),
    ("a.jsonl", line(f'"{chr(0x3316) * 2000}"', "1"), ", line 1: text has 12000 characters, in NFKC"),
    ("a.jsonl", line(f'"a{chr(0x301) * 9000}"', "1") + line('"b"', "0"), [("a" + "\u0301" * 9000, 1), ("b", 0)]),
    # Columns and keys.
    ("a.csv", "id,text,label,id\n7,a,0,8\n7,b,1,8\n", [("a", 0), ("b", 1)]),
    ("a.csv", " text , label \na,0\nb,1\n", [("a", 0), ("b", 1)]),
    ("a.csv", "text,label,label\na,0,1\n", ", line 1: the column label is there twice"),
    ("a.csv", "text,text,label\na,b,1\n", ", line 1: the column text is there twice"),
    ("a.jsonl", '{"text": "a", "label": 0, "label": 1}\n', ", line 1: the key label is there twice"),
    ("a.jsonl", '{"text": "a", "label": 0, "x": {"x": 1, "x": 2}}\n' + line('"b"', "1"), [("a", 0), ("b", 1)]),
    ("a.csv", "comment,toxic\na,0\n", ", line 1: no column text and no column label among 2 columns (comment, toxic)"),
    ("a.csv", f"{BAD},1\n{FINE},0\n", ", line 1: no column text and no column label among 2 columns: the first line"),
    ("a.csv", "a b,spam\n", ", line 1: no column text and no column label among 2 columns: the first line"),
    ("a.tsv", CSV, ", line 1: no column text and no column label among 1 column: the first line"),
    ("a.jsonl", '{"body": "a", "label": 0}\n', ", line 1: no key text among 2 keys (body, label)"),
    ("a.jsonl", '{"死ね": "a", "label": 0}\n', ", line 1: no key text among 2 keys: each line must be an object"),
    ("a.jsonl", '"a"\n', ", line 1: a text of 1 character: each line must be an object with text and label"),
    ("a.csv", "text,label\na, b,1\n", ", line 2: 3 columns, the header has 2: quote a text that holds a comma"),
    ("a.csv", "text,label\na\n", ", line 2: 1 columns, the header has 2"),
    ("a.tsv", "text\tlabel\na\tb\t1\n", ", line 2: 3 columns, the header has 2: a TSV has no quotes"),
    # Quotes and line ends.
    ("a.csv", 'label,text\r\n0,"a\r\nb"\r\n1,"c ""d"""\r\n', [("a\r\nb", 0), ('c "d"', 1)]),
    ("a.csv", 'text,label\na,0\n"b\nc,1\nd,0\n', ', line 3: a quotation mark (") opens a field that does not end'),
    ("a.csv", f'text,label\n"{"a,0 " * 300_000}', ", line 2: longer than 1048576 characters"),
    ("a.csv", 'text,label\n"' + "a,0\n" * 300_000, ', line 2: a quotation mark (") opens a field that does not end'),
    ("a.csv", 'text,label\n"a"b,0\n', ', line 2: a quotation mark (") stands inside a quoted field: write it twice'),
    ("a.csv", CSV.replace("\n", "\r"), BOTH),
    ("a.tsv", TSV.replace("\n", "\r"), BOTH),
    ("a.jsonl", JSONL.replace("\n", "\r"), BOTH),
    ("a.csv", "text,label\ra,0\rb,x\r", f", line 3: label is a text of 1 character: {LABEL}"),
    ("a.csv", "\n\ntext,label\n\na,0\n\nb,1", [("a", 0), ("b", 1)]),
    ("a.tsv", 'text\tlabel\n"a" b\t0\n"c\t1\n', [('"a" b', 0), ('"c', 1)]),
    ("a.jsonl", "\n \n" + line('"a\u2028b\u0085c"', "0") + line('"d"', "1"), [("a\u2028b\u0085c", 0), ("d", 1)]),
    # JSON.
    ("a.jsonl", "[" * 100_000 + "\n", ", line 1: brackets in brackets without end"),
    ("a.jsonl", '{"text": ' * 100_000 + "\n", ", line 1: brackets in brackets without end"),
    ("a.jsonl", f'{{"text": "a", "label": 0, "id": {DIGITS}}}\n' + line('"b"', "1"), [("a", 0), ("b", 1)]),
    ("a.jsonl", f'{{"text": "a", "label": 0, "id": {DIGITS}.5e{DIGITS}}}\n' + line('"b"', "1"), [("a", 0), ("b", 1)]),
    ("a.jsonl", line('"a"', "NaN"), ", line 1: not JSON, which has no NaN and no Infinity"),
    ("a.jsonl", '{"text": "a", "label": 0, "x": -Infinity}\n', ", line 1: not JSON, which has no NaN"),
    ("a.jsonl", line('"a"', "0") + "\n{'text': 'b'}\n", ", line 3: not JSON at character 2"),
    ("a.jsonl", line('"a\tb"', "0"), ", line 1: not JSON at character 12"),
    ("a.jsonl", '{"text": "a", "label": 0} {"text": "b", "label": 1}\n', ", line 1: not JSON at character 27"),
    # Encodings.
    ("a.csv", CSV.encode("utf-8-sig"), BOTH),
    ("a.jsonl", JSONL.encode("utf-8-sig"), BOTH),
    ("a.csv", CSV.encode("utf-16"), f", line 1: not UTF-8 but UTF-16, {SAVE}"),
    ("a.csv", CSV.encode("utf-16-le"), f", line 1: not UTF-8 but UTF-16, {SAVE}"),
    ("a.jsonl", JSONL.encode("utf-16-be"), f", line 1: not UTF-8 but UTF-16, {SAVE}"),
    ("a.csv", CSV.encode("utf-32"), f", line 1: not UTF-8 but UTF-32, {SAVE}"),
    ("a.csv", CSV.encode("cp932"), f", line 2: not UTF-8 but CP932 (Shift_JIS), {SAVE}"),
    ("a.csv", "text,label\r\na,0\r\n暴力,1\r\n".encode("cp932"), f", line 3: not UTF-8 but CP932 (Shift_JIS), {SAVE}"),
    ("a.jsonl", JSONL.encode("cp932"), f", line 1: not UTF-8 but CP932 (Shift_JIS), {SAVE}"),
    ("a.csv.gz", gzip.compress(CSV.encode("cp932")), f", line 2: not UTF-8 but CP932 (Shift_JIS), {SAVE}"),
    ("a.csv", ("text,label\n" + "a,0\n" * 5000 + CSV).encode("cp932"), ", line 5003: not UTF-8 but CP932"),
    ("a.csv", CSV.encode("euc_jp"), f", line 2: not UTF-8 but EUC-JP, {SAVE}"),
    ("a.tsv", "text\tlabel\n暴力\t1\n".encode("euc_jp"), f", line 2: not UTF-8 but EUC-JP, {SAVE}"),
    ("a.csv", CSV.encode("iso2022_jp"), f", line 2: not UTF-8 but ISO-2022-JP, {SAVE}"),
    ("a.csv", "text,label\ncafé,0\ncrème brûlée,1\n".encode("latin-1"), ", line 2: not UTF-8: save the file as UTF-8"),
    ("a.csv", "text,label\nit’s “fine”,0\n".encode("cp1252"), ", line 2: not UTF-8: save the file as UTF-8"),
    ("a.csv", CSV.encode().replace(FINE.encode()[-2:], b"\x81", 1), ", line 2: not UTF-8, and damaged"),
    ("a.csv", "text,label\na\0b,0\n", ", line 2: a NUL at character 2: the file is damaged, or is no text"),
    # What is no text, or not whole.
    ("a.csv", "", ": there is no post in it"),
    ("a.csv", "text,label\n", ": there is no post in it"),
    ("a.tsv", "\n\n", ": there is no post in it"),
    ("a.jsonl", b"\xef\xbb\xbf", ": there is no post in it"),
    ("a.jsonl.gz", gzip.compress(JSONL.encode())[:-9], ", line 1: the gzip file is cut off: copy it again"),
    ("a.jsonl.gz", gzip.compress(JSONL.encode())[:5], ", line 1: the gzip file is cut off: copy it again"),
    ("a.jsonl.gz", JSONL, ", line 1: not gzip, as its name says: compress it again"),
    ("a.jsonl", gzip.compress(JSONL.encode()), ": this is gzip: let its name end in .gz"),
    ("a.csv", b"PK\x03\x04rest", ": this is a zip archive, as .xlsx is too: save it as CSV in UTF-8"),
    ("a.csv", b"PAR1rest", ": this is Parquet: save it as CSV or JSON lines"),
]
SUFFIX = "; or "
"""Where what the rehearsal adds begins: the options that read the file."""


def refused(message: str, *, where: str) -> tuple[str, str]:
    """What is said of the file, which the message begins with."""
    assert message.startswith(where)
    return "refused", message.removeprefix(where)


def content_of(given: str | bytes) -> bytes:
    return given if isinstance(given, bytes) else given.encode()


Answer = tuple[str, Any]
Read = Callable[[str, bytes], Answer]


@pytest.fixture(scope="module")
def rehearse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    folder = tmp_path_factory.mktemp("rehearsed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posts_file, "_FEWEST", 1)

        def read(name: str, content: bytes) -> Answer:
            path = folder / name
            path.write_bytes(content)
            try:
                posts = posts_file.read_posts(path)
            except InvalidInputError as fault:
                return refused(str(fault).partition(SUFFIX)[0], where=str(path))
            return "read", sorted((post.text, post.label) for post in posts)

        yield read


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    monkeypatch.syspath_prepend(TRAINING)
    known = dict(sys.modules)
    sys.modules.pop("labelled_posts")
    sys.modules.pop("bounded_text", None)
    posts: Any = importlib.import_module("posts")
    assert Path(str(sys.modules["labelled_posts"].__file__)).parent == TRAINING

    def read(name: str, content: bytes) -> Answer:
        folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "train"
        folder.mkdir()
        (folder / name).write_bytes(content)
        try:
            found = posts.read_channel(folder)
        except sys.modules["refusal"].RefusalError as fault:
            return refused(str(fault), where=f"train/{name}")
        return "read", sorted((post.text, post.label) for post in found)

    yield read
    for name in set(sys.modules) - set(known):
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(TRAINING)):
            del sys.modules[name]
    sys.modules.update(known)


@pytest.fixture
def extract(
    load_function: Callable[[str], ModuleType], aws: Any, side_secret: None, monkeypatch: pytest.MonkeyPatch
) -> Read:
    extractor = load_function("training_data_extractor")
    s3 = aws.client("s3")
    # One for all: making one takes longer than the rest.
    made: Any = boto3.client
    monkeypatch.setattr(boto3, "client", lambda service: s3 if service == "s3" else made(service))
    bucket = "functions-odd-files"
    s3.create_bucket(Bucket=bucket)
    # Enough for both sides, whatever is read beside it.
    rest = [(f"rest {number}", number % 2) for number in range(80)]
    lines = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rest)

    def read(name: str, content: bytes) -> Answer:
        # A case of its own each: what one left is none of the next one's.
        prefix = hashlib.sha256(name.encode() + content).hexdigest()
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)
        s3.put_object(Bucket=bucket, Key=f"{prefix}/rest.jsonl", Body=lines.encode())
        event = {"bucket": bucket, "posts_prefix": f"{prefix}/", "run_prefix": f"runs/{prefix}/"}
        try:
            extractor.handler(event, None)
        except extractor.InvalidPostsError as fault:
            return refused(str(fault), where=f"s3://{bucket}/{prefix}/{name}")
        bodies = [
            s3.get_object(Bucket=bucket, Key=f"runs/{prefix}/{side}/posts.jsonl")["Body"].read().decode()
            for side in ("train", "test")
        ]
        found = {(post["text"], post["label"]) for body in bodies for post in map(json.loads, body.split("\n")[:-1])}
        return "read", sorted(found - set(rest))

    return read


def test_rehearsal_extraction_and_training_have_one_answer(rehearse: Read, extract: Read, train: Read) -> None:
    assert len(FILES) >= 60
    for number, (name, given, expected) in enumerate(FILES):
        content = content_of(given)
        case = f"{number}: {name}, {str(given)[:80]!r}"
        answer = rehearse(name, content)
        if isinstance(expected, str):
            assert answer[0] == "refused", case
            assert answer[1].startswith(expected), case
            assert "\n" not in answer[1], case
            assert len(answer[1]) < 300, case
            # Nothing of a post: what the table's posts say is in none of them.
            assert not any(part in answer[1] for part in (FINE, BAD, "死ね", "暴力", "brûlée")), case
        else:
            assert answer == ("read", sorted(expected)), case
        assert extract(name, content) == answer, case
        assert train(name, content) == answer, case


def test_training_and_extraction_have_the_same_file() -> None:
    for name in ("labelled_posts.py", "bounded_text.py"):
        files = [PROJECT / folder / name for folder in ("container/training", "lambda/training_data_extractor")]
        assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == 1
    assert Path(labelled_posts.__file__).parent.name == "training_data_extractor"


def test_every_place_takes_the_limit_of_a_text_from_one_constant() -> None:
    for path in (*PROJECT.glob("container/*/*.py"), *PROJECT.glob("lambda/*/*.py")):
        if path.name not in ("bounded_text.py", "golden_posts.py"):
            assert not re.search(r"^\w*LONGEST_TEXT\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_the_csv_module_keeps_a_limit() -> None:
    list(labelled_posts.read_posts(_stream(CSV.encode()), "a.csv"))
    assert csv.field_size_limit() == labelled_posts.LONGEST_LINE


def _stream(content: bytes) -> Any:
    return io.BytesIO(content)


SMS = 'ham\tOn my way, "soon"\nspam\tWin £500 today, text YES\nham\t"Where are you\n'
KAGGLE = "v1,v2,,,\nham,Caf\xe9 later,,,\nspam,\xa31000 prize,,,\n"
COMMENTS = "id,comment,category\n1,ありがとう,none\n2,死ね,abuse\n3,買って,ad\n"


SMS_COLUMNS = {"label_column": "1", "text_column": "2"}
COMMENT_COLUMNS = {"text_column": "comment", "label_column": "category"}
TRUE_OR_FALSE = b'{"body": "a", "toxic": true}\n{"body": "b", "toxic": false}\n'


@pytest.mark.parametrize(
    ("name", "content", "layout", "expected"),
    [
        ("SMSSpamCollection", SMS.encode(), {"format": "tsv", "positive": ["spam"], **SMS_COLUMNS}, [0, 1, 0]),
        ("sms.tsv", SMS.encode(), {"positive": ["ham"], **SMS_COLUMNS}, [1, 0, 1]),
        (
            "spam.csv",
            KAGGLE.encode("latin-1"),
            {"encoding": "latin-1", "label_column": "v1", "text_column": "v2", "positive": ["spam"]},
            [0, 1],
        ),
        (
            "comments.csv",
            COMMENTS.encode("cp932"),
            {"encoding": "Shift_JIS", "positive": ["abuse", "ad"], **COMMENT_COLUMNS},
            [0, 1, 1],
        ),
        (
            "comments.csv",
            COMMENTS.encode("euc_jp"),
            {"encoding": "euc-jp", "positive": ["ad"], **COMMENT_COLUMNS},
            [0, 0, 1],
        ),
        ("utf16.csv", CSV.encode("utf-16"), {"encoding": "utf-16"}, [0, 1]),
        ("le.csv", ("\ufeff" + CSV).encode("utf-16-le"), {"encoding": "utf-16-le"}, [0, 1]),
        (
            "a.jsonl",
            TRUE_OR_FALSE,
            {"text_column": "body", "label_column": "toxic", "positive": ["true"]},
            [1, 0],
        ),
    ],
)
def test_files_of_ones_own_are_read_as_they_are(
    name: str, content: bytes, layout: dict[str, Any], expected: list[int]
) -> None:
    posts = labelled_posts.read_posts(_stream(content), name, layout=labelled_posts.FileLayout(**layout))
    assert [post.label for post in posts] == expected


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"encoding": "utf8mb4"}, "the encoding is unknown"),
        ({"encoding": "base64"}, "the encoding is unknown"),
        ({"encoding": "\0"}, "the encoding is unknown"),
        ({"format": "xml"}, "the format is unknown: it must be one of csv, tsv, jsonl"),
        ({"text_column": "2"}, "one column is a number, one is a name: give both as numbers"),
        ({"text_column": "0", "label_column": "1"}, "by its number from 1"),
        ({"text_column": " "}, "a column is given by its name"),
        ({"text_column": "label"}, "text and label are the same column"),
    ],
)
def test_fails_when_a_layout_cannot_be(layout: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelled_posts.FileLayout(**layout)


@pytest.mark.parametrize(
    ("content", "layout", "message"),
    [
        (b"a\tb\n", {"text_column": "1", "label_column": "3"}, "line 1: 2 columns: there is no column 3"),
        (b"a\t0\na\tb\t1\n", {"text_column": "1", "label_column": "2"}, "line 2: 3 columns, the first line has 2"),
        (b"a\t\n", {"text_column": "1", "label_column": "2", "positive": ["x"]}, "line 1: label is empty"),
        (CSV.encode(), {"encoding": "ascii"}, "line 2: not ascii: give another encoding"),
        (b"text\tlabel\n", {"encoding": "utf-16"}, "line 1: not utf-16"),
    ],
)
def test_fails_when_the_layout_is_another(content: bytes, layout: dict[str, Any], message: str) -> None:
    with pytest.raises(labelled_posts.InvalidPostsError, match=message):
        list(labelled_posts.read_posts(_stream(content), "a.tsv", layout=labelled_posts.FileLayout(**layout)))
