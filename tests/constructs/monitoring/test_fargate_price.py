from typing import Any

import pytest

from cdk_fargate_sagemaker.monitoring import FargatePrice


def test_a_task_costs_its_vcpus_and_its_memory() -> None:
    price = FargatePrice(vcpu_hour=0.04, gib_hour=0.005)

    assert price.task_hour(cpu=512, memory_mib=1024) == pytest.approx(0.02 + 0.005)


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (
            {"vcpu_hour": 0, "gib_hour": 0.005},
            "vcpu_hour: got 0, allowed: a number, above 0, below 1000; give the price of one hour",
        ),
        ({"vcpu_hour": float("nan"), "gib_hour": 0.005}, "vcpu_hour: got nan, allowed: a number, above 0"),
        ({"vcpu_hour": 0.04, "gib_hour": -1}, "gib_hour: got -1, allowed: a number, at least 0"),
    ],
)
def test_fails_when_a_price_is_none(prices: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FargatePrice(**prices)
