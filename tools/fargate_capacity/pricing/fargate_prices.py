"""Fargate's prices by region and architecture, from a dated table; never estimated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fargate_capacity.input_error import InputError

# The project's only price table; a function that needs instance prices has a copy of that part.
TABLE = Path(__file__).with_name("prices.json")
# Ephemeral storage included in every task. https://aws.amazon.com/fargate/pricing/
FREE_STORAGE_GIB = 20.0


class NoPriceError(InputError):
    """The table has no price for such tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FargatePrice:
    """US dollars per hour on demand, and the discounts of Spot and a Savings Plan as shares.

    Args:
        architecture: `X86_64`, `ARM64`, or `WINDOWS_X86_64`, whose vCPUs also have a licence price.
        storage_gb_hour: price of ephemeral storage beyond the included part. Default: the table has none.
        dated: the day the prices were looked up.
        source: the source of the prices.
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
    licence_vcpu_hour: float = 0.0
    storage_gb_hour: float | None = None

    def task_hour(self, *, vcpus: float, memory_mib: float, storage_gib: float = FREE_STORAGE_GIB) -> float:
        """The price of one task-hour. Storage without a price counts as free; state this when printing the price."""
        storage = max(storage_gib - FREE_STORAGE_GIB, 0.0) * (self.storage_gb_hour or 0.0)
        return (self.vcpu_hour + self.licence_vcpu_hour) * vcpus + self.gb_hour * memory_mib / 1024 + storage


def find_price(*, region: str, architecture: str, table: Path = TABLE) -> FargatePrice:
    """The price for a region and an architecture, `X86_64`, `ARM64` or `WINDOWS_X86_64`.

    Raises:
        NoPriceError: the table lacks the region, or the architecture in it.
        InputError: the table cannot be read.
    """
    try:
        read: Mapping[str, Any] = json.loads(table.read_text(encoding="utf-8"))
        regions = read["regions"]
        if region not in regions:
            raise NoPriceError(
                f"region: got {region!r}, allowed: {', '.join(sorted(regions))}; give others with --prices FILE"
            )
        kinds = {name: found for name, found in regions[region].items() if isinstance(found, dict)}
        if architecture not in kinds:
            raise NoPriceError(
                f"architecture: got {architecture!r}, allowed in {region}: {', '.join(sorted(kinds))}; give others "
                "with --prices FILE"
            )
        found = kinds[architecture]
        storage = regions[region].get("storage_gb_hour")
        return FargatePrice(
            region=region,
            architecture=architecture,
            vcpu_hour=_amount(found["vcpu_hour"]),
            gb_hour=_amount(found["gb_hour"]),
            dated=str(read["dated"]),
            source=str(read["source"]),
            # Fargate Spot does not support Windows.
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/windows-considerations.html
            spot_discount=0.0 if architecture.startswith("WINDOWS") else _share(read["spot_discount"]),
            savings_plan_discount=_share(read["savings_plan_discount"]),
            licence_vcpu_hour=_amount(found["licence_vcpu_hour"]) if "licence_vcpu_hour" in found else 0.0,
            storage_gb_hour=None if storage is None else _amount(storage),
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
