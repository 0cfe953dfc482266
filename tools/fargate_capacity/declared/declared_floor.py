"""A forecast floor as declared in the templates, and what a replay omits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.service_functions import service_functions
from fargate_capacity.floor_decisions import LookBack

_HANDLER = "forecast_floor.handler"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFloor:
    """One floor of a service, with the settings of its function.

    Args:
        logical_id: the function's logical id.
        is_dry_run: whether it changes nothing; then it is not part of the setting.
    """

    logical_id: str
    utilization: float
    look_back: LookBack
    lead_minutes: int
    time_zone: str
    holidays: frozenset[date]
    is_dry_run: bool

    def line(self) -> str:
        """The options with which a floor that is not replayed can be replayed."""
        options = (
            f"--floor {self.utilization:g} --floor-lead {self.lead_minutes} --floor-look-back {self.look_back} "
            f"--floor-time-zone {self.time_zone}"
        )
        holidays = f" --holidays FILE with its {len(self.holidays)} days" if self.holidays else ""
        kind = "a ForecastFloor in dry run" if self.is_dry_run else "a ForecastFloor"
        return f"{self.logical_id}: {kind} is no part of the declared setting; replay it by {options}{holidays}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadFloor:
    """A floor of another version, whose settings this version cannot read."""

    logical_id: str

    def line(self) -> str:
        return f"{self.logical_id}: a ForecastFloor of another version; replay it by --floor"


def declared_floors(assembly: CloudAssembly, stack: str, *, service: str) -> Iterator[DeclaredFloor | UnreadFloor]:
    """The floors of a service in a stack; `service` is `ScaledService`'s name."""
    for _, resource, variables in service_functions(assembly, stack, handler=_HANDLER, service=service):
        yield _read(resource.logical_id, variables.get("SETTINGS"))


def _read(logical_id: str, settings: Any) -> DeclaredFloor | UnreadFloor:
    try:
        given = json.loads(settings)
        return DeclaredFloor(
            logical_id=logical_id,
            utilization=float(given["utilization"]),
            look_back=LookBack(given["look_back"]),
            lead_minutes=int(given["lead_minutes"]),
            time_zone=str(given["time_zone"]),
            holidays=frozenset(date.fromisoformat(day) for day in given["holidays"]),
            is_dry_run=bool(given["dry_run"]),
        )
    except (KeyError, TypeError, ValueError):
        return UnreadFloor(logical_id=logical_id)
