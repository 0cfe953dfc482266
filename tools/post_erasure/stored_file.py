"""Removes posts from a file: JSON lines, CSV or an archive of such files, gzipped or not."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Literal, cast

from post_erasure.wanted_posts import WantedPosts

_GZIP: Final = b"\x1f\x8b"
_LARGEST_DOCUMENT: Final = 16 << 20
_LARGEST_FIELD: Final = 1 << 27
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_BINARY: Final = (".onnx", ".bin", ".pt", ".pth", ".safetensors", ".npz", ".npy", ".parquet", ".tar", ".zip")


class NotReadableError(Exception):
    """It is unknown whether a post is in the file; the message is the reason, without any content."""


class NotDivisibleError(Exception):
    """A post is in the file and cannot be removed from it."""


def take_out(source: Path, target: Path, name: str, wanted: WantedPosts) -> int:
    """Write `source`, with the name `name`, without the posts to `target`; return the number of removed posts.

    Raises:
        NotReadableError: the format is unknown.
        NotDivisibleError: it is one JSON document without lines.
    """
    with source.open("rb") as file:
        gzipped = file.read(2) == _GZIP
    plain = name.lower().removesuffix(".gz")
    if plain.endswith((".tar", ".tgz")):
        return _archive(source, target, wanted, gzipped=gzipped)
    try:
        with _opened(source, gzipped) as given, _made(target, gzipped) as written:
            if Path(plain).suffix in _DELIMITERS:
                return _rows(given, written, wanted, delimiter=_DELIMITERS[Path(plain).suffix])
            return _json(given, written, wanted)
    except UnicodeDecodeError:
        raise NotReadableError("it is not UTF-8") from None
    except (OSError, EOFError, zlib.error) as fault:
        raise NotReadableError(f"it cannot be unpacked ({type(fault).__name__})") from None


@contextlib.contextmanager
def _opened(path: Path, gzipped: bool) -> Iterator[IO[str]]:
    # Keeps line ends: a post with several lines has them in a field.
    if gzipped:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield cast(IO[str], file)
    else:
        with path.open(encoding="utf-8", newline="") as file:
            yield file


@contextlib.contextmanager
def _made(path: Path, gzipped: bool) -> Iterator[IO[str]]:
    if gzipped:
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            yield cast(IO[str], file)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file


def _rows(given: IO[str], written: IO[str], wanted: WantedPosts, *, delimiter: str) -> int:
    csv.field_size_limit(_LARGEST_FIELD)
    found = 0
    try:
        header: list[str] | None = None
        for fields, lines in _row_lines(given, delimiter):
            if header is None:
                header = [name.removeprefix("\ufeff").strip() for name in fields]
                written.writelines(lines)
                continue
            if fields and len(fields) != len(header):
                raise NotReadableError("a row of it has another number of fields than its header")
            # Other columns contain no posts: a label may be the same word as a post.
            if wanted.is_in(dict(zip(header, fields, strict=False))):
                found += 1
            else:
                # Unchanged, including quotes and line ends.
                written.writelines(lines)
    except csv.Error as fault:
        raise NotReadableError(f"it is no CSV ({fault})") from None
    return found


def _row_lines(given: IO[str], delimiter: str) -> Iterator[tuple[list[str], list[str]]]:
    """The fields and the lines of each row: a quoted field may span several lines."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in given:
            taken.append(line)
            yield line

    # A TSV has no quoting, as in the state Extract: a quotation mark is a part of the text.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    for row in csv.reader(lines(), delimiter=delimiter, quoting=quoting, strict=True):
        yield row, list(taken)
        taken.clear()


def _json(given: IO[str], written: IO[str], wanted: WantedPosts) -> int:
    found = 0
    before: list[str] = []
    size = 0
    for line in given:
        size += len(line)
        before.append(line)
        if not line.strip():
            continue
        try:
            content = json.loads(line.removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            if found or size > _LARGEST_DOCUMENT:
                raise NotReadableError("a line of it is no JSON") from None
            return _document(before, given, wanted)
        if wanted.is_in(content):
            found += 1
            before.pop()
        if size > _LARGEST_DOCUMENT or found:
            written.writelines(before)
            before.clear()
    written.writelines(before)
    return found


def _document(before: list[str], rest: IO[str], wanted: WantedPosts) -> int:
    text = "".join([*before, rest.read(_LARGEST_DOCUMENT)])
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise NotReadableError("it is neither JSON nor CSV") from None
    if wanted.is_in(content):
        raise NotDivisibleError
    return 0


def _archive(source: Path, target: Path, wanted: WantedPosts, *, gzipped: bool) -> int:
    """Filters the files of an archive that may contain posts; models' weights are copied unchanged."""
    found = 0
    inner_given, inner_written = target.with_suffix(".inner"), target.with_suffix(".inner-written")
    try:
        with (
            tarfile.open(source) as given,
            tarfile.open(target, "w:gz" if gzipped else "w") as written,
        ):
            for member in given:
                content = given.extractfile(member) if member.isfile() else None
                if content is None or member.name.endswith(_BINARY):
                    written.addfile(member, content)
                    continue
                with inner_given.open("wb") as file:
                    shutil.copyfileobj(content, file)
                chosen = inner_given
                try:
                    if here := take_out(inner_given, inner_written, member.name, wanted):
                        found += here
                        chosen = inner_written
                except NotReadableError:
                    pass  # a vocabulary or a program's own format, no posts
                member.size = chosen.stat().st_size
                with chosen.open("rb") as file:
                    written.addfile(member, file)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as fault:
        raise NotReadableError(f"it is no archive ({type(fault).__name__})") from None
    finally:
        inner_given.unlink(missing_ok=True)
        inner_written.unlink(missing_ok=True)
    return found
