"""Finds the scaled services of a cloud assembly, by the names that a user may give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.input_error import InputError
from fargate_capacity.intrinsic_functions import IntrinsicFunctions
from fargate_capacity.template import Resource, Template, path_in_stack

SERVICE = "AWS::ECS::Service"
_SCALABLE_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
_DESIRED_COUNT = "ecs:service:DesiredCount"
_LOGICAL_ID = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.Name)?\}")
_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """A scalable target for a service's task count, and its service.

    Args:
        template: the template that declares the scalable target.
        service: the service with the template that declares it. None: no template declares it.
    """

    template: Template
    target: Resource
    service: tuple[Template, Resource] | None
    name_in_target: str

    @property
    def name(self) -> str:
        """The service's logical id, or the target's name of it if no template declares it."""
        return self.service[1].logical_id if self.service else self.name_in_target

    @property
    def identity(self) -> str:
        """`Stack/Path`, which is unique."""
        template = self.service[0] if self.service else self.template
        return f"{template.identity}/{self._path()}"

    def names(self, functions: IntrinsicFunctions) -> set[str]:
        """All names of the service, without and with its stack's prefix."""
        own = {self.name, _HASH.sub("", self.name), self._path()}
        stacks = {self.template.identity, self.template.stack}
        if self.service:
            template, service = self.service
            literal = functions.text(service.properties.get("ServiceName", ""))
            own |= {literal} if literal and "${" not in literal else set()
            # The CDK's service is a construct around the resource: `Stack/Api/Service` is `Stack/Api` to its author.
            path = self._path()
            while path.endswith("/Service"):
                path = path.removesuffix("/Service")
                own.add(path)
            stacks = {template.identity, template.stack}
            if template.parent is not None:
                stacks.add(f"{template.parent[0].stack}/{template.identity.partition('/')[2]}")
        return own | {f"{stack}/{name}" for stack in stacks for name in own}

    def _path(self) -> str:
        return path_in_stack(*self.service) if self.service else self.name_in_target


def choose_service(assembly: CloudAssembly, wanted: str | None) -> FoundService:
    """The service with this name; without a name the only one.

    Raises:
        InputError: there is no such service, or there are several.
    """
    found = list(_found(assembly))
    if not found:
        raise InputError(
            f"got no ECS service with a scalable target in {len(assembly.templates)} templates; "
            "allowed: at least one; add auto scaling to the service, or synthesise the app that has it"
        )
    chosen = [
        each
        for each in found
        if wanted is None or wanted in each.names(IntrinsicFunctions(assembly=assembly, template=each.template))
    ]
    names = ", ".join(_shown(found))
    if not chosen:
        raise InputError(f"--service: got {wanted!r}, allowed: {names}")
    if len(chosen) > 1:
        raise InputError(f"got {len(chosen)} scaled services, {', '.join(_shown(chosen))}; choose one with --service")
    return chosen[0]


def _shown(found: list[FoundService]) -> list[str]:
    """Short names if unique, otherwise with their stacks."""
    names = [each.name for each in found]
    return names if len(set(names)) == len(names) else [each.identity for each in found]


def _found(assembly: CloudAssembly) -> Iterator[FoundService]:
    for template in assembly.templates:
        functions = IntrinsicFunctions(assembly=assembly, template=template)
        for target in template.of_type(_SCALABLE_TARGET):
            if functions.text(target.properties.get("ScalableDimension")) != _DESIRED_COUNT:
                continue
            declared = target.properties.get("ResourceId", "")
            name = functions.text(declared).rpartition("/")[2]
            yield FoundService(
                template=template,
                target=target,
                service=_service(assembly, functions, declared, name),
                name_in_target=name,
            )


def _service(
    assembly: CloudAssembly, functions: IntrinsicFunctions, declared: Any, name: str
) -> tuple[Template, Resource] | None:
    for reference in _references(functions.chosen(declared)):
        found = functions.resource(reference)
        if found and found[1].type == SERVICE:
            return found
    template = functions.template
    for referred in _LOGICAL_ID.findall(functions.text(declared)):
        resource = template.resources.get(referred)
        if resource and resource.type == SERVICE:
            return template, resource
    if "${" in name:
        return None
    for each in (template, *(other for other in assembly.templates if other is not template)):
        of_template = IntrinsicFunctions(assembly=assembly, template=each)
        for service in each.of_type(SERVICE):
            if of_template.text(service.properties.get("ServiceName", "")) == name:
                return each, service
    return None


def _references(value: Any) -> Iterator[Any]:
    """Each `Ref`, `Fn::GetAtt` and `Fn::ImportValue` within a value."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("Ref", "Fn::GetAtt", "Fn::ImportValue"):
            yield value
        else:
            for item in value.values():
                yield from _references(item)
