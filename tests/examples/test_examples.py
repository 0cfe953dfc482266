"""Each example, run as another team would: with the installed wheel, in a folder outside this repository."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.nag_packs import NAG_PACKS

PROJECT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (PROJECT / "examples").glob("*.py"))
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")
CHECKED_BY_NAG = f"""
import runpy, sys
import aws_cdk as cdk
import cdk_nag

synth = cdk.App.synth

def checked(app):
    for pack in {[pack.__name__ for pack in NAG_PACKS]}:
        cdk.Validations.of(app).add_plugins(getattr(cdk_nag, pack)(app))
    return synth(app)

cdk.App.synth = checked
runpy.run_path(sys.argv[1], run_name="__main__")
"""


CARELESS = """
import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

app = cdk.App()
s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")
app.synth()
"""


def run(consumer: Path, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Runs an app that lies in `folder`, checked by every pack of cdk-nag, into `folder`/cdk.out."""
    (folder / "checked.py").write_text(CHECKED_BY_NAG)
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    flags = {key: value for key, value in context.items() if key.startswith("@aws-cdk/")}
    return subprocess.run(
        [consumer / ".venv/bin/python", "checked.py", name],
        cwd=folder,
        env={**os.environ, "CDK_OUTDIR": str(folder / "cdk.out"), "CDK_CONTEXT_JSON": json.dumps(flags)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module", params=EXAMPLES)
def assembly(request: pytest.FixtureRequest, consumer: Path) -> Path:
    """The cloud assembly of an example. cdk-nag's findings that nobody acknowledged would have failed its synth."""
    folder = consumer / Path(request.param).stem
    folder.mkdir()
    for name in (request.param, "changes.yaml"):
        (folder / name).write_text((PROJECT / "examples" / name).read_text())
    result = run(consumer, folder, request.param)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "cdk.out"


@pytest.fixture(scope="module")
def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    found = {path.name: json.loads(path.read_text()) for path in assembly.glob("*.template.json")}
    assert found
    return found


def test_a_finding_would_be_heard(consumer: Path, tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text(CARELESS)
    result = run(consumer, tmp_path, "careless.py")
    assert result.returncode != 0
    assert "AwsSolutions-S10" in result.stdout + result.stderr
    assert "NIST.800.53.R5-S3BucketSSLRequestsOnly" in result.stdout + result.stderr


def test_example_is_what_was_reviewed(templates: dict[str, dict[str, Any]], snapshot: SnapshotAssertion) -> None:
    masked = json.loads(ASSET_HASH.sub("<asset hash>", json.dumps(templates)))
    assert masked == snapshot(extension_class=JSONSnapshotExtension)


def test_example_scales_on_the_hottest_task(templates: dict[str, dict[str, Any]]) -> None:
    if not has(templates, "AWS::ApplicationAutoScaling::ScalableTarget"):
        pytest.skip("it has no service")
    alarms = [
        resource["Properties"]
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"].get("Statistic") == "Maximum"
    ]
    assert any((alarm["Threshold"], alarm["Period"]) == (80, 60) for alarm in alarms)
    assert not any(
        "DesiredCount" in resource.get("Properties", {})
        for template in templates.values()
        for resource in template["Resources"].values()
    )


def has(templates: dict[str, dict[str, Any]], kind: str) -> bool:
    return any(
        resource["Type"] == kind for template in templates.values() for resource in template["Resources"].values()
    )


def test_example_serves_with_its_own_image(templates: dict[str, dict[str, Any]]) -> None:
    text = json.dumps(templates)
    if "StateMachineName" in text and "-release" in text:
        assert "/review-trainer:2.1.0" in text
    elif not has(templates, "AWS::SageMaker::Endpoint"):
        pytest.skip("it has no model")
    assert "/review-server:2.1.0" in text


def test_cfn_lint_has_nothing_to_say(assembly: Path) -> None:
    lint = ["cfn-lint", "--config-file", str(PROJECT / ".cfnlintrc.yaml"), *map(str, assembly.glob("*.template.json"))]
    result = subprocess.run(lint, cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
