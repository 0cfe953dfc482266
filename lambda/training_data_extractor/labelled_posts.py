"""Labelled posts, as files hold them: CSV, TSV or JSON lines, gzipped or not.

The same file in the training image and in the function that makes training data, from where the tools take it: what one
of them reads, all of them read, and what one refuses, all refuse in the same words.

No error shows what a post says. It shows the file, the line, the column, what kind of value is there and its length.
A column's name is shown only where all columns of the line look like names: a file without a header begins with a post.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, Final, Literal, NamedTuple, cast

from bounded_text import LONGEST_TEXT, counted

LONGEST_LINE: Final = 1 << 20
"""Characters of a line, and of a field of CSV."""
FORMATS: Final = ("csv", "tsv", "jsonl")
SUFFIXES: Final = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
GZIP: Final = ".gz"

_MOST_NAMES: Final = 8
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_ENDS_OF_LINES: Final = "\r\n"
# Digits that int() takes at once, and that no label needs more of.
_MOST_DIGITS: Final = 18
_KANA: Final = re.compile(r"[\u3041-\u30fe]")
# Two kanji side by side: one alone is what two letters of Latin-1 may look like.
_KANJI: Final = re.compile(r"[\u4e00-\u9fff]{2}")
_MARKS: Final = (
    # The longer ones first: UTF-32's begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)
_OTHER_KINDS: Final = (
    (b"\x1f\x8b", f"gzip: let its name end in {GZIP}"),
    (b"PK\x03\x04", "a zip archive, as .xlsx is too: save it as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "a file of old Excel: save it as CSV in UTF-8"),
    (b"PAR1", "Parquet: save it as CSV or JSON lines"),
    (b"%PDF", "a PDF: save it as CSV or JSON lines"),
)
# What is written as Shift_JIS today is CP932, which has more characters.
_SAME_ENCODING: Final = {"shift_jis": "cp932", "utf-8": "utf-8-sig"}

Fault = Literal["encoding", "columns", "label", "other"]


class InvalidPostsError(Exception):
    """What was read cannot be used; the message is one line: where, what is there, and what is allowed.

    fault: what kind of thing is wrong. encoding: a codec that would read the file, where its bytes say which.
    """

    def __init__(self, message: str, *, fault: Fault = "other", encoding: str | None = None) -> None:
        super().__init__(message)
        self.fault: Fault = fault
        self.encoding = encoding


class LabelledPost(NamedTuple):
    """One post, and the line on which it begins; label 1 is a violation."""

    line: int
    text: str
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """How a file of one's own differs from what the deployed system reads, which is the default.

    format: one of FORMATS; None goes by the name.
    encoding: a codec of Python's.
    text_column, label_column: the columns' names, or keys of JSON; both as numbers from 1 in a file without a header.
    positive: the labels of violations; every other label is fine then. Empty: 1 is a violation and 0 is not.

    Raises ValueError, with one line, where that cannot be.
    """

    format: str | None = None
    encoding: str = "utf-8"
    text_column: str = "text"
    label_column: str = "label"
    positive: Sequence[str] = ()

    def __post_init__(self) -> None:
        try:
            known = codecs.lookup(self.encoding)
            "".encode(self.encoding)  # refuses what is no encoding of text, as base64
        except (LookupError, ValueError):
            raise ValueError("the encoding is unknown: give one of Python's, as utf-8, cp932 or euc_jp") from None
        object.__setattr__(self, "encoding", _SAME_ENCODING.get(known.name, known.name))
        if self.format is not None and self.format not in FORMATS:
            raise ValueError(f"the format is unknown: it must be one of {', '.join(FORMATS)}")
        for column in (self.text_column, self.label_column):
            if not column.strip() or (column.isdecimal() and int(column) < 1):
                raise ValueError("a column is given by its name, or by its number from 1 where there is no header")
        if self.text_column == self.label_column:
            raise ValueError("text and label are the same column: give two")
        if self.text_column.isdecimal() != self.label_column.isdecimal():
            raise ValueError("one column is a number, one is a name: give both as numbers of a file without a header")

    @property
    def has_header(self) -> bool:
        return not self.text_column.isdecimal()


PLAIN: Final = FileLayout()


def format_of(name: str) -> str | None:
    """Say in which of FORMATS a file of that name is, gzipped or not; None where no post is to be read from it."""
    return SUFFIXES.get(PurePath(name.lower().removesuffix(GZIP)).suffix)


def read_posts(
    stream: BinaryIO, name: str, *, where: str | None = None, layout: FileLayout = PLAIN, may_be_empty: bool = False
) -> Iterator[LabelledPost]:
    """Yield the posts of a file in their order. A name that ends in `.gz` says that the file is gzipped.

    `where` is what errors call the file: its name by default.

    Raises InvalidPostsError at the first line that is no labelled post, and for a file without any.
    """
    where = where or name
    format_ = layout.format or format_of(name)
    if format_ is None:
        raise InvalidPostsError(f"{where}: the name ends in none of {', '.join(SUFFIXES)}")
    lines = text_lines(stream, where, gzipped=name.lower().endswith(GZIP), encoding=layout.encoding)
    read = _read_json_lines(lines, where, layout) if format_ == "jsonl" else _read_table(lines, where, format_, layout)
    empty = True
    for post in read:
        empty = False
        yield post
    if empty and not may_be_empty:
        raise InvalidPostsError(f"{where}: there is no post in it")


def text_lines(stream: BinaryIO, where: str, *, gzipped: bool = False, encoding: str = "utf-8-sig") -> Iterator[str]:
    """Yield the lines of a file with their ends, LF, CRLF or CR, and close it at its end.

    Raises InvalidPostsError where it is not in that encoding, not whole, or holds a line without end.
    """
    content = source = io.BufferedReader(cast(io.RawIOBase, stream))
    text: io.TextIOWrapper | None = None
    number = 0
    try:
        if gzipped:
            content = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=content)))
        _refuse_other_kinds(content.peek(16)[:16], where, encoding)
        # newline="" keeps the line ends, which the csv module needs to read a post of several lines.
        text = io.TextIOWrapper(content, encoding=encoding, newline="")
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise InvalidPostsError(f"{where}, line {number}: longer than {LONGEST_LINE} characters")
            _refuse_other_encodings(line, f"{where}, line {number}")
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError as fault:
        raise _undecodable(fault, where, number, encoding) from None
    except UnicodeError:
        raise InvalidPostsError(
            f"{where}, line 1: not {encoding}: there is no byte order mark", fault="encoding"
        ) from None
    except (gzip.BadGzipFile, zlib.error):
        raise InvalidPostsError(f"{where}, line {number + 1}: not gzip, as its name says: compress it again") from None
    except EOFError:
        raise InvalidPostsError(f"{where}, line {number + 1}: the gzip file is cut off: copy it again") from None
    finally:
        # Not left to the garbage collector, which would warn of it.
        (text or content).close()
        source.close()


def json_objects(lines: Iterator[str], where: str, wanted: Sequence[str]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield number, place for an error and content of each line that is not blank, an object each.

    Raises InvalidPostsError for anything else, and where one of the keys `wanted` is there twice.
    """
    keys = " and ".join(wanted)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        at = f"{where}, line {number}"
        content, outermost = _parsed(line, at, keys)
        if not isinstance(content, dict):
            raise InvalidPostsError(
                f"{at}: {kind_of(content)}: each line must be an object with {keys}", fault="columns"
            )
        for name in wanted:
            if sum(key == name for key, _ in outermost) > 1:
                raise InvalidPostsError(f"{at}: the key {_shown_name(name)} is there twice", fault="columns")
        yield number, at, content


def table_cells(
    lines: Iterator[str], where: str, format_: str, wanted: Sequence[str], *, has_header: bool = True
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, place for an error and the cells of the columns `wanted` of each row of CSV or TSV that is not blank.

    Without a header `wanted` are numbers from 1.

    Raises InvalidPostsError where a column is missing or there twice, and for a row of another width.
    """
    if format_ == "csv":
        # For the whole process. A longer text is refused as a text, with the limit that counts.
        csv.field_size_limit(LONGEST_LINE)
        rows = _rows(csv.reader(lines, strict=True), where)
        remedy = "quote a text that holds a comma or a line end"
    else:
        # text/tab-separated-values knows no quotes: a quotation mark is a part of the text.
        cut = ((number, line.rstrip(_ENDS_OF_LINES).split("\t")) for number, line in enumerate(lines, start=1))
        rows = ((number, [] if row == [""] else row) for number, row in cut)
        remedy = "a TSV has no quotes: take tabs and line ends out of texts, or give CSV"
    width: int | None = None
    if has_header:
        header = next(((number, [name.strip() for name in row]) for number, row in rows if row), None)
        if header is None:
            raise InvalidPostsError(f"{where}: there is no post in it")
        number, names = header
        places = _places(names, wanted, f"{where}, line {number}")
        width = len(names)
    else:
        places = [int(column) - 1 for column in wanted]
    for number, row in rows:
        if not row:
            continue
        at = f"{where}, line {number}"
        width = width or len(row)
        if len(row) != width or max(places) >= width:
            first = "the header has" if has_header else "the first line has"
            raise InvalidPostsError(
                f"{at}: {len(row)} columns, {first} {width}: {remedy}"
                if len(row) != width
                else f"{at}: {len(row)} columns: there is no column {max(places) + 1}",
                fault="columns",
            )
        yield number, at, [row[place] for place in places]


def checked_text(text: object, at: str) -> str:
    """Return a text that the ML API would take.

    Raises InvalidPostsError for any other.
    """
    if not isinstance(text, str):
        raise InvalidPostsError(f"{at}: text is {kind_of(text)}: it must be a post of at least one character")
    if not text.replace("\0", "").strip():
        raise InvalidPostsError(f"{at}: text is empty: it must be a post of at least one character")
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise InvalidPostsError(
            f"{at}: text holds half of a surrogate pair at character {fault.start + 1}: it must be valid Unicode"
        ) from None
    if (length := counted(text)) > LONGEST_TEXT:
        raise InvalidPostsError(
            f"{at}: text has {length} characters, in NFKC where those are more: at most {LONGEST_TEXT} are allowed, "
            "as in the ML API; shorten the post or leave it out"
        )
    return text


def checked_label(label: object, at: str, kind: str) -> int:
    """Return a label that is 0 or 1. `kind` is the kind of what stood there.

    Raises InvalidPostsError for any other.
    """
    if type(label) is int and label in (0, 1):
        return label
    raise InvalidPostsError(f"{at}: label is {kind}: it must be 0 (fine) or 1 (a violation)", fault="label")


def kind_of(value: object) -> str:
    """Say what a value is, and nothing of what it says."""
    match value:
        case None:
            return "missing"
        case bool():
            return "true or false"
        case int() | float():
            return "another number"
        case str():
            return f"a text of {len(value)} character{'s' * (len(value) != 1)}" if value.strip() else "empty"
        case list():
            return f"an array of {len(value)}"
        case _:
            return "an object"


def shown_names(names: Sequence[str], what: str = "column") -> str:
    """Count columns or keys, with their names where all look like names."""
    count = f"{len(names)} {what}{'s' * (len(names) != 1)}"
    if not names or not all(_NAME.fullmatch(name) for name in names):
        return count
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{count} ({', '.join(names[:_MOST_NAMES])}{more})"


# ---- formats -------------------------------------------------------------------------------------------------------


def _read_table(lines: Iterator[str], where: str, format_: str, layout: FileLayout) -> Iterator[LabelledPost]:
    wanted = (layout.text_column, layout.label_column)
    for number, at, (text, label) in table_cells(lines, where, format_, wanted, has_header=layout.has_header):
        yield LabelledPost(number, checked_text(text, at), _label(label, at, layout))


def _rows(rows: Any, where: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins: what is wrong with a quoted field is seen where the file ends."""
    while True:
        at = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as fault:
            cause = str(fault)
            if "end of data" in cause or "field limit" in cause:
                what = 'a quotation mark (") opens a field that does not end'
            elif "new-line" in cause:
                what = "a line end stands in a field without quotation marks"
            else:
                what = 'a quotation mark (") stands inside a quoted field: write it twice'
            raise InvalidPostsError(f"{where}, line {at}: {what}: quote fields as RFC 4180 has it") from None
        yield at, row


def _places(names: list[str], wanted: Sequence[str], at: str) -> list[int]:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise InvalidPostsError(
            f"{at}: no column {' and no column '.join(map(_shown_name, missing))} among {shown_names(names)}: "
            "the first line names the columns",
            fault="columns",
        )
    for name in wanted:
        if names.count(name) > 1:
            raise InvalidPostsError(f"{at}: the column {_shown_name(name)} is there twice", fault="columns")
    return [names.index(name) for name in wanted]


def _read_json_lines(lines: Iterator[str], where: str, layout: FileLayout) -> Iterator[LabelledPost]:
    wanted = (layout.text_column, layout.label_column)
    for number, at, content in json_objects(lines, where, wanted):
        missing = [name for name in wanted if name not in content]
        if missing:
            raise InvalidPostsError(
                f"{at}: no key {' and no key '.join(map(_shown_name, missing))} among "
                f"{shown_names(list(content), 'key')}: each line must be an object with "
                f"{' and '.join(map(_shown_name, wanted))}",
                fault="columns",
            )
        text, label = (content[name] for name in wanted)
        yield LabelledPost(number, checked_text(text, at), _label(label, at, layout))


def _label(given: object, at: str, layout: FileLayout) -> int:
    """The number 0 or 1, or a text that says it, as every label of CSV is."""
    if layout.positive:
        said = json.dumps(given) if isinstance(given, bool | int) else given
        if not isinstance(said, str) or not said.strip():
            raise InvalidPostsError(f"{at}: label is {kind_of(given)}: it must be a text", fault="label")
        return int(said.strip() in layout.positive)
    label = {"0": 0, "1": 1}.get(given.strip()) if isinstance(given, str) else given
    return checked_label(label, at, kind_of(given))


def _parsed(line: str, at: str, keys: str) -> tuple[Any, list[tuple[str, Any]]]:
    """The content of a line, and the pairs of its outermost object."""
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal outermost
        outermost = pairs  # the outermost object ends last
        return dict(pairs)

    try:
        return json.loads(line, object_pairs_hook=keep, parse_int=_whole, parse_constant=_no_number), outermost
    except RecursionError:
        what = "brackets in brackets without end"
    except json.JSONDecodeError as fault:
        what = f"not JSON at character {fault.pos + 1}"
    except ValueError:
        what = "not JSON, which has no NaN and no Infinity"
    raise InvalidPostsError(f"{at}: {what}: each line must be an object with {keys}")


def _whole(digits: str) -> int | float:
    # Thousands of digits are no fault where nobody asks for the number, and int() refuses them.
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


def _no_number(name: str) -> float:
    raise ValueError(name)


def _shown_name(name: str) -> str:
    """A name that is asked for: it is the user's own setting, but let it be one line."""
    return name if name.isprintable() and len(name) <= 60 else "asked for"


# ---- encodings -----------------------------------------------------------------------------------------------------


def _refuse_other_kinds(head: bytes, where: str, encoding: str) -> None:
    for magic, what in _OTHER_KINDS:
        if head.startswith(magic):
            raise InvalidPostsError(f"{where}: this is {what}")
    if encoding != "utf-8-sig":
        return
    for mark, name, codec in _MARKS:
        if head.startswith(mark):
            raise _wrong_encoding(f"{where}, line 1", name, codec)
    # Without a mark: the first letters are ASCII, of JSON and of a header.
    for zeros, codec in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
        if len(zeros) > 1 and not zeros.strip(b"\0"):
            raise _wrong_encoding(f"{where}, line 1", "UTF-16", codec)


def _refuse_other_encodings(line: str, at: str) -> None:
    """What decodes as UTF-8 and is none."""
    if "\0" in line:
        raise InvalidPostsError(
            f"{at}: a NUL at character {line.index(chr(0)) + 1}: the file is damaged, or is no text", fault="encoding"
        )
    if "\x1b$B" in line or "\x1b$@" in line:
        raise _wrong_encoding(at, "ISO-2022-JP", "iso2022_jp")


def _undecodable(fault: UnicodeDecodeError, where: str, read: int, encoding: str) -> InvalidPostsError:
    before = bytes(fault.object[: fault.start]).decode(encoding, "replace")
    at = f"{where}, line {read + 1 + len(_LINE_END.findall(before))}"
    if encoding != "utf-8-sig":
        return InvalidPostsError(f"{at}: not {encoding}: give another encoding", fault="encoding")
    # From the line's begin: two bytes of EUC-JP may be one character of UTF-8.
    sample = bytes(fault.object[fault.object.rfind(b"\n", 0, fault.start) + 1 :])
    replaced = sample.decode("utf-8", "replace")
    broken = replaced.count("\ufffd")
    if sum(character > "\x7f" for character in replaced) - broken > broken:
        return InvalidPostsError(f"{at}: not UTF-8, and damaged: most of what follows is UTF-8", fault="encoding")
    # EUC-JP first: most of it decodes as CP932 too, as katakana of half width; CP932's kana are no EUC-JP.
    for name, codec in (("EUC-JP", "euc_jp"), ("CP932 (Shift_JIS)", "cp932")):
        try:
            # What follows may end within a character.
            text = codecs.getincrementaldecoder(codec)("strict").decode(sample, final=False)
        except UnicodeDecodeError:
            continue
        if _KANA.search(text) or _KANJI.search(text):
            return _wrong_encoding(at, name, codec)
    return InvalidPostsError(f"{at}: not UTF-8: save the file as UTF-8", fault="encoding")


def _wrong_encoding(at: str, name: str, codec: str) -> InvalidPostsError:
    return InvalidPostsError(
        f"{at}: not UTF-8 but {name}, by its bytes: save the file as UTF-8", fault="encoding", encoding=codec
    )
