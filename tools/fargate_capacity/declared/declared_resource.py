"""A resource as declared in the templates, and the service that is being read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.service_identity import FoundService
from fargate_capacity.declared.understood_properties import not_understood
from fargate_capacity.intrinsic_functions import IntrinsicFunctions
from fargate_capacity.template import Resource, Template, mapping

T = TypeVar("T")

# Twenty times AWS's quota of tasks per service.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
_MOST_TASKS = 100_000
_MOST = 1_000_000_000


class LeftOutError(ValueError):
    """Something that cannot be replayed, with the reason."""


class DeclaredResource:
    """A resource's properties as deployed, with resolved references."""

    def __init__(self, assembly: CloudAssembly, template: Template, resource: Resource) -> None:
        self.functions = IntrinsicFunctions(assembly=assembly, template=template)
        self.resource = resource
        self.properties = mapping(self.functions.chosen(resource.properties))

    def text(self, name: str, default: str = "") -> str:
        return self.functions.text(self.properties.get(name, default))

    def number(self, name: str, default: float | None = None, *, of: Mapping[str, Any] | None = None) -> float:
        """A number, or the default if none is declared."""
        declared = (self.properties if of is None else of).get(name)
        if declared is None:
            if default is None:
                raise LeftOutError(f"{name}: got none")
            return default
        text = self.functions.text(declared)
        try:
            number = float(text)
        except ValueError:
            raise LeftOutError(
                f"{name}: got {text}, allowed: a number that the templates contain; only the deployment knows this one"
            ) from None
        if not abs(number) < _MOST:
            raise LeftOutError(f"{name}: got {text}, allowed: below {_MOST:,}")
        return number

    def count(self, name: str, *, of: Mapping[str, Any] | None = None) -> int:
        """A number of tasks."""
        tasks = self.number(name, of=of)
        if not 0 <= tasks <= _MOST_TASKS:
            raise LeftOutError(f"{name}: got {tasks:g}, allowed: 0 to {_MOST_TASKS:,} tasks")
        return int(tasks)


class ServiceReading:
    """One service's resources while they are read; `unmodelled` has a message for each thing that a replay cannot
    follow.
    """

    def __init__(self, assembly: CloudAssembly, found: FoundService) -> None:
        self.assembly = assembly
        self.found = found
        self.target = self.declared(found.template, found.target)
        self.unmodelled: list[str] = []

    def declared(self, template: Template, resource: Resource) -> DeclaredResource:
        return DeclaredResource(self.assembly, template, resource)

    def referred(self, read: DeclaredResource, value: Any, resource_type: str) -> DeclaredResource | None:
        found = read.functions.resource(value)
        return self.declared(*found) if found and found[1].type == resource_type else None

    def leave_out(self, what: str, why: str) -> None:
        self.unmodelled.append(f"{what}: {why}")

    def name_what_is_not_understood(self, read: DeclaredResource, kind: str) -> None:
        name = read.resource.logical_id
        for each in not_understood(kind, read.properties):
            self.leave_out(name, f"{each} is not understood")
        unknown = {
            condition
            for condition in (read.resource.condition, *conditions(read.resource.properties))
            if condition is not None and read.functions.condition(condition) is None
        }
        for condition in sorted(unknown):
            self.leave_out(name, f"the condition {condition} is known at the deployment only, and taken as true")


def is_true(read: DeclaredResource, value: Any) -> bool:
    return read.functions.text(value).lower() == "true"


def is_same(one: Template, other: Template) -> bool:
    return one.path == other.path and one.identity == other.identity


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def conditions(value: Any) -> Iterator[str]:
    """The names of the conditions in `Fn::If` functions of the values."""
    if isinstance(value, list):
        for item in value:
            yield from conditions(item)
    elif isinstance(value, dict):
        match value:
            case {"Fn::If": [str(name), *_]}:
                yield name
        for item in value.values():
            yield from conditions(item)


def one_of(name: str, given: str, allowed: Mapping[str, T]) -> T:
    if given not in allowed:
        raise LeftOutError(f"{name}: got {given}, allowed: {', '.join(allowed)}")
    return allowed[given]
