"""The example of a central account: its policies have what the app asks for, and let in whoever has to come in."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.constructs.policies import may, resolved

EXAMPLE = (Path(__file__).parents[2] / "examples/central_alerts.py").read_text(encoding="utf-8")
ACKNOWLEDGED = re.compile(r"        for principal in .*?(?=\n\n\napp = )", re.DOTALL)
STATEMENT = re.compile(r"\{.*\}")
SHOP = "111122223333"
TOPIC = "arn:aws:sns:eu-central-1:444455556666:alerts"


def assembly(folder: Path, program: str) -> Path:
    (folder / "app.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "CDK_OUTDIR": str(folder / "cdk.out")}
    subprocess.run([sys.executable, "app.py"], cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "cdk.out"


def warned(out: Path) -> list[str]:
    """What the app warns about of statements that are missing."""
    return [
        entry["data"]
        for metadata in out.glob("*.metadata.json")
        for entries in json.loads(metadata.read_text()).values()
        for entry in entries
        if entry["type"] == "aws:cdk:warning" and "missing-statement" in entry["data"]
    ]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assembly(tmp_path_factory.mktemp("acknowledged"), EXAMPLE)


def policy(out: Path, kind: str, member: str) -> dict[str, Any]:
    resources = json.loads((out / "CentralAlerts.template.json").read_text())["Resources"].values()
    (document,) = (resolved(found["Properties"][member]) for found in resources if found["Type"] == kind)
    # The template names the topic by its logical id.
    for statement in document["Statement"]:
        if statement["Resource"] != "*":
            statement["Resource"] = TOPIC
    assert isinstance(document, dict)
    return document


def test_what_is_pasted_is_what_the_app_asks_for(tmp_path: Path) -> None:
    program, removed = ACKNOWLEDGED.subn("", EXAMPLE)
    assert removed == 1
    found = warned(assembly(tmp_path, program))
    asked = []
    for warning in found:
        statement = STATEMENT.search(warning)
        assert statement is not None
        asked.append(json.loads(statement[0]))
    names: dict[str, Any] = {}
    exec(EXAMPLE.split("\n\n\nclass CentralAlerts")[0], names)
    expected = names["TOPIC_STATEMENTS"] + names["KEY_STATEMENTS"]
    assert sorted(map(json.dumps, asked)) == sorted(map(json.dumps, expected))


def test_what_is_acknowledged_is_warned_about_no_more(out: Path) -> None:
    assert warned(out) == []


@pytest.mark.parametrize(
    ("service", "context"),
    [
        ("cloudwatch.amazonaws.com", {"SourceAccount": SHOP}),
        # The central account's own.
        ("cloudwatch.amazonaws.com", {"SourceAccount": "444455556666"}),
        ("events.amazonaws.com", {}),
    ],
)
def test_services_may_publish_and_use_the_key(out: Path, service: str, context: dict[str, str]) -> None:
    assert may(policy(out, "AWS::SNS::TopicPolicy", "PolicyDocument"), service, "sns:Publish", TOPIC, **context)
    key_policy = policy(out, "AWS::KMS::Key", "KeyPolicy")
    assert all(may(key_policy, service, action, "key", **context) for action in ("kms:Decrypt", "kms:GenerateDataKey"))


def test_alarms_of_a_third_account_may_not(out: Path) -> None:
    topic_policy = policy(out, "AWS::SNS::TopicPolicy", "PolicyDocument")
    assert not may(topic_policy, "cloudwatch.amazonaws.com", "sns:Publish", TOPIC, SourceAccount="777788889999")
