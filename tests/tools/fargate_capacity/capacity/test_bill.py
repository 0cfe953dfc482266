import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.pricing.bill import bill_of
from fargate_capacity.pricing.fargate_prices import TABLE, FargatePrice, find_price
from fargate_capacity.replay.replay import BoundsChange, Replay
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds


@pytest.fixture
def price() -> FargatePrice:
    return dataclasses.replace(
        find_price(region="us-east-1", architecture="X86_64"), spot_discount=0.7, savings_plan_discount=0.25
    )


def totals_of(*hours: Any, minimum: int = 1) -> Any:
    """Totals of a replay that wants so many tasks in each hour."""
    changes = [
        BoundsChange(minute=60 * hour, bounds=CapacityBounds(minimum=minimum, maximum=tasks))
        if tasks == minimum
        else BoundsChange(minute=60 * hour, bounds=CapacityBounds(minimum=tasks, maximum=tasks))
        for hour, tasks in enumerate(hours)
    ]
    model = ServiceModel(vcpus=1, cpu_seconds=0.01, drain_seconds=0)
    replay = Replay(
        model=model,
        policies=(),
        bounds=CapacityBounds(minimum=minimum, maximum=max(hours)),
        changes=changes,
        desired=hours[0],
    )
    replay.feed(np.zeros(60 * len(hours)))
    return replay.totals()


def test_on_demand_is_task_hours_times_vcpus_and_memory(price: FargatePrice) -> None:
    bill = bill_of(totals_of(4, 4), price=price, vcpus=0.5, memory_mib=1024)
    assert bill.on_demand == pytest.approx(8 * (0.5 * 0.04048 + 1 * 0.004445))


def test_a_steady_load_is_committed_whole(price: FargatePrice) -> None:
    bill = bill_of(totals_of(*[4] * 24), price=price, vcpus=1, memory_mib=2048)
    hour = 4 * (0.04048 + 2 * 0.004445)
    assert bill.commitment == pytest.approx(0.75 * hour)
    assert bill.with_savings_plan == pytest.approx(0.75 * bill.on_demand)
    assert bill.commitment_lost == pytest.approx(0)


def test_a_plan_is_used_or_lost(price: FargatePrice) -> None:
    """Committing for an hour's usage pays where three quarters of the hours have it."""
    totals = dataclasses.replace(totals_of(2), task_hours=2 * 3 + 10 * 21.0, hours=np.zeros(2000, dtype=np.int64))
    totals.hours[[120, 600]] = [3, 21]
    bill = bill_of(totals, price=price, vcpus=1, memory_mib=1024)
    hour = 10 * (0.04048 + 0.004445) * 0.75
    assert bill.commitment == pytest.approx(hour)
    assert bill.commitment_lost == pytest.approx(3 * hour * 8 / 10)
    assert bill.with_savings_plan == pytest.approx(24 * hour)


def test_a_plan_that_would_be_lost_is_not_bought(price: FargatePrice) -> None:
    totals = dataclasses.replace(totals_of(2), task_hours=10 * 3.0, hours=np.zeros(2000, dtype=np.int64))
    totals.hours[[0, 600]] = [21, 3]
    bill = bill_of(totals, price=price, vcpus=1, memory_mib=1024)
    assert (bill.commitment, bill.commitment_lost) == (0, 0)
    assert bill.with_savings_plan == bill.on_demand


def test_spot_is_what_is_above_the_minimum(price: FargatePrice) -> None:
    totals = dataclasses.replace(totals_of(4), task_hours=10.0, above_minimum_task_hours=6.0)
    bill = bill_of(totals, price=price, vcpus=1, memory_mib=1024)
    assert bill.with_spot == pytest.approx((4 + 6 * 0.3) / 10 * bill.on_demand)


def test_fails_when_the_region_is_unknown() -> None:
    with pytest.raises(InputError, match=r"region: got 'mars-1', allowed: af-south-1, "):
        find_price(region="mars-1", architecture="X86_64")


def test_fails_when_the_architecture_is_unknown() -> None:
    with pytest.raises(InputError, match=r"got 'SPARC', allowed in us-east-1: ARM64, WINDOWS_X86_64, X86_64"):
        find_price(region="us-east-1", architecture="SPARC")


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    table = json.loads(TABLE.read_text())
    table["regions"]["eu-north-1"] = {"ARM64": {"vcpu_hour": 0.03, "gb_hour": 0.003}}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(table))
    assert find_price(region="eu-north-1", architecture="ARM64", table=path).vcpu_hour == 0.03


@pytest.mark.parametrize("content", ["", "{}", '{"regions": {"us-east-1": {"ARM64": {"vcpu_hour": -1}}}}'])
def test_fails_when_the_table_is_not_one(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content)
    with pytest.raises(InputError, match="got no price table"):
        find_price(region="us-east-1", architecture="ARM64", table=path)


def test_windows_pays_a_licence_and_has_no_spot() -> None:
    price = find_price(region="us-east-1", architecture="WINDOWS_X86_64")
    assert price.task_hour(vcpus=2, memory_mib=4096) == pytest.approx(2 * (0.046552 + 0.046) + 4 * 0.00511175)
    assert price.spot_discount == 0


def test_storage_beyond_what_is_included_is_paid(price: FargatePrice) -> None:
    twenty, fifty = (price.task_hour(vcpus=1, memory_mib=2048, storage_gib=size) for size in (20, 50))
    assert fifty - twenty == pytest.approx(30 * 0.000111)
