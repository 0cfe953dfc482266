"""cfn-lint says nothing about any template, beyond what `.cfnlintrc.yaml` passes over with a reason."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


def lint(*templates: Path) -> subprocess.CompletedProcess[str]:
    command = ["cfn-lint", "--config-file", str(PROJECT / ".cfnlintrc.yaml"), "--template", *map(str, templates)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_cfn_lint_has_nothing_to_say(environment: str, synth: Any) -> None:
    templates = sorted(synth(environment).glob("*.template.json"))
    assert len(templates) == 4
    result = lint(*templates)
    assert result.returncode == 0, result.stdout + result.stderr


def test_cfn_lint_would_be_heard(tmp_path: Path) -> None:
    template = tmp_path / "careless.template.json"
    template.write_text(json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Nmae": "a"}}}}))
    result = lint(template)
    assert result.returncode != 0
    assert "'Nmae' was unexpected" in result.stdout


def test_every_check_that_is_passed_over_has_its_reason() -> None:
    lines = (PROJECT / ".cfnlintrc.yaml").read_text().splitlines()
    passed_over = [number for number, line in enumerate(lines) if line.strip().startswith("- ")]
    assert passed_over
    assert all(lines[number - 1].strip().startswith("# ") for number in passed_over)
