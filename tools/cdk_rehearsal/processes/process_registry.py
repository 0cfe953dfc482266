"""Which process groups a run has started, kept in a folder so that whoever comes later can end what was left."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path


class ProcessRegistry:
    """One file a process group: named after its id, holding when it started.

    A process id alone proves nothing, for the system hands it out again; the start time shows whether the process of
    that id is still the one that was recorded.
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
        """Ends every recorded group that still lives; returns their ids."""
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
    """When the process started, as `ps` prints it on Linux and macOS alike; empty where there is no such process."""
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()
