"""What Fargate costs, by region and architecture: a dated table, never a guess."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fargate_capacity.input_error import InputError

TABLE = Path(__file__).with_name("fargate_prices.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class FargatePrice:
    """US dollars an hour on demand, Linux, and the shares by which Spot and a Savings Plan are cheaper.

    Args:
        dated: the day the prices were looked up.
        source: where.
        spot_discount: AWS says "up to"; the price moves, so this is the best case.
        savings_plan_discount: of a Compute Savings Plan over one year, nothing paid upfront.
    """

    region: str
    architecture: str
    vcpu_hour: float
    gb_hour: float
    dated: str
    source: str
    spot_discount: float
    savings_plan_discount: float

    def task_hour(self, *, vcpus: float, memory_mib: float) -> float:
        """Of one task."""
        return self.vcpu_hour * vcpus + self.gb_hour * memory_mib / 1024


def find_price(*, region: str, architecture: str, table: Path = TABLE) -> FargatePrice:
    """The price of a region and an architecture, `X86_64` or `ARM64`.

    Raises:
        InputError: the table cannot be read, or has no such region.
    """
    try:
        read: Mapping[str, Any] = json.loads(table.read_text(encoding="utf-8"))
        regions = read["regions"]
        if region not in regions:
            raise InputError(
                f"region: got {region!r}, allowed: {', '.join(sorted(regions))}; give others with --prices FILE"
            )
        if architecture not in regions[region]:
            raise InputError(
                f"architecture: got {architecture!r}, allowed in {region}: {', '.join(sorted(regions[region]))}"
            )
        found = regions[region][architecture]
        return FargatePrice(
            region=region,
            architecture=architecture,
            vcpu_hour=_amount(found["vcpu_hour"]),
            gb_hour=_amount(found["gb_hour"]),
            dated=str(read["dated"]),
            source=str(read["source"]),
            spot_discount=_share(read["spot_discount"]),
            savings_plan_discount=_share(read["savings_plan_discount"]),
        )
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{table}: got no price table ({type(error).__name__}: {error}); allowed: the shape of {TABLE.name}"
        ) from None


def _amount(value: Any) -> float:
    if not float(value) > 0:
        raise ValueError(f"got the price {value}, allowed: above 0")
    return float(value)


def _share(value: Any) -> float:
    if not 0 <= float(value) < 1:
        raise ValueError(f"got the discount {value}, allowed: 0 to below 1")
    return float(value)
