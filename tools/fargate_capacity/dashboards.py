"""Finds the dashboards of a cloud assembly."""

from __future__ import annotations

from dataclasses import dataclass

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.dashboard_body import DashboardBody, read_dashboard_body
from fargate_capacity.input_error import InputError
from fargate_capacity.intrinsic_functions import IntrinsicFunctions
from fargate_capacity.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard of a stack; without a name, its logical id is used."""

    name: str
    template: Template
    body: DashboardBody
    logical_id: str = ""


def find_dashboards(
    assembly: CloudAssembly, *, names: tuple[str, ...] = (), unreadable: list[str] | None = None
) -> list[Dashboard]:
    """The dashboards, in the order of the templates.

    Args:
        assembly: the cloud assembly to search.
        names: names to select. Default: all.
        unreadable: called with a message for each dashboard whose body cannot be read, if another can. Default: not
            reported.

    Raises:
        InputError: there is no dashboard, none with a selected name, or none that can be read.
    """
    found = [
        (template, resource, IntrinsicFunctions(assembly=assembly, template=template))
        for template in assembly.templates
        for resource in template.of_type("AWS::CloudWatch::Dashboard")
    ]
    if not found:
        raise InputError(
            f"got no dashboard in {len(assembly.templates)} templates, "
            "allowed: a cloud assembly with an AWS::CloudWatch::Dashboard; add one to a stack"
        )
    named = [
        (functions.text(resource.properties.get("DashboardName", resource.logical_id)), template, resource, functions)
        for template, resource, functions in found
    ]
    known = [name for name, *_ in named]
    for name in names:
        if name not in known:
            raise InputError(f"dashboard: got {name}, allowed: {', '.join(sorted(set(known)))}")
    dashboards: list[Dashboard] = []
    unreadable = [] if unreadable is None else unreadable
    for name, template, resource, functions in named:
        if names and name not in names:
            continue
        try:
            body = read_dashboard_body(functions.text(resource.properties.get("DashboardBody", "")))
        except ValueError as error:
            unreadable.append(f"dashboard {name} of stack {template.stack}: {error}; correct it in the stack")
            continue
        dashboards.append(Dashboard(name=name, template=template, body=body, logical_id=resource.logical_id))
    if not dashboards:
        raise InputError(unreadable[0])
    return dashboards
