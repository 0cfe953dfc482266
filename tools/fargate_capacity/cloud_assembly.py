"""Reads a cloud assembly (`cdk.out`): its templates, and what is literal in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fargate_capacity.input_error import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource as its template declares it."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One synthesised template.

    Args:
        stack: the stack's name; of a nested stack, the name of its file.
        account: literal, where the stack was given one. Default: unknown until the deploy.
        region: likewise.
    """

    stack: str
    path: Path
    body: Mapping[str, Any]
    account: str | None = None
    region: str | None = None
    resources: Mapping[str, Resource] = field(init=False)

    def __post_init__(self) -> None:
        declared = _mapping(self.body.get("Resources"))
        resources = {
            logical_id: Resource(
                logical_id=logical_id,
                type=str(resource.get("Type", "")),
                properties=_mapping(resource.get("Properties")),
            )
            for logical_id, resource in declared.items()
            if isinstance(resource, dict)
        }
        object.__setattr__(self, "resources", resources)

    def of_type(self, resource_type: str) -> Iterator[Resource]:
        """The resources of a type, in the order of the template."""
        return (resource for resource in self.resources.values() if resource.type == resource_type)


class CloudAssembly:
    """The templates of a cloud assembly, those of its stages and nested stacks among them.

    Raises:
        InputError: no such folder, no template in it, or a template that is not JSON.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            found = "a file" if folder.exists() else "nothing there"
            raise InputError(f"{folder}: {found}; allowed: the folder of a cloud assembly; run `cdk synth` first")
        self._places: dict[Path, tuple[str, str | None, str | None]] = {}
        for manifest in sorted(folder.rglob("manifest.json")):
            self._read_manifest(manifest)
        paths = sorted(path for path in folder.rglob("*.template.json") if not _is_within_an_asset(path, folder))
        if not paths:
            raise InputError(
                f"{folder}: got no *.template.json in it; allowed: a cloud assembly; run `cdk synth` first"
            )
        self.templates = tuple(self._template(path) for path in paths)

    @cached_property
    def ssm_parameters(self) -> Mapping[str, str]:
        """The SSM parameters whose name and value are literal: what a dynamic reference will find.

        Of a target that tunes itself it is the value that tuning begins with; what it has come to only AWS knows.
        """
        return {
            resource.properties["Name"]: resource.properties[value]
            for template in self.templates
            for kind, value in (("AWS::SSM::Parameter", "Value"), ("Custom::LiveTarget", "Initial"))
            for resource in template.of_type(kind)
            if isinstance(resource.properties.get("Name"), str) and isinstance(resource.properties.get(value), str)
        }

    @cached_property
    def exports(self) -> Mapping[str, tuple[Template, Any]]:
        """What the stacks export, by the name of the export: the template, and the value as it is declared."""
        return {
            output["Export"]["Name"]: (template, output.get("Value"))
            for template in self.templates
            for output in _mapping(template.body.get("Outputs")).values()
            if isinstance(output, dict) and isinstance(_mapping(output.get("Export")).get("Name"), str)
        }

    def _read_manifest(self, path: Path) -> None:
        for artifact in _mapping(_read_json(path).get("artifacts")).values():
            properties = _mapping(artifact.get("properties"))
            if artifact.get("type") == "aws:cloudformation:stack" and "templateFile" in properties:
                account, _, region = str(artifact.get("environment", "")).removeprefix("aws://").partition("/")
                self._places[path.parent / properties["templateFile"]] = (
                    properties.get("stackName") or artifact.get("displayName") or "",
                    account if account and not account.startswith("unknown") else None,
                    region if region and not region.startswith("unknown") else None,
                )

    def _template(self, path: Path) -> Template:
        name = path.name.removesuffix(".template.json")
        stack, account, region = self._places.get(path, ("", None, None))
        return Template(stack=stack or name, path=path, body=_read_json(path), account=account, region=region)


def _is_within_an_asset(path: Path, folder: Path) -> bool:
    """An image's or function's sources may hold templates of their own, which this app does not deploy."""
    return any(part.startswith("asset.") for part in path.relative_to(folder).parent.parts)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); run `cdk synth` again") from None
    if not isinstance(read, dict):
        raise InputError(f"{path}: got a {type(read).__name__}, allowed: a JSON object; run `cdk synth` again")
    return read


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
