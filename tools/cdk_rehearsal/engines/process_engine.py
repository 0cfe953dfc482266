"""Runs an image's program as a local process, in the folder the image was built from."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdk_rehearsal.engines.container import ON_LOOPBACK, ContainerCommand, ContainerRequest, ImageError
from cdk_rehearsal.engines.dockerfile import read_dockerfile
from cdk_rehearsal.engines.image_sources import ImageSources

PYTHONS_FILE = "pythons.json"

# Variables that describe the image's file system are wrong on this machine.
_OF_THE_IMAGE = {"PATH", "HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
_OF_THIS_PYTHON = ("PYTHONPATH", "PYTHONPYCACHEPREFIX")
_ROOT = "/opt/ml/"


class ProcessEngine:
    """Replaces `python` by this Python, whose environment must contain what the programs import.

    Args:
        sources: the source folders of images.
        base_environment: the environment variables that every program inherits.
        pythons: a JSON file that maps a script to the Python that runs it instead of this one; read at each command.
    """

    def __init__(
        self, sources: ImageSources, *, base_environment: Mapping[str, str], pythons: Path | None = None
    ) -> None:
        self._sources = sources
        self._pythons = pythons
        self._base_environment = dict(base_environment)

    def command(self, request: ContainerRequest) -> ContainerCommand:
        source = self._sources.find(request.image_uri)
        program = read_dockerfile(source.dockerfile)
        defaults = () if request.entrypoint else program.arguments
        words = [*(request.entrypoint or program.entrypoint), *(request.arguments or defaults)]
        if not words:
            raise ImageError(f"{source.dockerfile} has neither ENTRYPOINT nor CMD: there is nothing to run")
        python = sys.executable
        if Path(words[0]).name in ("python", "python3", "python3.11"):
            words[0] = python = self._python_of(words)
        if request.base_folder is not None:
            words = [word.replace(_ROOT, f"{request.base_folder}/") for word in words]
        # The request has the AWS endpoint and credentials of the program.
        environment = {
            name: value
            for name, value in self._base_environment.items()
            if name not in _OF_THIS_PYTHON and not name.startswith("AWS_")
        }
        environment |= {name: value for name, value in program.environment.items() if name not in _OF_THE_IMAGE}
        environment |= request.environment
        binaries = str(Path(python).parent)
        environment |= {
            "PATH": f"{binaries}{os.pathsep}{self._base_environment.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            # No byte code is written into the source folders. It is not redirected to another folder either: then each
            # rehearsal would compile every installed package again.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if request.base_folder is not None:
            environment["SAGEMAKER_BASE_DIR"] = str(request.base_folder)
        if request.port is not None:
            environment |= {**ON_LOOPBACK, request.port_variable: str(request.port)}
        return ContainerCommand(command=tuple(words), environment=environment, cwd=source.directory)

    def _python_of(self, words: Sequence[str]) -> str:
        if self._pythons is None or not self._pythons.exists():
            return sys.executable
        pythons: dict[str, str] = json.loads(self._pythons.read_text())
        return next((pythons[word] for word in words if word in pythons), sys.executable)
