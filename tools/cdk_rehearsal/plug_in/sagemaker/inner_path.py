"""Maps names from outside to paths below a folder of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote


class OutsideFolderError(ValueError):
    """A name leads out of the folder or is not valid on this machine. The message is one line."""


def inner_path(folder: Path, name: str) -> Path:
    """Return the path of `name`, an object's key or a container's path, below `folder`.

    Every notation of a parent folder on any system is refused, because a later reader may decode it.
    """
    decoded = unquote(name)
    for written in (name, decoded, unquote(decoded)):
        parts = written.replace("\\", "/").split("/")
        if written.startswith(("/", "\\")) or "\\" in written or "\0" in written or {".", ".."} & set(parts):
            raise OutsideFolderError(f'"{name}" is no path below a folder: it is absolute, or holds "..", "\\" or NUL')
    path = folder / name
    if not is_inside(folder, path):
        raise OutsideFolderError(f'"{name}" leads out of its folder by a link')
    return path


def is_inside(folder: Path, path: Path) -> bool:
    """Whether a path is below a folder once its links have been followed. It need not exist."""
    return path.resolve().is_relative_to(folder.resolve())


def text_inside(folder: Path, name: str) -> str:
    """Return the content of a file that a program has written to its folder. Raises OSError for a link out of it."""
    with open(os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8", errors="replace") as file:
        if not is_inside(folder, folder / name):
            raise OSError(f"{name} is reached by a link")
        return file.read().strip()
