"""One rehearsal at a time in one work folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from cdk_rehearsal.step_failure import InvalidInputError


class RunLock:
    """Held until the process ends, even if it is killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> RunLock:
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise InvalidInputError(
                f"another rehearsal (process {holder}) is at work in {self._path.parent}; end it, or give another "
                "--work-folder"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
