"""Finds this library's functions for a service in a stack, by their handler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.template import Resource, Template, mapping


def service_functions(
    assembly: CloudAssembly, stack: str, *, handler: str, service: str
) -> Iterator[tuple[Template, Resource, Mapping[str, Any]]]:
    """Each function with its template and environment; `service` is `ScaledService`'s name."""
    for template in assembly.templates:
        if template.identity != stack:
            continue
        for resource in template.of_type("AWS::Lambda::Function"):
            variables = mapping(mapping(resource.properties.get("Environment")).get("Variables"))
            if resource.properties.get("Handler") == handler and _named(variables.get("SERVICE_NAME")) == service:
                yield template, resource, variables


def _named(name: Any) -> Any:
    """Return the name if it is literal, otherwise the logical id of the service that it refers to."""
    if isinstance(name, dict):
        attribute = name.get("Fn::GetAtt")
        return attribute[0] if isinstance(attribute, list) and attribute else name.get("Ref")
    return name
