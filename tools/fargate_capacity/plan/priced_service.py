"""A declared service and the price of its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.scaled_service import ScaledService, find_service
from fargate_capacity.pricing.fargate_prices import TABLE, FargatePrice, NoPriceError, find_price


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedService:
    """`price` is None if its tasks have no price; `unpriced` is the reason."""

    service: ScaledService
    price: FargatePrice | None
    unpriced: str | None

    @property
    def task_hour(self) -> float | None:
        """US dollars per task-hour."""
        if self.price is None:
            return None
        size = self.service
        return self.price.task_hour(vcpus=size.vcpus, memory_mib=size.memory_mib, storage_gib=size.storage_gib)


def price_service(folder: Path, *, service: str | None, region: str | None, prices: Path | None) -> PricedService:
    """The service of a cloud assembly, and its price.

    Raises:
        InputError: the service is ambiguous, or the requested region is not in the table.
    """
    declared = find_service(CloudAssembly(folder), service)
    price, unpriced = price_of(declared, region, prices)
    return PricedService(service=declared, price=price, unpriced=unpriced)


def price_of(declared: ScaledService, region: str | None, table: Path | None) -> tuple[FargatePrice | None, str | None]:
    """The price of the service's tasks, or the reason why there is none: a plan without prices is still useful.

    Raises:
        InputError: the requested region is not in the table.
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
