"""The number of CPU cores that this container may use."""

from __future__ import annotations

import os
from pathlib import Path


def available_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the number of cores that this process may run on, limited by the container's CPU quota; at least 1.

    ONNX Runtime and gunicorn see all cores of the host; a container limited to 2 of 64 is very slow with 64 threads.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(cores, int(quota))) if quota else cores


def _quota(cgroup: Path) -> float | None:
    """Return the CPU quota in cores, from cgroup version 2 or else 1; None if there is no quota."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except OSError:
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return None if limit in ("max", "-1") else int(limit) / int(period)
