"""One synthesised template: its resources, where it is deployed, and what contains it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

_PATH = "aws:cdk:path"
# The CDK's ids of a construct's main resource; they are no use in a name.
_OWN_RESOURCE = ("/Resource", "/Default")
_NESTING = re.compile(r"([^/]+)\.NestedStack/\1\.NestedStackResource$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource as declared in its template.

    Args:
        condition: the name of the condition on which it is deployed. Default: always.
        construct_path: `Stage/Stack/Api/Service`, from the CDK's metadata. Default: there is none.
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
        stack: the stack's name; for a nested stack, the name of its file.
        path: the file's path.
        body: the parsed content.
        account: the stack's account, if literal. Default: unknown until deployment.
        region: the stack's region, if literal. Default: unknown until deployment.
        identity: the stack's unique name: `Stage/Stack`, or `Stack/Nested` for a nested stack.
        parent: for a nested stack, the parent template and its resource for this stack.
        not_deployed: logical ids of resources whose condition is false.
        construct_paths: construct paths by logical id, for resources whose path only the manifest has.
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
        """The deployed resources of a type, in the template's order."""
        return (resource for resource in self.resources.values() if resource.type == resource_type)

    def without(self, logical_ids: frozenset[str]) -> Template:
        """The same template without these resources."""
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
    """A resource's construct path in its stack; its logical id if the template is not from the CDK."""
    path = resource.construct_path
    if path is None:
        return resource.logical_id
    for suffix in _OWN_RESOURCE:
        path = path.removesuffix(suffix)
    path = without_nesting(path)
    inside = path.removeprefix(f"{template.identity}/")
    # With a custom `stackName` the construct path still begins with the stack's id.
    return inside if inside != path or "/" not in path else path.partition("/")[2]


def without_nesting(path: str) -> str:
    """Converts a path of a nested stack's resource, `Name.NestedStack/Name.NestedStackResource`, to the stack's."""
    return _NESTING.sub(r"\1", path)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, otherwise an empty one."""
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
