"""The programs of the images: from this checkout, or, where `make test-containers` names images, in containers."""

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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
        shown = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", self.container],
            capture_output=True,
            text=True,
            check=False,
        )
        return int(shown.stdout) if shown.returncode == 0 else process.pid

    def remove(self) -> None:
        if self.container:
            subprocess.run(["docker", "rm", "--force", self.container], capture_output=True, check=False)


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
