from typing import Any

import aws_cdk as cdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import CpuStep
from tests.constructs.known_at_deployment import whole


def test_adds_three_tasks_at_80_percent_by_default() -> None:
    assert (CpuStep().threshold_percent, CpuStep().add_tasks) == (80, 3)


@settings(deadline=None)
@given(threshold=st.floats(min_value=1, max_value=100), add_tasks=st.integers(1, 1000))
def test_takes_every_share_of_the_cpu_and_every_number_of_tasks(threshold: Any, add_tasks: Any) -> None:
    CpuStep(threshold_percent=threshold, add_tasks=add_tasks)


@settings(deadline=None)
@given(
    threshold=st.floats(max_value=1, exclude_max=True)
    | st.floats(min_value=100, exclude_min=True)
    | st.just(float("nan"))
)
def test_fails_when_the_threshold_is_no_share_of_the_cpu(threshold: Any) -> None:
    with pytest.raises(ValueError, match=r"^threshold_percent: got .*, allowed: a number, 1 to 100"):
        CpuStep(threshold_percent=threshold)


@settings(deadline=None)
@given(add_tasks=st.integers(max_value=0) | st.floats(1.1, 1.9))
def test_fails_when_no_whole_task_is_added(add_tasks: Any) -> None:
    with pytest.raises(ValueError, match=r"^add_tasks: got .*, allowed: a whole number, at least 1"):
        CpuStep(add_tasks=add_tasks)


def test_takes_tokens() -> None:
    token = whole(cdk.Token.as_number({"Ref": "Parameter"}))
    assert CpuStep(threshold_percent=token, add_tasks=token).add_tasks == token
