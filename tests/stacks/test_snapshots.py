"""One snapshot a stack and environment: what `cdk deploy` would change shows up in a pull request's diff."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

STACKS = ("network", "alerts", "model", "service")
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")
# JSON inside JSON: one line in a template, a tree in the snapshot.
EMBEDDED_JSON = {"AWS::CloudWatch::Dashboard": "DashboardBody", "AWS::StepFunctions::StateMachine": "DefinitionString"}


def joined(value: Any) -> str:
    """The text that `Fn::Join` will make, with `${Resource.Attribute}` for what only the deployment knows."""
    if isinstance(value, str):
        return value
    match value:
        case {"Fn::Join": ["", parts]}:
            return "".join(joined(part) for part in parts)
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::ImportValue": name}:
            return f"${{{joined(name)}}}"
    return "${" + json.dumps(value).replace('"', "'") + "}"


def readable(template: dict[str, Any]) -> dict[str, Any]:
    for resource in template["Resources"].values():
        if name := EMBEDDED_JSON.get(resource["Type"]):
            properties = resource["Properties"]
            properties[name] = json.loads(joined(properties[name]))
    without_hashes: dict[str, Any] = json.loads(ASSET_HASH.sub("<asset hash>", json.dumps(template)))
    return without_hashes


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize("stack", STACKS)
def test_template_is_what_was_reviewed(stack: str, environment: str, synth: Any, snapshot: SnapshotAssertion) -> None:
    assembly: Path = synth(environment)
    template = json.loads((assembly / f"moderation-{environment}-{stack}.template.json").read_text())
    assert readable(template) == snapshot(extension_class=JSONSnapshotExtension)


def test_every_stack_has_a_snapshot(synth: Any) -> None:
    names = {path.name.removesuffix(".template.json") for path in synth("dev").glob("*.template.json")}
    assert names == {f"moderation-dev-{stack}" for stack in STACKS}
