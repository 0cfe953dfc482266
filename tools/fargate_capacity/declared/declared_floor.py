"""A forecast floor as the templates declare it, as the options that replay it."""

from __future__ import annotations

import json
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly

_HANDLER = "forecast_floor.handler"


def declared_floors(assembly: CloudAssembly, stack: str, *, service: str) -> list[str]:
    """One line for each floor of a service, named as `ScaledService` names it, in a stack: what replays it."""
    return [
        f"{resource.logical_id}: {_described(resource.properties['Environment']['Variables'].get('SETTINGS'))}"
        for template in assembly.templates
        if template.identity == stack
        for resource in template.of_type("AWS::Lambda::Function")
        if resource.properties.get("Handler") == _HANDLER
        and _named(resource.properties.get("Environment", {}).get("Variables", {}).get("SERVICE_NAME")) == service
    ]


def _described(settings: Any) -> str:
    try:
        given = json.loads(settings)
        options = (
            f"--floor {given['utilization']:g} --floor-lead {given['lead_minutes']} "
            f"--floor-look-back {given['look_back']} --floor-time-zone {given['time_zone']}"
        )
        holidays = f" --holidays FILE with its {len(given['holidays'])} days" if given["holidays"] else ""
        kind = "a ForecastFloor in dry run" if given["dry_run"] else "a ForecastFloor"
    except (KeyError, TypeError, ValueError):
        return "a ForecastFloor of another version; replay it by --floor"
    return f"{kind} is no part of the declared setting; replay it by {options}{holidays}"


def _named(name: Any) -> Any:
    """Return the logical id of the service whose name it is; the name where it is literal."""
    if isinstance(name, dict):
        attribute = name.get("Fn::GetAtt")
        return attribute[0] if isinstance(attribute, list) and attribute else name.get("Ref")
    return name
