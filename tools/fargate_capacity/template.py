"""One synthesised template: its resources, where it is deployed, and what contains it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

_PATH = "aws:cdk:path"
# What the CDK calls the one resource of a construct; it says nothing to a reader.
_OWN_RESOURCE = ("/Resource", "/Default")
_NESTING = re.compile(r"([^/]+)\.NestedStack/\1\.NestedStackResource$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource as its template declares it.

    Args:
        condition: the name of the condition on which it is deployed. Default: always.
        construct_path: `Stage/Stack/Api/Service`, as the CDK notes it beside the resource. Default: no CDK did.
    """

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    condition: str | None = None
    construct_path: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One synthesised template.

    Args:
        stack: the stack's name; of a nested stack, the name of its file.
        path: of the file.
        body: as it was read.
        account: literal, where the stack was given one. Default: unknown until the deploy.
        region: likewise.
        identity: what names the stack beside all others: `Stage/Stack`, and `Stack/Nested` for a nested stack.
        parent: of a nested stack, the template that contains it and the resource by which it does.
        not_deployed: logical ids whose condition is false.
        construct_paths: of resources, by their logical ids, where the manifest has them and the template has not.
    """

    stack: str
    path: Path
    body: Mapping[str, Any]
    account: str | None = None
    region: str | None = None
    identity: str = ""
    parent: tuple[Template, Resource] | None = None
    not_deployed: frozenset[str] = frozenset()
    construct_paths: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(init=False)

    def __post_init__(self) -> None:
        if not self.identity:
            object.__setattr__(self, "identity", self.stack)
        resources = {
            logical_id: _resource(logical_id, resource, self.construct_paths.get(logical_id))
            for logical_id, resource in mapping(self.body.get("Resources")).items()
            if isinstance(resource, dict) and logical_id not in self.not_deployed
        }
        object.__setattr__(self, "resources", resources)

    def of_type(self, resource_type: str) -> Iterator[Resource]:
        """The deployed resources of a type, in the order of the template."""
        return (resource for resource in self.resources.values() if resource.type == resource_type)

    def without(self, logical_ids: frozenset[str]) -> Template:
        """The same template, of which these resources are not deployed."""
        return replace(self, not_deployed=self.not_deployed | logical_ids)

    def nested_in(self, parent: Template, resource: Resource) -> Template:
        """The same template as a nested stack of another."""
        return replace(
            self,
            parent=(parent, resource),
            identity=f"{parent.identity}/{path_in_stack(parent, resource)}",
            account=parent.account,
            region=parent.region,
        )


def path_in_stack(template: Template, resource: Resource) -> str:
    """Where a resource is in its stack's tree of constructs; its logical id where no CDK made the template."""
    path = resource.construct_path
    if path is None:
        return resource.logical_id
    for suffix in _OWN_RESOURCE:
        path = path.removesuffix(suffix)
    path = without_nesting(path)
    inside = path.removeprefix(f"{template.identity}/")
    # A stack of its own name (`stackName`) still has its tree's path: the stack is the first part of it.
    return inside if inside != path or "/" not in path else path.partition("/")[2]


def without_nesting(path: str) -> str:
    """The path of a nested stack, for that of its resource, `Name.NestedStack/Name.NestedStackResource`."""
    return _NESTING.sub(r"\1", path)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}


def _resource(logical_id: str, declared: Mapping[str, Any], known_path: str | None) -> Resource:
    condition = declared.get("Condition")
    metadata = mapping(declared.get("Metadata"))
    path = metadata.get(_PATH)
    return Resource(
        logical_id=logical_id,
        type=str(declared.get("Type", "")),
        properties=mapping(declared.get("Properties")),
        condition=condition if isinstance(condition, str) else None,
        construct_path=path if isinstance(path, str) else known_path,
        metadata=metadata,
    )
