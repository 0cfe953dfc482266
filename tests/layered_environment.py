"""A virtual environment that sees another's packages: a wheel is installed into it in seconds, without a download."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


class LayeredEnvironment:
    """Its Python, site-packages and commands. It imports what lies in it first, then what lies in the one below it.

    An editable install of the one below is not seen: its `.pth` file is read in its own environment alone.

    Args:
        folder: where it is made.
        below: the Python of the environment below it; by default this one.
    """

    def __init__(self, folder: Path, *, below: Path = Path(sys.executable)) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        # Not resolved: the link in its `bin` is how a virtual environment's Python knows that it is one.
        subprocess.run([below, "-m", "venv", "--without-pip", folder], check=True)
        self.site_packages = _site_packages(folder)
        (self.site_packages / "below.pth").write_text(str(_site_packages(below.parents[1])))

    def pip(self, *arguments: object) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.python)]
        subprocess.run([*pip, *map(str, arguments)], check=True, capture_output=True)

    def install(self, *wheels: Path) -> None:
        self.pip("install", "--no-deps", "--no-compile", *wheels)

    def run(self, program: str, *arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the environment, `python` for one."""
        return subprocess.run(
            [self.folder / "bin" / program, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "COLUMNS": "160", **environment},
            capture_output=True,
            text=True,
        )


def _site_packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
