"""Reads the output of the job that makes a review, as untrusted data."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from fargate_capacity.input_error import InputError

MOST_ARCHIVE_BYTES = 60_000_000
MOST_PAGE_BYTES = 400_000
MOST_PICTURE_BYTES = 4_000_000
MOST_PICTURES = 40
PNG = b"\x89PNG\r\n\x1a\n"
PICTURE_NAME = re.compile(r"pictures/[A-Za-z0-9._-]{1,150}\.png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The output of a run: the page, and its pictures by path."""

    page: str
    pictures: Mapping[str, bytes]


def read_review(archive: bytes, *, folder: str = "") -> Review:
    """Reads the page and the pictures of a ZIP file; ignores all other files.

    Args:
        archive: the ZIP file.
        folder: a folder in the archive, with a trailing slash.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            names = {name.removeprefix(folder) for name in opened.namelist() if name.startswith(folder)}
            if "review.md" not in names:
                raise InputError("artifact: no review.md in it; nothing is posted")
            page = _member(opened, f"{folder}review.md", MOST_PAGE_BYTES)
            wanted = sorted({name for name in names if PICTURE_NAME.fullmatch(name) and ".." not in name})
            pictures = {name: _member(opened, f"{folder}{name}", MOST_PICTURE_BYTES) for name in wanted[:MOST_PICTURES]}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as fault:
        raise InputError(f"artifact: no ZIP file that can be read ({type(fault).__name__})") from None
    return Review(
        page=page.decode("utf-8", errors="replace"),
        pictures={name: content for name, content in pictures.items() if content.startswith(PNG)},
    )


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    # The size that the archive declares is not trusted.
    with archive.open(name) as member:
        content = member.read(most + 1)
    if len(content) > most:
        raise InputError(f"artifact: {name} has more than {most:,} bytes; nothing is posted")
    return content
