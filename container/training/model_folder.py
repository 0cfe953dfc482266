"""Fills the model folder completely or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "manifest.json"


@contextmanager
def filled_at_once(folder: Path) -> Iterator[Path]:
    """Yield a folder to write into; move its content to `folder` if the block ends without an error.

    An old manifest is deleted first and the new one moves last, so that the files beside a manifest always belong to
    it. After an error nothing of the new model remains.
    """
    # Inside `folder`, because a rename needs one file system and SageMaker mounts the model folder separately.
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
