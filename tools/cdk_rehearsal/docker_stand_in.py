"""The program that the CDK CLI calls as docker (`CDK_DOCKER`) during a rehearsal.

`docker_stand_in.py ENGINE DOCKER ARGUMENT …`. Nothing is ever pushed, because the embedded AWS stores no images. With
the engine `docker`, the real DOCKER builds and tags the images. With `process`, nothing is built: the programs run from
their source folders.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    engine, docker, *call = arguments
    name = call[0] if call else ""
    if name == "login":
        sys.stdin.read()  # reads the password: the CLI that writes it expects this
        return 0
    if name == "push":
        return 0
    if engine == "docker":
        # It only sets the kind of manifest that is pushed, and some builders do not know this option.
        call = [word for word in call if word != "--output=type=docker"]
        if name == "build" and os.environ.get("BASE_IMAGE"):
            call[1:1] = ["--build-arg", "BASE_IMAGE"]  # docker reads the value from the environment
        os.execvp(docker, [docker, *call])
    if name == "build":
        return _check(call)
    # The CLI asks whether the image exists before it builds; none exists until it was "built".
    return 1 if name == "inspect" or call[:2] == ["image", "inspect"] else 0


def _check(call: list[str]) -> int:
    """Refuses a build without a Dockerfile, as docker does."""
    folder = Path(call[-1])
    file = folder / (call[call.index("--file") + 1] if "--file" in call else "Dockerfile")
    if not file.is_file():
        sys.stderr.write(f"there is no {file}\n")
        return 1
    return 0


def write_program(path: Path, *, engine: str, docker: str) -> Path:
    """Writes the stand-in as one executable file: `CDK_DOCKER` can name only a file, no arguments."""
    words = (sys.executable, "-I", "-S", str(Path(__file__)), engine, docker)
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in words) + ' "$@"\n')
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
