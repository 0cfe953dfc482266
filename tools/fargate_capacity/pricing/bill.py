"""The cost of a replay's task-hours: on demand, partly on Spot, and with a Compute Savings Plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fargate_capacity.pricing.fargate_prices import FREE_STORAGE_GIB, FargatePrice
from fargate_capacity.replay.replay import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """US dollars for the whole replay.

    Args:
        on_demand: everything on demand.
        with_spot: the tasks above the minimum on Spot, at the lowest Spot price.
        with_savings_plan: at the cheapest commitment.
        commitment: US dollars per hour, paid whether used or not.
        commitment_lost: the unused part of the commitment.
    """

    on_demand: float
    with_spot: float
    with_savings_plan: float
    commitment: float
    commitment_lost: float


def bill_of(
    totals: Totals, *, price: FargatePrice, vcpus: float, memory_mib: float, storage_gib: float = FREE_STORAGE_GIB
) -> Bill:
    """The bill of a replay of tasks of this size."""
    task_hour = price.task_hour(vcpus=vcpus, memory_mib=memory_mib, storage_gib=storage_gib)
    on_demand = totals.task_hours * task_hour
    best, least, lost = 0.0, on_demand, 0.0
    used = np.flatnonzero(totals.hours)
    task_minutes, counts = used.astype(float), totals.hours[used].astype(float)
    whole_hours = float(counts.sum())
    # Cost is linear between two hourly usages, so the minimum is at one of them.
    for level in task_minutes:
        covered = np.minimum(task_minutes, level)
        rate = task_hour * (1 - price.savings_plan_discount) / 60
        committed = level * rate * whole_hours
        beyond = float(((task_minutes - covered) * counts).sum()) * task_hour / 60
        # An incomplete hour is on demand: a plan bills whole hours.
        rest = on_demand - float((task_minutes * counts).sum()) * task_hour / 60
        cost = committed + beyond + rest
        if cost < least:
            best, least = level * rate, cost
            lost = max(committed - float((covered * counts).sum()) * rate, 0.0)
    return Bill(
        on_demand=on_demand,
        with_spot=on_demand - totals.above_minimum_task_hours * task_hour * price.spot_discount,
        with_savings_plan=least,
        commitment=best,
        commitment_lost=lost,
    )
