"""A command under the supervisor: it ends with this process, together with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdk_rehearsal.processes.process_registry import ProcessRegistry

_SUPERVISOR = Path(__file__).with_name("supervisor.py")


class SupervisedProcess:
    """Started on construction; `stop` ends it and all its descendants and returns when none is left."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        registry: ProcessRegistry | None = None,
        inner_processes: Path | None = None,
    ) -> None:
        self.log = log
        self._registry = registry
        recorded = ["--processes", str(inner_processes)] if inner_processes else []
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SUPERVISOR), *recorded, "--", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ if environment is None else environment),
                cwd=cwd,
                start_new_session=True,  # only its owner forwards the terminal's Ctrl-C
            )
        if registry:
            registry.add(self._process.pid)

    @property
    def pid(self) -> int:
        """The supervisor's process id; the command is its child."""
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, *, timeout_seconds: float | None = None) -> int:
        """The command's exit status; raises `subprocess.TimeoutExpired`."""
        status = self._process.wait(timeout_seconds)
        self._forget()
        return status

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        if self._registry:
            self._registry.remove(self._process.pid)

    def log_tail(self, *, lines: int = 20) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
