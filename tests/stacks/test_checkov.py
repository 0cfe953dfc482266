"""checkov finds nothing that has no reason in the template's own metadata, here and in the examples.

Runs the program that `CHECKOV` names. One run sees every template twice: as it is deployed, and without its reasons,
which shows that checkov looks and that it still takes each reason to be quiet.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "__snapshots__" / "test_examples"
CHECKOV = os.environ.get("CHECKOV", "")
# No list of checks to skip: a reason is a resource's own.
COMMAND = ["--framework", "cloudformation", "--skip-download", "--quiet", "--compact", "--output", "json"]

pytestmark = pytest.mark.skipif(
    not CHECKOV, reason="CHECKOV is not set: name a checkov, which `make checkov-environment` installs"
)

Template = dict[str, Any]
Check = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """What the one run found, each as template, resource and check."""

    skips: set[Check]
    failed: set[Check]
    failed_without_reasons: set[Check]
    passed: int


@pytest.fixture(scope="module")
def report(synth: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    templates = {
        **{path.name: json.loads(path.read_text()) for name in ("dev", "prod") for path in deployed(synth(name))},
        **dict(examples()),
    }
    folder = tmp_path_factory.mktemp("templates")
    (folder / "bare").mkdir()
    for name, template in templates.items():
        (folder / name).write_text(json.dumps(template))
        (folder / "bare" / name).write_text(json.dumps(without_reasons(template)))
    run = subprocess.run(
        [CHECKOV, *COMMAND, "--directory", str(folder)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["summary"]["parsing_errors"] == 0
    failed = {
        (finding["file_path"].lstrip("/"), finding["resource"].rpartition(".")[2], finding["check_id"])
        for finding in found["results"]["failed_checks"]
    }
    return Report(
        skips={(name, *skip) for name, template in templates.items() for skip in skips(template)},
        failed={check for check in failed if not check[0].startswith("bare/")},
        failed_without_reasons={
            (name.removeprefix("bare/"), *rest) for name, *rest in failed if name.startswith("bare/")
        },
        passed=found["summary"]["passed"],
    )


def deployed(assembly: Path) -> list[Path]:
    found = sorted(assembly.glob("*.template.json"))
    assert len(found) == 4
    return found


def examples() -> Iterator[tuple[str, Template]]:
    """The templates of the examples, whose snapshots their own tests keep as they are synthesised."""
    for path in sorted(EXAMPLES.glob("*.json")):
        for name, template in json.loads(path.read_text()).items():
            yield f"example-{name}", template


def skips(template: Template) -> Iterator[tuple[str, str]]:
    for name, resource in template["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            yield name, skip["id"]


def without_reasons(template: Template) -> Template:
    bare = deepcopy(template)
    for resource in bare["Resources"].values():
        resource.get("Metadata", {}).pop("checkov", None)
    return bare


@pytest.mark.parametrize("templates", ["moderation-dev-", "moderation-prod-", "example-"])
def test_checkov_finds_nothing_without_a_reason(templates: str, report: Report) -> None:
    assert {check for check in report.failed if check[0].startswith(templates)} == set()
    assert report.passed


def test_every_reason_is_needed_and_nothing_else_is(report: Report) -> None:
    assert report.failed_without_reasons == report.skips
    assert report.skips


def test_every_reason_is_a_sentence(synth: Callable[[str], Path]) -> None:
    templates = [json.loads(path.read_text()) for name in ("dev", "prod") for path in deployed(synth(name))]
    for template in [*templates, *(template for _, template in examples())]:
        for resource in template["Resources"].values():
            for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
                assert skip.keys() == {"id", "comment"}
                assert re.fullmatch(r"[A-Z].{30,}\.", skip["comment"]), skip
