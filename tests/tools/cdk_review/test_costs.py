"""What `cdk-costs` says of an app's month, and of what outlives `cdk destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cdk_review.costs_cli import app, main
from tests.tools.cdk_review.shop import write_assembly


def resource(kind: str, path: str, policy: str | None = None, **properties: Any) -> dict[str, Any]:
    written: dict[str, Any] = {"Type": kind, "Properties": properties, "Metadata": {"aws:cdk:path": path}}
    return written if policy is None else written | {"DeletionPolicy": policy}


RESOURCES = {
    "Key": resource("AWS::KMS::Key", "Shop/Web/Key/Resource", "Retain"),
    "Logs": resource("AWS::Logs::LogGroup", "Shop/Web/Logs/Resource", "RetainExceptOnCreate"),
    "Gone": resource("AWS::SecretsManager::Secret", "Shop/Web/Secret/Resource", "Delete"),
    "Policy": resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy", "Shop/Web/Cpu/Resource", PolicyType="TargetTrackingScaling"
    ),
    "Database": resource("AWS::RDS::DBInstance", "Shop/Database/Resource", DBInstanceClass="db.t4g.medium"),
    "InCluster": resource("AWS::RDS::DBInstance", "Shop/Other/Resource", DBClusterIdentifier="it"),
}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    return write_assembly(tmp_path / "cdk.out", {"Shop": {"Resources": RESOURCES}})


def printed(*arguments: object) -> list[str]:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_each_charge_has_its_construct_dearest_first(assembly: Path) -> None:
    lines = printed(assembly)
    assert lines[0] == "Shop: $1.60 per month"
    assert lines[1:4] == [
        "       1.00  key (Shop/Web/Key)",
        "       0.40  secret (Shop/Web/Secret)",
        "       0.20  2 alarms that target tracking makes (Shop/Web/Cpu)",
    ]
    assert "   no price  1 × db.t4g.medium (Shop/Database)" in lines
    assert lines[-2] == "together $1.60 per month, without traffic, requests and what is stored"


def test_what_is_left_is_what_the_template_keeps(assembly: Path) -> None:
    assert printed(assembly, "--left") == [
        "Shop/Web/Key: AWS::KMS::Key, $1.00 per month",
        "Shop/Web/Logs: AWS::Logs::LogGroup, $0.03 per GB-month, until its retention is over",
        # Of a database CloudFormation leaves a snapshot, but of an instance of a cluster.
        "Shop/Database: AWS::RDS::DBInstance, not in the table of prices",
        "3 resources of the templates left, $1.00 per month beside storage",
    ]


def test_fails_when_there_is_no_cloud_assembly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["cdk-costs", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cdk-costs: {tmp_path}: no manifest.json in it; allowed: ")
