"""Reads the templates of any CDK app's cloud assembly and normalises them for comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk_review.template_macros import expanded, looked_up
from fargate_capacity.input_error import InputError

OLDEST_SCHEMA = 1
# Added by each synthesis, with no meaning for the app.
OWN_TO_THE_CDK = {"CDKMetadata", "CDKMetadataAvailable", "BootstrapVersion", "CheckBootstrapVersion"}
# Assets and images are named by the SHA-256 of their content.
CONTENT_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
CONTENT = "<content>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack of a cloud assembly.

    Args:
        path: construct path of the stack; for a nested stack, its parent's path and its logical id.
        template: the template without the CDK's own additions, and with `<content>` instead of asset hashes.
        as_written: the unchanged template.
        protected: whether termination protection is enabled.
        region: the literal region, or None if known only at deployment.
        account: the literal account, or None if known only at deployment.
    """

    path: str
    template: dict[str, Any]
    as_written: dict[str, Any]
    protected: bool = False
    region: str | None = None
    account: str | None = None

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources by their logical ids."""
        found: dict[str, dict[str, Any]] = self.template.get("Resources", {})
        return found


def read_assembly(folder: Path) -> dict[str, Stack]:
    """The stacks of a cloud assembly by path, including those of stages and nested stacks.

    Raises:
        InputError: not a cloud assembly, an unknown schema version, or an unreadable file.
    """
    if not (folder / "manifest.json").is_file():
        found = "a file" if folder.is_file() else "no manifest.json in it" if folder.is_dir() else "nothing there"
        raise InputError(f"{folder}: {found}; allowed: the folder of a cloud assembly; run `cdk synth` first")
    stacks = {stack.path: stack for stack in _stacks_of(folder)}
    if not stacks:
        raise InputError(f"{folder}: no stack in its manifest.json; allowed: a cloud assembly with stacks")
    return stacks


def _stacks_of(folder: Path) -> Iterator[Stack]:
    manifest = _object(folder / "manifest.json")
    version = str(manifest.get("version", ""))
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST_SCHEMA:
        raise InputError(
            f"{folder / 'manifest.json'}: schema version {version or 'missing'}; allowed: {OLDEST_SCHEMA}.0.0 and "
            "later; synthesise it with a CDK of version 2"
        )
    for name, declared in sorted(_mapping(manifest.get("artifacts")).items()):
        artifact = _mapping(declared)
        properties = _mapping(artifact.get("properties"))
        if artifact.get("type") == "cdk:cloud-assembly" and isinstance(properties.get("directoryName"), str):
            yield from _stacks_of(_within(folder, properties["directoryName"]))
        elif artifact.get("type") == "aws:cloudformation:stack":
            path = str(artifact.get("displayName") or name).partition(" (")[0]
            account, _, region = str(artifact.get("environment", "")).removeprefix("aws://").partition("/")
            yield from _with_nested(
                folder,
                str(properties.get("templateFile", "")),
                path=path,
                protected=properties.get("terminationProtection") is True,
                region=None if region in ("", "unknown-region") else region,
                account=account if re.fullmatch(r"\d{12}", account) else None,
            )


def _with_nested(
    folder: Path, file: str, *, path: str, protected: bool, region: str | None, account: str | None
) -> Iterator[Stack]:
    written = _object(_within(folder, file))
    yield Stack(
        path=path,
        template=comparable(written),
        as_written=written,
        protected=protected,
        region=region,
        account=account,
    )
    for logical_id, resource in _mapping(written.get("Resources")).items():
        nested = _mapping(_mapping(resource).get("Metadata")).get("aws:asset:path")
        if _mapping(resource).get("Type") == "AWS::CloudFormation::Stack" and isinstance(nested, str):
            yield from _with_nested(
                folder, nested, path=f"{path}/{logical_id}", protected=False, region=region, account=account
            )


def comparable(template: dict[str, Any]) -> dict[str, Any]:
    """The template without differences between two syntheses of the same app."""
    copy: dict[str, Any] = json.loads(CONTENT_HASH.sub(CONTENT, json.dumps(template)))
    for section in ("Resources", "Conditions", "Parameters", "Rules"):
        if isinstance(copy.get(section), dict):
            copy[section] = {name: value for name, value in copy[section].items() if name not in OWN_TO_THE_CDK}
    copy["Resources"] = expanded(_mapping(copy.get("Resources")))
    mappings = _mapping(copy.get("Mappings"))
    if mappings:
        copy["Resources"] = looked_up(copy["Resources"], mappings)
    resources = {name: value for name, value in copy["Resources"].items() if isinstance(value, dict)}
    copy["Resources"] = resources
    for resource in resources.values():
        if "Metadata" in resource:
            kept = {name: value for name, value in resource["Metadata"].items() if name == "aws:cdk:path"}
            resource["Metadata"] = kept
        resource["Properties"] = _mapping(resource.get("Properties"))
    return copy


def _within(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    # A nested assembly's manifest may name templates of the parent assembly.
    if folder.resolve().parent not in path.parents:
        raise InputError(f"{folder}: its manifest names {name}; allowed: files within the cloud assembly")
    return path


def _object(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        raise InputError(f"{path}: cannot be read as JSON ({type(fault).__name__}); run `cdk synth` again") from None
    if not isinstance(read, dict):
        raise InputError(f"{path}: got a {type(read).__name__}; allowed: a JSON object; run `cdk synth` again")
    return read


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
