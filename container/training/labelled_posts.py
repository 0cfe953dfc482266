"""Reads labelled posts from files: CSV, TSV or JSON lines, gzipped or not.

The same file is in the training image and in the function that makes training data, from which the tools take it: all
of them read the same files, and refuse the same files with the same message.

No error contains a post's text. It contains the file, the line, the column, and the kind and length of the value. It
contains a column's name only if all columns of the line look like names: a file without a header begins with a post.
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
"""Maximum characters of a line, and of a field of CSV."""
FORMATS: Final = ("csv", "tsv", "jsonl")
SUFFIXES: Final = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
GZIP: Final = ".gz"

_MOST_NAMES: Final = 8
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_ENDS_OF_LINES: Final = "\r\n"
# Digits that int() converts quickly; no label needs more.
_MOST_DIGITS: Final = 18
_KANA: Final = re.compile(r"[\u3041-\u30fe]")
# Two adjacent kanji: a single one may be two letters of Latin-1.
_KANJI: Final = re.compile(r"[\u4e00-\u9fff]{2}")
_MARKS: Final = (
    # The longer marks first: UTF-32's begins with UTF-16's.
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
# Today's Shift_JIS files are CP932, which has more characters.
_SAME_ENCODING: Final = {"shift_jis": "cp932", "utf-8": "utf-8-sig"}

Fault = Literal["encoding", "columns", "label", "other"]


class InvalidPostsError(Exception):
    """The data cannot be used; the message is one line: where, what was found, and what is allowed.

    fault: the kind of the fault. encoding: a codec that would read the file, if its bytes show which.
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
    """The layout of a user's file; the default is the layout that the deployed system reads.

    format: one of FORMATS; None: by the file's name.
    encoding: a codec of Python's.
    text_column, label_column: names of columns, or keys of JSON; both are numbers from 1 for a file without a header.
    positive: the labels of violations; all other labels are fine. Empty: 1 is a violation and 0 is not.

    Raises ValueError, with one line, if the values do not fit together.
    """

    format: str | None = None
    encoding: str = "utf-8"
    text_column: str = "text"
    label_column: str = "label"
    positive: Sequence[str] = ()

    def __post_init__(self) -> None:
        try:
            known = codecs.lookup(self.encoding)
            "".encode(self.encoding)  # refuses codecs that are not text encodings, as base64
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
    """Return which of FORMATS a file of that name has, gzipped or not; None if it holds no posts."""
    return SUFFIXES.get(PurePath(name.lower().removesuffix(GZIP)).suffix)


def read_posts(
    stream: BinaryIO, name: str, *, where: str | None = None, layout: FileLayout = PLAIN, may_be_empty: bool = False
) -> Iterator[LabelledPost]:
    """Yield the posts of a file in their order. A file is gzipped if its name ends in `.gz`.

    `where` is the file's name in errors; default: its name.

    Raises InvalidPostsError at the first line that is not a labelled post, and for a file without posts.
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

    Raises InvalidPostsError if it is not in that encoding, is truncated, or has a line without end.
    """
    content = source = io.BufferedReader(cast(io.RawIOBase, stream))
    text: io.TextIOWrapper | None = None
    number = 0
    try:
        if gzipped:
            content = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=content)))
        _refuse_other_kinds(content.peek(16)[:16], where, encoding)
        # newline="" keeps the line ends, which the csv module needs for posts with several lines.
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
        # Closed here, because the garbage collector would warn.
        (text or content).close()
        source.close()


def json_objects(lines: Iterator[str], where: str, wanted: Sequence[str]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield number, place for errors and content of each line that is not blank; each line is an object.

    Raises InvalidPostsError for anything else, and if one of the keys `wanted` occurs twice.
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
    """Yield line, place for errors and the cells of the columns `wanted` of each CSV or TSV row that is not blank.

    Without a header, `wanted` has numbers from 1.

    Raises InvalidPostsError if a column is missing or occurs twice, and for a row of another width.
    """
    if format_ == "csv":
        # It applies to the whole process. A longer text is refused later, with the limit of a text.
        csv.field_size_limit(LONGEST_LINE)
        rows = _rows(csv.reader(lines, strict=True), where)
        remedy = "quote a text that holds a comma or a line end"
    else:
        # text/tab-separated-values has no quoting: a quotation mark is part of the text.
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
    """Return the text if the ML API accepts it.

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
    """Return the label if it is 0 or 1. `kind` is the kind of the original value.

    Raises InvalidPostsError for any other.
    """
    if type(label) is int and label in (0, 1):
        return label
    raise InvalidPostsError(f"{at}: label is {kind}: it must be 0 (fine) or 1 (a violation)", fault="label")


def kind_of(value: object) -> str:
    """Return the kind of a value, without its content."""
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
    """Return the number of columns or keys, with their names if all look like names."""
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
    """Each row with the line on which it begins: an unclosed quote is noticed only at the end of the file."""
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
    """The number 0 or 1, or the text of it, as every label of CSV is."""
    if layout.positive:
        said = json.dumps(given) if isinstance(given, bool | int) else given
        if not isinstance(said, str) or not said.strip():
            raise InvalidPostsError(f"{at}: label is {kind_of(given)}: it must be a text", fault="label")
        return int(said.strip() in layout.positive)
    label = {"0": 0, "1": 1}.get(given.strip()) if isinstance(given, str) else given
    return checked_label(label, at, kind_of(given))


def _parsed(line: str, at: str, keys: str) -> tuple[Any, list[tuple[str, Any]]]:
    """The content of a line, and the key-value pairs of its outermost object."""
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal outermost
        outermost = pairs  # the outermost object is decoded last
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
    # int() refuses thousands of digits, which are no fault in a value that is not used.
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


def _no_number(name: str) -> float:
    raise ValueError(name)


def _shown_name(name: str) -> str:
    """A name from the user's own settings, on one line."""
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
    # Without a byte order mark: the first letters, of JSON or of a header, are ASCII.
    for zeros, codec in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
        if len(zeros) > 1 and not zeros.strip(b"\0"):
            raise _wrong_encoding(f"{where}, line 1", "UTF-16", codec)


def _refuse_other_encodings(line: str, at: str) -> None:
    """Refuses text in other encodings that also decodes as UTF-8."""
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
    # From the begin of the line: two bytes of EUC-JP may be one character of UTF-8.
    sample = bytes(fault.object[fault.object.rfind(b"\n", 0, fault.start) + 1 :])
    replaced = sample.decode("utf-8", "replace")
    broken = replaced.count("\ufffd")
    if sum(character > "\x7f" for character in replaced) - broken > broken:
        return InvalidPostsError(f"{at}: not UTF-8, and damaged: most of what follows is UTF-8", fault="encoding")
    # EUC-JP first: most of it also decodes as CP932, as half-width katakana; CP932's kana are not valid EUC-JP.
    for name, codec in (("EUC-JP", "euc_jp"), ("CP932 (Shift_JIS)", "cp932")):
        try:
            # The rest may end within a character.
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
