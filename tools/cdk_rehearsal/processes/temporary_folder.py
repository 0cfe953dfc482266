"""The temporary folder of a rehearsal and everything it starts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


class TemporaryFolder:
    """`tmp` below the work folder replaces the system's; emptied at the start, removed at the end.

    Programs that are killed leave their files behind. TMPDIR passes it to every child in any language.
    """

    def __init__(self, work_folder: Path) -> None:
        self._path = work_folder / "tmp"

    def __enter__(self) -> TemporaryFolder:
        shutil.rmtree(self._path, ignore_errors=True)
        self._path.mkdir(parents=True)
        os.environ["TMPDIR"] = str(self._path)
        tempfile.tempdir = str(self._path)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
