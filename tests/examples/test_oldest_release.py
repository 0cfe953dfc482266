"""The library imports and synthesises with the oldest releases that `pyproject.toml` allows.

Runs the Python that `OLDEST_PYTHON` names: one where they are installed and the library itself is not.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
OLDEST_PYTHON = os.environ.get("OLDEST_PYTHON", "")
EXAMPLES = sorted(path.name for path in (PROJECT / "examples").glob("*.py"))
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")

needs_oldest = pytest.mark.skipif(
    not OLDEST_PYTHON, reason="OLDEST_PYTHON is not set: name one, which `make oldest-environment` installs"
)


def allowed() -> dict[str, tuple[str, ...]]:
    """The oldest release of each dependency, as its numbers."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    bounds = (line.split(",")[0].split(">=") for line in project["dependencies"])
    return {name: tuple(oldest.split(".")) for name, oldest in bounds}


def run(*arguments: str | Path, python: str = OLDEST_PYTHON, **environment: str) -> str:
    library = {"PYTHONPATH": str(PROJECT / "constructs")}
    result = subprocess.run(
        [python, *arguments],
        cwd=PROJECT / "examples",
        env={**os.environ, **library, **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@needs_oldest
def test_they_are_the_oldest() -> None:
    names = list(allowed())
    program = f"from importlib.metadata import version; print(*map(version, {names}))"
    for name, found in zip(names, run("-c", program).split(), strict=True):
        oldest = allowed()[name]
        numbers = [*found.split("."), "0", "0"]
        assert tuple(numbers[: len(oldest)]) == oldest
        assert set(found.split(".")[len(oldest) :]) <= {"0"}


def resources(python: str, folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Type and properties of each resource by its logical id, of every example's templates; all in one process."""
    program = "import runpy, sys; [runpy.run_path(name, run_name='__main__') for name in sys.argv[1:]]"
    run("-c", program, *EXAMPLES, python=python, CDK_OUTDIR=str(folder))
    templates = {path.name: ASSET_HASH.sub("<hash>", path.read_text()) for path in folder.glob("*.template.json")}
    return {
        name: {
            logical_id: {"Type": resource["Type"], "Properties": resource.get("Properties", {})}
            for logical_id, resource in json.loads(template)["Resources"].items()
            if resource["Type"] != "AWS::CDK::Metadata"
        }
        for name, template in templates.items()
    }


@needs_oldest
def test_ids_and_properties_are_those_of_the_newest_releases(tmp_path: Path) -> None:
    oldest = resources(OLDEST_PYTHON, tmp_path / "oldest")
    assert len(oldest) >= len(EXAMPLES)
    assert oldest == resources(sys.executable, tmp_path / "newest")


def test_this_project_itself_runs_with_what_it_allows() -> None:
    for name, oldest in allowed().items():
        assert [int(number) for number in version(name).split(".")] >= [int(number) for number in oldest]
