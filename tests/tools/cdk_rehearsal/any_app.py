"""CDK apps that are synthesised already: the CDK's CLI and the embedded AWS take them as any other."""

import json
from pathlib import Path
from typing import Any

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {}}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "DeletionPolicy": "Retain",
    "UpdateReplacePolicy": "Retain",
    "Properties": {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}


def write_assembly(folder: Path, *stacks: tuple[str, str, dict[str, Any]]) -> Path:
    """Each stack's name, environment and resources; a stack named "Stage/Name" is of a stage."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts: dict[str, Any] = {}
    for name, environment, resources in stacks:
        stage, _, own = name.rpartition("/")
        if stage:
            write_assembly(folder / f"assembly-{stage}", (own, environment, resources))
            properties = {"directoryName": f"assembly-{stage}", "displayName": stage}
            artifacts[f"assembly-{stage}"] = {"type": "cdk:cloud-assembly", "properties": properties}
            continue
        template = {
            "Resources": resources,
            "Outputs": {f"{id}Ref": {"Value": {"Ref": id}} for id in resources},
        }
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": environment,
            "properties": {"templateFile": f"{name}.template.json", "validateOnSynth": False},
            "displayName": name,
        }
    (folder / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": artifacts}))
    return folder


def write_app(
    folder: Path,
    resources: dict[str, Any],
    *,
    environment: str = "aws://unknown-account/unknown-region",
    settings: dict[str, Any] | None = None,
) -> Path:
    """An app with one stack, Shop. "NOW" in a resource is the time of the synthesis."""
    write_assembly(folder / "synthesised", ("Shop", environment, resources))
    now = 'sed -i "s/NOW/$(date +%s%N)/" "$CDK_OUTDIR/Shop.template.json"'
    app = f'cp -r "$PWD/synthesised/." "$CDK_OUTDIR" && {now}'
    (folder / "cdk.json").write_text(json.dumps({"app": app, **(settings or {})}))
    return folder
