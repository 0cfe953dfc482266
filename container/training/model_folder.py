"""Fills the model folder all at once, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "manifest.json"


@contextmanager
def filled_at_once(folder: Path) -> Iterator[Path]:
    """Gives a folder to write into, and moves what is in it to `folder` when the block ends without an error.

    The manifest moves last and an old one goes first, so that files beside a manifest always belong to it. After an
    error nothing is left.
    """
    # Inside, because a rename needs one file system and SageMaker mounts the model folder by itself.
    incoming = folder / ".incoming"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    try:
        yield incoming
        (folder / MANIFEST).unlink(missing_ok=True)
        for path in sorted(incoming.iterdir(), key=lambda path: path.name == MANIFEST):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(incoming)
