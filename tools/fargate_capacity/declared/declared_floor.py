"""A forecast floor as the templates declare it, as the options that replay it."""

from __future__ import annotations

import json
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.service_functions import service_functions

_HANDLER = "forecast_floor.handler"


def declared_floors(assembly: CloudAssembly, stack: str, *, service: str) -> list[str]:
    """One line for each floor of a service, named as `ScaledService` names it, in a stack: what replays it."""
    return [
        f"{resource.logical_id}: {_described(variables.get('SETTINGS'))}"
        for _, resource, variables in service_functions(assembly, stack, handler=_HANDLER, service=service)
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
