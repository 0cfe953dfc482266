"""Records the process groups of a run in a folder, so that a later run can end leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path


class ProcessRegistry:
    """One file per process group, named after its id, with its start time.

    A process id alone is not enough, because the system reuses it; the start time shows whether the process with that
    id is still the recorded one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, group_id: int) -> None:
        started = _started(group_id)
        if started:
            (self._folder / str(group_id)).write_text(started)

    def remove(self, group_id: int) -> None:
        (self._folder / str(group_id)).unlink(missing_ok=True)

    def reclaim(self) -> list[int]:
        """Ends every recorded group that is still running; returns their ids."""
        ended = []
        for record in sorted(self._folder.iterdir()):
            if not record.name.isdigit():
                continue
            group_id = int(record.name)
            if _started(group_id) == record.read_text() != "":
                try:
                    os.killpg(group_id, signal.SIGKILL)
                    ended.append(group_id)
                except (ProcessLookupError, PermissionError):
                    pass
            record.unlink(missing_ok=True)
        return ended


def _started(pid: int) -> str:
    """When the process started, in the format of `ps` (Linux and macOS); empty if there is no such process."""
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()
