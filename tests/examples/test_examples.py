"""The examples as another team has them: in one app of its own, from the wheels, outside this repository."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.consumers_app import EXAMPLES, assemblies, flags, templates_of, write_app
from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[2]
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")
CARELESS = """
import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

import checks

app = cdk.App()
s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")
checks.check(app)
app.synth()
"""


def synth(consumer: LayeredEnvironment, folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of the app's folder, as the CDK's command does, into cdk.out."""
    return consumer.run("python", program, cwd=folder, CDK_OUTDIR="cdk.out", CDK_CONTEXT_JSON=json.dumps(flags()))


@pytest.fixture(scope="module")
def app(consumer: LayeredEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's folder, where it was synthesised. A finding of cdk-nag that nobody acknowledged fails its synth."""
    folder = tmp_path_factory.mktemp("app") / "platform"
    write_app(folder)
    result = synth(consumer, folder, "app.py")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(params=EXAMPLES, ids=lambda name: f"{name}.py")
def templates(request: pytest.FixtureRequest, app: Path) -> dict[str, dict[str, Any]]:
    return templates_of(app, request.param)


def test_a_finding_would_be_heard(consumer: LayeredEnvironment, tmp_path: Path) -> None:
    write_app(tmp_path / "app")
    (tmp_path / "app" / "careless.py").write_text(CARELESS)
    result = synth(consumer, tmp_path / "app", "careless.py")
    assert result.returncode != 0
    assert "AwsSolutions-S10" in result.stdout + result.stderr
    assert "NIST.800.53.R5-S3BucketSSLRequestsOnly" in result.stdout + result.stderr


def test_the_library_is_the_wheels(consumer: LayeredEnvironment, tmp_path: Path) -> None:
    program = "import cdk_fargate_sagemaker, fargate_capacity; print(cdk_fargate_sagemaker.__path__[0])"
    found = consumer.run("python", "-c", program, cwd=tmp_path).stdout.strip()
    assert Path(found).is_relative_to(consumer.site_packages)


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


def test_cfn_lint_has_nothing_to_say(app: Path) -> None:
    templates = [path for assembly in assemblies(app) for path in assembly.rglob("*.template.json")]
    assert len(templates) >= len(EXAMPLES)
    lint = ["cfn-lint", "--config-file", str(PROJECT / ".cfnlintrc.yaml"), *map(str, templates)]
    result = subprocess.run(lint, cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
