"""A declared service and what its tasks cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.scaled_service import ScaledService, find_service
from fargate_capacity.pricing.fargate_prices import TABLE, FargatePrice, NoPriceError, find_price


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedService:
    """`price` is None where no price is that of its tasks, and `unpriced` says why."""

    service: ScaledService
    price: FargatePrice | None
    unpriced: str | None

    @property
    def task_hour(self) -> float | None:
        """US dollars an hour of one task."""
        if self.price is None:
            return None
        size = self.service
        return self.price.task_hour(vcpus=size.vcpus, memory_mib=size.memory_mib, storage_gib=size.storage_gib)


def price_service(folder: Path, *, service: str | None, region: str | None, prices: Path | None) -> PricedService:
    """The service of a cloud assembly, and its price.

    Raises:
        InputError: which service is meant is not clear, or the region that was asked for is not in the table.
    """
    declared = find_service(CloudAssembly(folder), service)
    price, unpriced = price_of(declared, region, prices)
    return PricedService(service=declared, price=price, unpriced=unpriced)


def price_of(declared: ScaledService, region: str | None, table: Path | None) -> tuple[FargatePrice | None, str | None]:
    """The price of the service's tasks, or why there is none: a plan of tasks is better than none.

    Raises:
        InputError: the region that was asked for is not in the table.
    """
    if declared.unpriced:
        return None, declared.unpriced
    place = region or declared.region
    if place is None:
        return None, f"the stack {declared.stack} names no region; give it with --region"
    is_windows = declared.operating_system == "WINDOWS"
    kind = f"WINDOWS_{declared.architecture}" if is_windows else declared.architecture
    try:
        return find_price(region=place, architecture=kind, table=table or TABLE), None
    except NoPriceError as error:
        if region is not None and "region:" in str(error):
            raise
        return None, f"the table has none for {kind} in {place}; give one with --prices FILE"
