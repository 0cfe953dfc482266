"""What a synthesised app needs from the embedded AWS: its environments, templates and resource types."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from cdk_rehearsal.step_failure import InvalidInputError

_STACK = "aws:cloudformation:stack"
_NESTED = "AWS::CloudFormation::Stack"
# The CDK adds it to every template; no resource is created for it.
_METADATA = "AWS::CDK::Metadata"
_ANY = ("unknown-account", "unknown-region")
_SHOWN = 3


def environment(assembly: Path, *, account: str, region: str) -> tuple[str, str]:
    """The account and region of every stack; `account` and `region` are the defaults for an app that sets none.

    Raises:
        InvalidInputError: the stacks have several accounts or regions.
    """
    found: dict[tuple[str, str], str] = {}
    for name, stack in _stacks(assembly):
        asked = stack["environment"].removeprefix("aws://").split("/")
        of_stack = (account if asked[0] in _ANY else asked[0], region if asked[1] in _ANY else asked[1])
        found.setdefault(of_stack, name)
    if len(found) > 1:
        places = ", ".join(f"{one}/{other} ({name}, …)" for (one, other), name in found.items())
        raise InvalidInputError(
            f"the app's stacks are of {len(found)} environments, {places}: the embedded AWS is one account in one "
            "region; give the app context with which all stacks are of one, by --context KEY=VALUE"
        )
    return next(iter(found), (account, region))


def require_known_types(assembly: Path, known: Collection[str]) -> None:
    """Raises InvalidInputError that lists the types the embedded AWS lacks, each with one resource of that type."""
    lacking: dict[str, list[str]] = {}
    for name, stack in _stacks(assembly):
        for kind, place in _types(_template_path(stack), name):
            if kind not in known and kind != _METADATA and not kind.startswith("Custom::"):
                lacking.setdefault(kind, []).append(place)
    if lacking:
        kinds = "; ".join(f"{kind} ({_listed(places)})" for kind, places in sorted(lacking.items()))
        raise InvalidInputError(
            f"the embedded AWS lacks {kinds}: nothing was deployed; leave these resources out of what is rehearsed, "
            "by context of the app (--context KEY=VALUE)"
        )


def templates(assembly: Path) -> dict[str, Path]:
    """Each stack's name and the path of its template. Includes the stacks of stages, excludes nested stacks."""
    return {name: _template_path(stack) for name, stack in _stacks(assembly)}


def read_template(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return template


def nested_template(path: Path, resource: Mapping[str, Any]) -> Path | None:
    """The template of a nested stack, in the same folder as the parent's; None for any other resource."""
    asset = resource.get("Metadata", {}).get("aws:asset:path")
    nested = path.parent / asset if resource["Type"] == _NESTED and asset else None
    return nested if nested is not None and nested.is_file() else None


def resources(assembly: Path) -> dict[str, Any]:
    """Maps "stack/logical id (type)" to the resource's properties."""
    return {
        f"{place} ({resource['Type']})": resource.get("Properties")
        for name, path in templates(assembly).items()
        for place, resource in _resources(path, name)
        if resource["Type"] != _METADATA
    }


def _template_path(stack: Mapping[str, Any]) -> Path:
    return Path(stack["folder"], stack["properties"]["templateFile"])


def _listed(places: list[str]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more


def _stacks(assembly: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each stack's name and artifact, with the `folder` of its template. Includes the stacks of stages."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    for identity, artifact in manifest.get("artifacts", {}).items():
        if artifact["type"] == _STACK:
            name = artifact.get("properties", {}).get("stackName", identity)
            yield name, {**artifact, "folder": str(assembly)}
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(assembly / artifact["properties"]["directoryName"])


def _resources(path: Path, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each resource and its path, "stack/logical id", of a template and its nested templates."""
    for logical_id, resource in read_template(path).get("Resources", {}).items():
        yield f"{place}/{logical_id}", resource
        nested = nested_template(path, resource)
        if nested is not None:
            yield from _resources(nested, f"{place}/{logical_id}")


def _types(path: Path, place: str) -> Iterator[tuple[str, str]]:
    """Each resource's type and path, except types that a transform replaces."""
    serverless = "AWS::Serverless" in json.dumps(read_template(path).get("Transform"))
    for where, resource in _resources(path, place):
        if not (serverless and resource["Type"].startswith("AWS::Serverless::")):
            yield resource["Type"], where
