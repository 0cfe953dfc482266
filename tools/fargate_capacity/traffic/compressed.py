"""Files that may be compressed with gzip, whatever they are called."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

# What reading a damaged or a missing file raises.
UNREADABLE = (OSError, EOFError, zlib.error)
_GZIP = b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """The file's content, unpacked.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    if is_compressed:
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path) -> io.TextIOWrapper:
    """Likewise, as text in UTF-8."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")
