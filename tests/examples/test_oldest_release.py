"""Every example in one app, with the oldest releases that `pyproject.toml` allows, and with cdk-nag 2.

Runs on the Python that `OLDEST_PYTHON` names: one where they are installed and the library itself is not.
"""

import json
import os
import re
import tomllib
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.consumers_app import EXAMPLES, assemblies, flags, templates_of, write_app
from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[2]
SNAPSHOTS = Path(__file__).parent / "__snapshots__" / "test_examples"
OLDEST_PYTHON = os.environ.get("OLDEST_PYTHON", "")
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b|<asset hash>")
ALLOWED: dict[str, dict[str, str]] = yaml.safe_load((Path(__file__).parent / "allowed_differences.yaml").read_text())
CARELESS = """
import aws_cdk as cdk
from aws_cdk import aws_s3 as s3


def add_to(app: cdk.App) -> None:
    s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")
"""

needs_oldest = pytest.mark.skipif(
    not OLDEST_PYTHON, reason="OLDEST_PYTHON is not set: name one, which `make oldest-environment` installs"
)


def allowed() -> dict[str, tuple[str, ...]]:
    """The oldest release of each dependency, as its numbers."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    bounds = (line.split(",")[0].split(">=") for line in project["dependencies"])
    return {name: tuple(oldest.split(".")) for name, oldest in bounds}


@pytest.fixture(scope="module")
def environment(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> LayeredEnvironment:
    """The wheels on top of the oldest releases."""
    oldest = LayeredEnvironment(tmp_path_factory.mktemp("oldest") / ".venv", below=Path(OLDEST_PYTHON))
    oldest.install(*wheels)
    return oldest


@pytest.fixture(scope="module")
def app(environment: LayeredEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's folder, where it was synthesised."""
    folder = tmp_path_factory.mktemp("app") / "platform"
    write_app(folder, cdk_nag=2, more={"careless": CARELESS})
    result = environment.run("python", "app.py", cwd=folder, CDK_CONTEXT_JSON=json.dumps(flags()))
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@needs_oldest
def test_they_are_the_oldest(environment: LayeredEnvironment, tmp_path: Path) -> None:
    names = list(allowed())
    program = f"from importlib.metadata import version; print(*map(version, {names}))"
    for name, found in zip(names, environment.run("python", "-c", program, cwd=tmp_path).stdout.split(), strict=True):
        oldest = allowed()[name]
        numbers = [*found.split("."), "0", "0"]
        assert tuple(numbers[: len(oldest)]) == oldest
        assert set(found.split(".")[len(oldest) :]) <= {"0"}


def resources(templates: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Type, properties and checkov's reasons of each resource, by template and logical id."""
    masked: dict[str, Any] = json.loads(ASSET_HASH.sub("<hash>", json.dumps(templates)))
    return {
        name: {
            logical_id: {
                "type": resource["Type"],
                "checkov": resource.get("Metadata", {}).get("checkov"),
                **resource.get("Properties", {}),
            }
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] != "AWS::CDK::Metadata"
        }
        for name, template in masked.items()
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """`resource` where one of the two has none, else `resource/property`."""
    absent = old.keys() ^ new.keys()
    return absent | {
        f"{logical_id}/{name}"
        for logical_id in old.keys() & new.keys()
        for name in old[logical_id].keys() | new[logical_id].keys()
        if old[logical_id].get(name) != new[logical_id].get(name)
    }


@needs_oldest
@pytest.mark.parametrize("example", EXAMPLES)
def test_ids_and_properties_are_those_of_the_newest_releases(app: Path, example: str) -> None:
    reviewed = SNAPSHOTS / f"test_example_is_what_was_reviewed[{example}.py].json"
    old, new = resources(templates_of(app, example)), resources(json.loads(reviewed.read_text()))
    assert old.keys() == new.keys()
    assert {name: differences(old[name], new[name]) for name in new} == {
        name: set(ALLOWED.get(name, {})) for name in new
    }


def test_each_allowed_difference_has_its_reason() -> None:
    assert all(re.fullmatch(r"[A-Z].{30,}\.", reason) for found in ALLOWED.values() for reason in found.values())


def findings(app: Path) -> dict[str, set[str]]:
    """The rules by which cdk-nag 2 reports something, by stack."""
    found: dict[str, set[str]] = {}
    for manifest in (path for assembly in assemblies(app) for path in assembly.rglob("manifest.json")):
        for name, artifact in json.loads(manifest.read_text())["artifacts"].items():
            for entry in chain.from_iterable(artifact.get("metadata", {}).values()):
                rule = re.match(r"[\w.-]+-\w+(?=[\[:])", str(entry.get("data")))
                if entry["type"] in {"aws:cdk:error", "aws:cdk:warning"} and rule:
                    found.setdefault(name, set()).add(rule[0])
    return found


@needs_oldest
def test_cdk_nag_2_finds_nothing_that_the_library_acknowledges(app: Path) -> None:
    found = findings(app)
    assert {"AwsSolutions-S10", "NIST.800.53.R5-S3BucketSSLRequestsOnly"} <= found.pop("Careless")
    # What an example acknowledges itself, it acknowledges as cdk-nag 3 reads it.
    own = [name for name, path in EXAMPLES.items() if 'hasattr(cdk, "Validations")' in path.read_text()]
    stacks = json.loads((app / "stacks.json").read_text())
    of_examples = tuple(id for example in own for id in stacks[example]["ids"])
    assert {stack: rules for stack, rules in found.items() if not stack.startswith(of_examples)} == {}
    assert found["Shop"] == {"NIST.800.53.R5-IAMNoInlinePolicy"}


def test_this_project_itself_runs_with_what_it_allows() -> None:
    for name, oldest in allowed().items():
        assert [int(number) for number in version(name).split(".")] >= [int(number) for number in oldest]
