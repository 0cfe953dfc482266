"""The library imports and synthesises with the oldest releases that `pyproject.toml` allows.

Runs the Python that `OLDEST_PYTHON` names: one where they are installed and the library itself is not.
"""

import os
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OLDEST_PYTHON = os.environ.get("OLDEST_PYTHON", "")
EXAMPLES = sorted(path.name for path in (PROJECT / "examples").glob("*.py"))

needs_oldest = pytest.mark.skipif(
    not OLDEST_PYTHON, reason="OLDEST_PYTHON is not set: name one, which `make oldest-environment` installs"
)


def allowed() -> dict[str, tuple[str, ...]]:
    """The oldest release of each dependency, as its numbers."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    bounds = (line.split(",")[0].split(">=") for line in project["dependencies"])
    return {name: tuple(oldest.split(".")) for name, oldest in bounds}


def run(*arguments: str | Path, **environment: str) -> str:
    library = {"PYTHONPATH": str(PROJECT / "constructs")}
    result = subprocess.run(
        [OLDEST_PYTHON, *arguments],
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


@needs_oldest
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_synthesises(example: str, tmp_path: Path) -> None:
    run(example, CDK_OUTDIR=str(tmp_path))
    assert list(tmp_path.glob("*.template.json"))


def test_this_project_itself_runs_with_what_it_allows() -> None:
    for name, oldest in allowed().items():
        assert [int(number) for number in version(name).split(".")] >= [int(number) for number in oldest]
