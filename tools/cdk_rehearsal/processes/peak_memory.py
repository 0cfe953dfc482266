"""The peak memory of this process and all its descendants."""

from __future__ import annotations

import os
import subprocess
import threading

_INTERVAL_SECONDS = 0.5


class PeakMemory:
    """Samples resident memory twice per second; counts shared pages once per process. Use it as a context manager."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL_SECONDS):
            self.peak_mib = max(self.peak_mib, _tree_mib(os.getpid()))


def _tree_mib(root: int) -> float:
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for pid, parent, kib in _processes():
        children.setdefault(parent, []).append(pid)
        resident[pid] = kib
    total = 0
    pending = [root]
    while pending:
        pid = pending.pop()
        total += resident.get(pid, 0)
        pending += children.get(pid, [])
    return total / 1024


def _processes() -> list[tuple[int, int, int]]:
    """Process id, parent and resident KiB of all processes; the same on Linux and macOS."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False)
    rows = (line.split() for line in listed.stdout.splitlines())
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows if len(row) == 3]
