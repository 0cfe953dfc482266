"""Refuses a release whose wheels have another version than the tag or link to another repository.

`python tools/release_check.py dist`, in GitHub's environment: GITHUB_REF_NAME, GITHUB_SERVER_URL, GITHUB_REPOSITORY.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping
from email.parser import Parser
from pathlib import Path

WHEELS = 2


def faults(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """The faults of the wheels in `folder`, one line each."""
    version = environment["GITHUB_REF_NAME"].removeprefix("v")
    repository = f"{environment['GITHUB_SERVER_URL']}/{environment['GITHUB_REPOSITORY']}"
    wheels = sorted(folder.glob("*.whl"))
    found = (
        [] if len(wheels) == WHEELS else [f"{folder}: got {len(wheels)} wheels, allowed: {WHEELS}; run `make wheel`"]
    )
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as file:
            (name,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
            metadata = Parser().parsestr(file.read(name).decode())
        if metadata["Version"] != version:
            found.append(
                f"{wheel.name}: got version {metadata['Version']}, allowed: the tag's, {version}; "
                "change both pyproject.toml and both __version__"
            )
        links = dict(link.split(", ", 1) for link in metadata.get_all("Project-URL", []))
        if links.get("Homepage") != repository:
            found.append(
                f"{wheel.name}: got the homepage {links.get('Homepage')}, allowed: {repository}; "
                "change [project.urls] of both pyproject.toml"
            )
    return found


def main() -> None:
    """Prints the faults; exits with status 1 if there are any."""
    found = faults(Path(sys.argv[1]), os.environ)
    for line in found:
        print(line, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
