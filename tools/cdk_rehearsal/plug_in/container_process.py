"""A running program of an image, in the emulator's process tree."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from cdk_rehearsal.engines import ContainerCommand
from cdk_rehearsal.processes.process_registry import ProcessRegistry


class ContainerProcess:
    """Started on construction, in a process group of its own, so that its workers can be ended with it."""

    def __init__(self, command: ContainerCommand, *, log: Path, registry: ProcessRegistry) -> None:
        self.log = log
        self._command = command
        self._registry = registry
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command.command,
                env=dict(command.environment),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        registry.add(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, *, timeout_seconds: float) -> int | None:
        """The exit status, or None if the program still runs after the timeout."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, grace_seconds: float = 5.0) -> None:
        """Sends SIGTERM to the group, SIGKILL after the grace period, and cleans up. May be called repeatedly."""
        self._signal(signal.SIGTERM)
        self.wait(timeout_seconds=grace_seconds)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._registry.remove(self._process.pid)
        if self._command.clean_up:
            subprocess.run(
                self._command.clean_up, env=dict(self._command.environment), capture_output=True, check=False
            )

    def log_tail(self, *, lines: int = 5) -> str:
        if self.log.is_symlink():  # the program created it
            return ""
        kept = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return "\n".join(kept[-lines:])

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
