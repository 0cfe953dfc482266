"""Runs one command so that no process it starts outlives the command or the process that requested it.

`python -I -S supervisor.py [--processes FOLDER] -- COMMAND …`, with a pipe as standard input. When COMMAND ends,
whatever its exit status, or when the pipe closes because its owner died, every descendant of COMMAND is ended too. The
exit status is COMMAND's.

It imports only a small part of the standard library: one supervisor runs per command, as long as the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_SECONDS = 3.0
_LINUX = sys.platform == "linux"


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _start(command: list[str]) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        if _LINUX:  # last resort: the command ends even if this process is killed by SIGKILL
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _parents() -> dict[int, int]:
    """Every process of the machine and its parent."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def _descendants() -> list[int]:
    """All running descendants of this process, including orphans, which it adopts."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    pending = [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _reap() -> dict[int, int]:
    """Reaps ended processes: process id and wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def _end_all(command: int, registry: Path | None) -> int | None:
    """Sends SIGTERM to the command, then ends it and all descendants.

    Returns its wait status if it had not ended before.
    """
    status: int | None = None
    _signal([command], signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline:
        ended = _reap()
        status = ended.get(command, status)
        try:
            os.kill(command, 0)
        except ProcessLookupError:
            break
        time.sleep(0.02)
    if _LINUX:
        while left := _descendants():
            _signal(left, signal.SIGKILL)
            status = _reap().get(command, status)
            time.sleep(0.01)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(command, signal.SIGKILL)
        status = _reap().get(command, status)
    if registry is not None and registry.is_dir():
        _end_recorded(registry)
    return status


def _end_recorded(registry: Path) -> None:
    # Where orphans cannot be adopted, the records identify them; elsewhere the records are only cleared.
    for record in registry.iterdir():
        if record.name.isdigit() and not _LINUX:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(int(record.name), signal.SIGKILL)
        record.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    registry: Path | None = None
    if arguments[:1] == ["--processes"]:
        registry = Path(arguments[1])
        arguments = arguments[2:]
    if arguments[:1] != ["--"] or len(arguments) < 2:
        sys.stderr.write("usage: supervisor.py [--processes FOLDER] -- COMMAND …\n")
        return 64
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    command = _start(arguments[1:])
    status: int | None = None
    while status is None and not stopping:
        ready, _, _ = select.select([0, wake], [], [], 1.0)
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and not os.read(0, 4096):
            stopping.append(signal.SIGTERM)
        status = _reap().get(command)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    late = _end_all(command, registry)
    status = late if status is None else status
    return 128 + stopping[0] if status is None and stopping else os.waitstatus_to_exitcode(status or 0) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
