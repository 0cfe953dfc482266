"""Opens files that may be compressed with gzip, whatever their name."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

# The exceptions of reading a damaged or missing file.
UNREADABLE = (OSError, EOFError, zlib.error)
_GZIP = b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """Opens the file's uncompressed content.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    if is_compressed:
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path) -> io.TextIOWrapper:
    """The same, as UTF-8 text."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")
