"""A simulation's figures, named and billed, and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Simulation
from fargate_capacity.pricing.bill import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One simulation, named, with its bill; None where its tasks have no price.

    Args:
        other: the same by the other reading of AWS's documentation; with this one it makes a range. Default: one
            reading alone.
    """

    name: str
    simulation: Simulation
    bill: Bill | None
    other: Figures | None = None

    def as_json(self) -> dict[str, Any]:
        """All figures; units are in the names."""
        return {
            "name": self.name,
            "setting": setting_as_json(self.simulation.setting),
            **self._sums(),
            "other_reading": self.other and self.other._sums(),
        }

    def _sums(self) -> dict[str, Any]:
        totals = asdict(self.simulation.totals)
        del totals["hours"]
        # JSON has no NaN: nothing was served, or nothing ran.
        totals = {name: None if number != number else number for name, number in totals.items()}
        return {"totals": totals, "bill_usd": asdict(self.bill) if self.bill else None}


def setting_as_json(setting: Setting) -> dict[str, Any]:
    """Bounds and policies."""
    policies = []
    for policy in setting.policies:
        fields = asdict(policy)
        for name in ("metric", "comparison", "adjustment", "missing_data"):
            if name in fields:
                fields[name] = fields[name].name.lower()
        for band in fields.get("bands", ()):
            # JSON has no infinity.
            band.update({side: None for side in ("lower", "upper") if abs(band[side]) == float("inf")})
        policies.append({"type": type(policy).__name__, **fields})
    return {
        "minimum": setting.bounds.minimum,
        "maximum": setting.bounds.maximum,
        "policies": policies,
        "floor": None if setting.floor is None else setting.floor.as_json(),
    }
