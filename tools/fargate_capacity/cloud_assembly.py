"""Reads a cloud assembly (`cdk.out`): its templates and their literal values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fargate_capacity.input_error import InputError
from fargate_capacity.intrinsic_functions import PARAMETER_TYPES, IntrinsicFunctions
from fargate_capacity.template import Resource, Template, mapping, without_nesting

_NESTED_STACK = "AWS::CloudFormation::Stack"
_NESTED_FILE = "aws:asset:path"
_LOGICAL_ID = "aws:cdk:logicalId"
_TEMPLATE_FILE = "aws:cdk:templateFile"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a template is deployed, according to a manifest."""

    stack: str
    identity: str
    account: str | None
    region: str | None


class CloudAssembly:
    """The templates of a cloud assembly, including those of stages and nested stacks.

    Resources whose condition is false are omitted. An unreadable template is omitted and named in `unreadable` if there
    is another template.

    Raises:
        InputError: the folder does not exist, or contains no template that is JSON.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            found = "a file" if folder.exists() else "nothing there"
            raise InputError(f"{folder}: {found}; allowed: the folder of a cloud assembly; run `cdk synth` first")
        self._places: dict[Path, list[_Place]] = {}
        # Construct paths by template file and logical id; files of nested stacks by construct path.
        self._construct_paths: dict[Path, dict[str, str]] = {}
        self._nested_files: dict[str, Path] = {}
        for manifest in sorted(folder.rglob("manifest.json")):
            if not _is_within_an_asset(manifest, folder):
                self._read_manifest(manifest)
        paths = sorted(path for path in folder.rglob("*.template.json") if not _is_within_an_asset(path, folder))
        if not paths:
            raise InputError(
                f"{folder}: got no *.template.json in it; allowed: a cloud assembly; run `cdk synth` first"
            )
        read: list[Template] = []
        unreadable: list[str] = []
        for path in paths:
            try:
                read += self._templates(path)
            except InputError as error:
                if len(paths) == 1:
                    raise
                unreadable.append(str(error))
        if not read:
            raise InputError(unreadable[0])
        self.unreadable = tuple(unreadable)
        self.templates = tuple(_nested(read, self._nested_files))
        self.templates = tuple(self._deployed())
        # The conditions were evaluated with templates that still contain resources that are not deployed.
        for name in ("ssm_parameters", "exports"):
            self.__dict__.pop(name, None)

    @cached_property
    def ssm_parameters(self) -> Mapping[str, str]:
        """The SSM parameters whose name and value are literal: the values of dynamic references.

        For a tuned target it is the initial value; only AWS knows the current one.
        """
        return {
            resource.properties["Name"]: resource.properties[value]
            for template in self.templates
            for kind, value in PARAMETER_TYPES.items()
            for resource in template.of_type(kind)
            if isinstance(resource.properties.get("Name"), str) and isinstance(resource.properties.get(value), str)
        }

    @cached_property
    def exports(self) -> Mapping[str, tuple[Template, Any]]:
        """The stacks' exports by name: the template, and the declared value."""
        return {
            output["Export"]["Name"]: (template, output.get("Value"))
            for template in self.templates
            for output in mapping(template.body.get("Outputs")).values()
            if isinstance(output, dict) and isinstance(mapping(output.get("Export")).get("Name"), str)
        }

    def nested(self, template: Template, logical_id: str) -> Template | None:
        """The nested stack of this resource of a template."""
        return next(
            (
                each
                for each in self.templates
                if each.parent is not None
                and each.parent[0].path == template.path
                and each.parent[0].identity == template.identity
                and each.parent[1].logical_id == logical_id
            ),
            None,
        )

    def _read_manifest(self, path: Path) -> None:
        for name, artifact in mapping(_read_json(path).get("artifacts")).items():
            properties = mapping(mapping(artifact).get("properties"))
            if mapping(artifact).get("type") == "aws:cloudformation:stack" and "templateFile" in properties:
                self._read_metadata(path.parent, artifact)
                account, _, region = str(artifact.get("environment", "")).removeprefix("aws://").partition("/")
                display = artifact.get("displayName")
                self._places.setdefault(path.parent / properties["templateFile"], []).append(
                    _Place(
                        stack=properties.get("stackName") or display or "",
                        # The stack's name may follow in brackets: `Prod/Api (prod-api)`.
                        identity=str(display or properties.get("stackName") or name).partition(" (")[0],
                        account=account if account and not account.startswith("unknown") else None,
                        region=region if region and not region.startswith("unknown") else None,
                    )
                )

    def _read_metadata(self, folder: Path, artifact: Mapping[str, Any]) -> None:
        """The construct path of each resource, from the manifest: the CDK writes it into the template only with an
        option.
        """
        entries = mapping(artifact.get("metadata"))
        file = artifact.get("additionalMetadataFile")
        if isinstance(file, str) and (folder / file).is_file():
            entries = {**entries, **_read_json(folder / file)}
        notes = [
            (path.removeprefix("/"), mapping(note).get("type"), mapping(note).get("data"))
            for path, listed in entries.items()
            for note in (listed if isinstance(listed, list) else [])
        ]
        own = folder / artifact["properties"]["templateFile"]
        files = {path: folder / data for path, kind, data in notes if kind == _TEMPLATE_FILE and isinstance(data, str)}
        self._nested_files |= {path: file for path, file in files.items() if file != own}
        for path, kind, data in notes:
            if kind == _LOGICAL_ID and isinstance(data, str):
                stacks = (each for each in self._nested_files if path.startswith(f"{each}/"))
                stack = max(stacks, key=len, default=None)
                file = own if stack is None else self._nested_files[stack]
                self._construct_paths.setdefault(file, {})[data] = path

    def _templates(self, path: Path) -> list[Template]:
        """One template per stack that is deployed from the file."""
        name = path.name.removesuffix(".template.json")
        body = _read_json(path)
        return [
            Template(
                stack=place.stack or name,
                path=path,
                body=body,
                account=place.account,
                region=place.region,
                identity=place.identity,
                construct_paths=self._construct_paths.get(path, {}),
            )
            for place in self._places.get(path, [_Place("", "", None, None)])
        ]

    def _deployed(self) -> list[Template]:
        """The templates without resources whose condition is false; a parent precedes its nested stacks."""
        done: dict[int, Template] = {}

        def deployed(template: Template) -> Template | None:
            if id(template) in done:
                return done[id(template)]
            seen = template
            if template.parent is not None:
                parent = deployed(template.parent[0])
                if parent is None or template.parent[1].logical_id not in parent.resources:
                    return None
                seen = template.nested_in(parent, template.parent[1])
            functions = IntrinsicFunctions(assembly=self, template=seen)
            absent = frozenset(
                resource.logical_id
                for resource in seen.resources.values()
                if resource.condition is not None and functions.condition(resource.condition) is False
            )
            done[id(template)] = seen.without(absent)
            return done[id(template)]

        return [found for template in self.templates if (found := deployed(template)) is not None]


def _nested(templates: list[Template], files: Mapping[str, Path]) -> list[Template]:
    """The templates, with the parent of each nested one; a nested stack may contain another."""
    by_path: dict[Path, Template] = {}
    for template in templates:
        by_path.setdefault(template.path, template)
    parents: dict[Path, list[tuple[Template, Resource]]] = {}
    for template in templates:
        for resource in template.of_type(_NESTED_STACK):
            file = resource.metadata.get(_NESTED_FILE)
            path = template.path.parent / file if isinstance(file, str) else None
            path = path or files.get(without_nesting(resource.construct_path or ""))
            if path in by_path and path != template.path:
                parents.setdefault(path, []).append((template, resource))

    def placed(template: Template, depth: int = 0) -> list[Template]:
        # Templates that contain each other cannot be deployed.
        if template.path not in parents or depth > len(templates):
            return [template]
        return [
            template.nested_in(above, resource)
            for parent, resource in parents[template.path]
            for above in placed(parent, depth + 1)
        ]

    # Nested stacks of one parent must refer to the same object, so that it is evaluated once.
    found: list[Template] = []
    for template in templates:
        found += placed(template)
    return found


def _is_within_an_asset(path: Path, folder: Path) -> bool:
    """The sources of an image or function may contain templates that this app does not deploy."""
    return any(part.startswith("asset.") for part in path.relative_to(folder).parent.parts)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); run `cdk synth` again") from None
    if not isinstance(read, dict):
        raise InputError(f"{path}: got a {type(read).__name__}, allowed: a JSON object; run `cdk synth` again")
    return read
