"""A simulation's figures with name and bill, and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Simulation
from fargate_capacity.pricing.bill import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One simulation with its name and bill; the bill is None if its tasks have no price.

    Args:
        other: the figures by the other reading of AWS's documentation; both together are a range. Default: only one
            reading.
    """

    name: str
    simulation: Simulation
    bill: Bill | None
    other: Figures | None = None

    def as_json(self) -> dict[str, Any]:
        """All figures; the names contain the units."""
        return {
            "name": self.name,
            "setting": setting_as_json(self.simulation.setting),
            **self._sums(),
            "other_reading": self.other and self.other._sums(),
        }

    def _sums(self) -> dict[str, Any]:
        totals = asdict(self.simulation.totals)
        del totals["hours"]
        # JSON has no NaN, the value if no request was served or no task ran.
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
