"""The programs of the images: from this checkout, or, where `make test-containers` names images, in containers."""

import importlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.botocore_calls import judged_calls as judged_calls

CONTAINERS = Path(__file__).resolve().parents[2] / "container"


@dataclass(frozen=True, kw_only=True)
class Program:
    """How to start a program: its command line, what it finds in the environment, and how to end it for certain."""

    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    container: str = ""

    def pid(self, process: subprocess.Popen[bytes]) -> int:
        """Of the program itself, which in a container is no child of the process that was started."""
        if not self.container:
            return process.pid
        shown = self._docker("inspect", "--format", "{{.State.Pid}}", self.container)
        return int(shown.stdout) if shown.returncode == 0 else process.pid

    def user(self, process: subprocess.Popen[bytes]) -> int:
        """The number of the user that the program runs as."""
        return Path(f"/proc/{self.pid(process)}").stat().st_uid

    def is_healthy(self) -> bool:
        """What the image's own health check says, without the wait for Docker to ask it."""
        shown = self._docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", self.container)
        kind, *command = json.loads(shown.stdout)
        assert kind == "CMD"
        return self._docker("exec", self.container, *command).returncode == 0

    def finds(self, *programs: str) -> list[str]:
        """Those of the programs that are in the container, anywhere on its PATH."""
        script = 'for name; do command -v "$name"; done; true'
        return self._docker("exec", self.container, "sh", "-c", script, "sh", *programs).stdout.split()

    @staticmethod
    def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)

    def remove(self) -> None:
        if self.container:
            self._docker("rm", "--force", self.container)


@dataclass(frozen=True)
class Programs:
    """Of one image, which has its program's folder below container/."""

    folder: str
    program: str
    image: str = field(default="")

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, mounts: Mapping[Path, str] | None = None
    ) -> Program:
        """The program with `arguments` and nothing of this process's environment but what `environment` says.

        `mounts` are paths of this machine and where a container sees them; those that end in `:ro` it cannot change.
        """
        if not self.image:
            return Program(
                command=[sys.executable, str(CONTAINERS / self.folder / self.program), *arguments],
                environment={"PATH": os.environ["PATH"], **environment},
                cwd=CONTAINERS / self.folder,
            )
        name = f"test-{self.folder}-{uuid.uuid4().hex[:12]}"
        words = ["docker", "run", "--rm", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp"]
        for path, seen_as in (mounts or {}).items():
            words += ["--volume", f"{path}:{seen_as}"]
        for variable in sorted(environment):
            words += ["--env", variable]
        return Program(
            command=[*words, self.image, *arguments],
            environment={**os.environ, **environment},
            cwd=CONTAINERS,
            container=name,
        )


@pytest.fixture(scope="session")
def inference_programs() -> Programs:
    return Programs("inference", "serve.py", os.environ.get("INFERENCE_IMAGE", ""))


@pytest.fixture(scope="session")
def api_programs() -> Programs:
    return Programs("api", "start_api.py", os.environ.get("API_IMAGE", ""))


@pytest.fixture(scope="session")
def training_programs() -> Programs:
    return Programs("training", "train.py", os.environ.get("TRAINING_IMAGE", ""))


@pytest.fixture
def inference_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the inference image's own code: `inference_module("preprocessing")`."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(CONTAINERS / "inference")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(CONTAINERS)):
            del sys.modules[name]
