"""The real CDK CLI, pointed at the embedded AWS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cdk_rehearsal.processes.process_registry import ProcessRegistry
from cdk_rehearsal.processes.supervised_process import SupervisedProcess
from cdk_rehearsal.step_failure import StepError

_POLL_SECONDS = 0.1


class CdkCommand:
    """Args:
    app_folder: the folder of cdk.json. The CLI is searched for in its node_modules, in those of its parent folders,
        then on PATH.
    environment: the environment variables of the CLI and the app. The folder of this Python comes first on PATH.
    alive: returns False once the embedded AWS has ended; the CLI is stopped then.
    """

    def __init__(
        self,
        *,
        app_folder: Path,
        environment: Mapping[str, str],
        registry: ProcessRegistry,
        alive: Callable[[], bool],
    ) -> None:
        binaries = Path(sys.executable).parent
        path = f"{binaries}{os.pathsep}{environment.get('PATH', os.defpath)}"
        self._program = find_cdk(app_folder, path)
        self._environment = {
            **environment,
            "PATH": path,
            "CI": "1",  # progress goes to standard output, and the CLI never waits for input
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        }
        self._registry = registry
        self._alive = alive

    def run(
        self, arguments: Sequence[str], *, cwd: Path, log: Path, on_line: Callable[[str], None] | None = None
    ) -> None:
        """Raises StepError with the CLI's last lines of output."""
        self.start(arguments, cwd=cwd, log=log).finish(on_line)

    def start(self, arguments: Sequence[str], *, cwd: Path, log: Path) -> CdkRun:
        """Runs the command in the background, until `finish` or `stop` is called."""
        log.unlink(missing_ok=True)
        process = SupervisedProcess(
            [self._program, *arguments, "--no-color", "--no-notices"],
            log=log,
            environment=self._environment,
            cwd=cwd,
            registry=self._registry,
        )
        return CdkRun(f"cdk {arguments[0]}", process, alive=self._alive)


class CdkRun:
    """One running command of the CLI."""

    def __init__(self, name: str, process: SupervisedProcess, *, alive: Callable[[], bool]) -> None:
        self._name = name
        self._process = process
        self._alive = alive

    def finish(self, on_line: Callable[[str], None] | None = None) -> None:
        """Waits until the command ends. Raises StepError with the CLI's last lines of output."""
        log = self._process.log
        shown = 0
        try:
            while (status := _wait(self._process)) is None:
                shown = _show(log, shown, on_line)
                if not self._alive():
                    raise StepError("the embedded AWS ended while the CDK was at work", log=log)
            _show(log, shown, on_line)
        finally:
            self.stop()
        if status != 0:
            raise StepError(f"{self._name} ended with status {status}:\n{_last_words(log)}", log=log)

    def stop(self) -> None:
        self._process.stop()


def find_cdk(app_folder: Path, path: str) -> str:
    """Raises StepError where there is no CDK CLI."""
    for folder in (app_folder, *app_folder.parents):
        candidate = folder / "node_modules" / ".bin" / "cdk"
        if candidate.exists():
            return str(candidate)
    found = shutil.which("cdk", path=path)
    if found is None:
        raise StepError(
            f"there is no CDK CLI: neither node_modules/.bin/cdk in {app_folder} or above, nor cdk on PATH; "
            "run `make setup`, or `npm install aws-cdk`"
        )
    return found


def _wait(process: SupervisedProcess) -> int | None:
    try:
        return process.wait(timeout_seconds=_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _show(log: Path, offset: int, on_line: Callable[[str], None] | None) -> int:
    with log.open("rb") as file:
        file.seek(offset)
        text = file.read()
    complete = text[: text.rfind(b"\n") + 1]
    if on_line is not None:
        for line in complete.decode(errors="replace").splitlines():
            on_line(line)
    return offset + len(complete)


def _last_words(log: Path) -> str:
    kept = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(kept[-15:])
