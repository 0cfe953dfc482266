"""What the pages for other teams have a reader run is run: from the wheels, in a folder that is not this repository.

In a block of `console` a line that begins with `$ ` is a command, and what follows is its output; a line `…` stands for
any lines. A block of `json` before them is the folder's cdk.json. Other blocks need an account, and are not run.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[2]
PAGES = ["migrate-a-service", "come-from-copilot", "deploy-to-many-accounts", "upgrade"]
BLOCK = re.compile(r"^```(?P<language>console|json)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"<!-- example: (\S+) -->")
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def commands_of(console: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found, f"the output of no command: {line}"
            found[-1][1].append(line)
    return found


def shows(shown: list[str], printed: list[str]) -> bool:
    """Whether `printed` is what was shown, where a line `…` stands for any lines."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in shown)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_what_it_shows(consumer: LayeredEnvironment, tmp_path: Path, name: str) -> None:
    page = (PROJECT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for example in SHOWN.findall(page):
        shutil.copy(PROJECT / example, tmp_path)
    # A team's own: the `cdk` command, and what cdk-review asks what is replaced.
    (tmp_path / "node_modules").symlink_to(PROJECT / "node_modules")
    path = [consumer.folder / "bin", tmp_path / "node_modules" / ".bin", os.environ["PATH"]]
    # Where CI is set, the CDK prints its notices into a command's output; a reader's pytest is no worker of this one.
    inherited = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("PYTEST_")}
    run = 0
    for block in BLOCK.finditer(page):
        if block["language"] == "json":
            (tmp_path / "cdk.json").write_text(block["text"])
            continue
        for command, shown in commands_of(block["text"]):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env={**inherited, "PATH": os.pathsep.join(map(str, path)), "COLUMNS": "160", "NO_COLOR": "1"},
                capture_output=True,
                text=True,
            )
            printed = [line.rstrip() for line in COLOR.sub("", done.stdout).splitlines()]
            assert shows(shown, printed), f"$ {command}\n{done.stdout}{done.stderr}"
            run += 1
    assert run


def test_lines_that_are_shown_have_to_be_printed() -> None:
    assert shows(["one", "…", "four"], ["one", "two", "three", "four"])
    assert shows(["…"], [])
    assert not shows(["one", "…", "four"], ["one", "two"])
    assert not shows(["one"], ["one", "two"])
    assert not shows([], ["replace"])
