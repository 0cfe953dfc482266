"""Tasks that are hot while they start pass the CPU maximum that asked for them.

The embedded AWS's scaling and the shared decisions see the same service, minute by minute on a clock of the test's own.
"""

import types
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Template
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceVpc, SpikeScaling
from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from cdk_rehearsal.plug_in.applicationautoscaling import service as embedded
from cdk_rehearsal.plug_in.cloudwatch.alarm_evaluation import judge
from fargate_capacity.scaling_decisions import MISSING, CapacityBounds, Metric, ScalingEngine, StepBand, StepScaling

LEAST, MOST = 4, 40
DELAY_MINUTES = 2
FORMER_COOLDOWN_S = 120

Decide = Callable[[float], int]
"""The desired count after a minute whose CPU maximum is that; NaN where there is none."""


@pytest.fixture(scope="module")
def template() -> Template:
    """A service with spike scaling and alarms, by default."""
    stack = cdk.Stack(cdk.App(), "Stack")
    image = ecs.ContainerImage.from_registry("nginx:1.29")
    web = ScaledFargateService(stack, "Web", vpc=ServiceVpc(stack, "Vpc"), image=image)
    SpikeScaling(stack, "Spikes", service=web)
    ServiceAlarms(stack, "Alarms", service=web)
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def policy(template: Template) -> dict[str, Any]:
    (found,) = template.find_resources(
        "AWS::ApplicationAutoScaling::ScalingPolicy", {"Properties": {"PolicyType": "StepScaling"}}
    ).values()
    configuration: dict[str, Any] = found["Properties"]["StepScalingPolicyConfiguration"]
    return configuration


@pytest.fixture(scope="module")
def saturated(template: Template) -> dict[str, Any]:
    found = template.find_resources("AWS::CloudWatch::Alarm").values()
    alarm: dict[str, Any]
    (alarm,) = [
        each["Properties"] for each in found if str(each["Properties"].get("AlarmName")).endswith("-CpuSaturated")
    ]
    return alarm


class EmbeddedService:
    """A service in the embedded AWS's Application Auto Scaling; a minute passes with each decision."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any]) -> None:
        self.desired = LEAST
        self._now = 0.0
        clock = types.SimpleNamespace(monotonic=lambda: self._now, time=lambda: self._now)
        capacity = types.SimpleNamespace(desired_count=lambda _: self.desired, set_desired_count=self._set)
        monkeypatch.setattr(embedded, "time", clock)
        monkeypatch.setitem(embedded._CAPACITIES, "ecs:service:DesiredCount", capacity)
        self._scaling = embedded.ApplicationAutoScaling(account="111122223333", region="us-east-1")
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/shop/web",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self._scaling.register_scalable_target({**target, "MinCapacity": LEAST, "MaxCapacity": MOST})
        self._policy = self._scaling.put_scaling_policy(
            {**target, "PolicyName": "spikes", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": policy}
        )["PolicyARN"]

    def decide(self, cpu_maximum: float) -> int:
        self._now += 60
        # In ALARM the action comes every minute.
        if cpu_maximum >= 80:
            self._scaling.act(self._policy, {"AlarmName": "spikes", "Threshold": 80}, cpu_maximum)
        return self.desired

    def _set(self, _: str, count: int) -> None:
        self.desired = count


def shared_decisions(policy: dict[str, Any]) -> Decide:
    step = StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=int(policy["Cooldown"]))
    engine = ScalingEngine(policies=[step], desired=LEAST)
    bounds = CapacityBounds(minimum=LEAST, maximum=MOST)

    def decide(cpu_maximum: float) -> int:
        return engine.minute(values={Metric.CPU_MAXIMUM: cpu_maximum}, running=engine.desired, bounds=bounds)

    return decide


@pytest.fixture(params=["the embedded AWS", "the shared decisions"])
def deciding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Decide]:
    def make(policy: dict[str, Any]) -> Decide:
        if request.param == "the shared decisions":
            return shared_decisions(policy)
        return EmbeddedService(monkeypatch, policy).decide

    return make


def desired_counts(decide: Decide, *, hot_minutes: int, launch_minutes: int = 1, minutes: int = 120) -> list[int]:
    """The desired count after each minute, without any load: tasks are hot when they start and idle from then on.

    It begins with one task that was replaced.
    """
    births = [-minutes] * (LEAST - 1) + [0]
    maxima: list[float] = [MISSING] * DELAY_MINUTES
    counts = []
    for minute in range(minutes):
        maxima.append(100 if any(0 <= minute - birth < hot_minutes for birth in births) else 40)
        desired = decide(maxima[minute])
        births += [minute + 1 + launch_minutes] * (desired - len(births))
        counts.append(desired)
    return counts


def test_two_hot_minutes_took_four_tasks_to_the_maximum(
    deciding: Callable[..., Decide], policy: dict[str, Any]
) -> None:
    counts = desired_counts(deciding({**policy, "Cooldown": FORMER_COOLDOWN_S}), hot_minutes=2)

    assert counts[:12] == [4, 4, 7, 7, 7, 7, 10, 10, 10, 10, 13, 13]
    assert counts.index(MOST) == 46


@pytest.mark.parametrize("hot_minutes", range(1, 7))
def test_by_default_a_hot_start_asks_for_one_step(
    deciding: Callable[..., Decide], policy: dict[str, Any], hot_minutes: int
) -> None:
    counts = desired_counts(deciding(policy), hot_minutes=hot_minutes)

    assert max(counts) == LEAST + 3


@pytest.mark.parametrize(
    ("cooldown_minutes", "hot_minutes", "most"),
    [
        *((2, hot, MOST) for hot in range(1, 8)),
        (5, 1, LEAST + 3),
        *((5, hot, MOST) for hot in range(2, 8)),
        *((10, hot, LEAST + 3) for hot in range(1, 7)),
        (10, 7, MOST),
    ],
)
def test_the_table_of_the_documentation(
    policy: dict[str, Any], cooldown_minutes: int, hot_minutes: int, most: int
) -> None:
    decide = shared_decisions({**policy, "Cooldown": 60 * cooldown_minutes})

    assert max(desired_counts(decide, hot_minutes=hot_minutes, minutes=240)) == most


def test_what_the_default_does_not_cover_is_what_its_documentation_says(
    deciding: Callable[..., Decide], policy: dict[str, Any]
) -> None:
    assert max(desired_counts(deciding(policy), hot_minutes=7)) > LEAST + 3
    # Minutes that a task is hot, and four.
    assert max(desired_counts(deciding({**policy, "Cooldown": 11 * 60}), hot_minutes=7)) == LEAST + 3


def test_the_first_step_comes_in_the_minute_in_which_the_spike_is_seen(
    deciding: Callable[..., Decide], policy: dict[str, Any]
) -> None:
    decide = deciding(policy)

    assert [decide(maximum) for maximum in (40, 79.9, 80)] == [4, 4, 7]


def test_a_spike_that_goes_on_gets_a_further_step_after_the_cooldown(
    deciding: Callable[..., Decide], policy: dict[str, Any]
) -> None:
    decide = deciding(policy)
    counts = [decide(maximum) for maximum in (85, *[100] * 9, 100)]

    assert counts == [7] * 10 + [10]


def states(alarm: dict[str, Any], maxima: list[float]) -> set[str]:
    """The alarm's states as the embedded AWS judges them, minute by minute."""
    periods = alarm["EvaluationPeriods"]
    known: list[float | None] = [40.0] * periods
    known += maxima
    return {judge(alarm, known[end - periods : end])[0] for end in range(periods, len(known) + 1)}


@pytest.mark.parametrize("hot_minutes", range(1, 7))
def test_a_deployment_whose_tasks_start_hot_is_no_saturation(saturated: dict[str, Any], hot_minutes: int) -> None:
    """The guardrail neither stops the deployment nor takes a tuned target back. Tasks start over two minutes."""
    assert states(saturated, [100.0] * (hot_minutes + 1 + 2) + [40.0] * 20) == {"OK"}


def test_five_minutes_of_saturation_took_a_deployment_of_tasks_that_are_hot_for_two(saturated: dict[str, Any]) -> None:
    former = {**saturated, "EvaluationPeriods": 5, "DatapointsToAlarm": 5}

    assert "ALARM" in states(former, [100.0] * (2 + 1 + 2))


def test_a_cpu_that_stays_saturated_is_one(saturated: dict[str, Any]) -> None:
    assert "ALARM" in states(saturated, [95.0] * 10)
    assert states(saturated, [95.0] * 9) == {"OK"}


@settings(max_examples=60, deadline=None)
@given(
    hot_minutes=st.integers(1, 12),
    launch_minutes=st.integers(0, 3),
    cooldown_minutes=st.integers(0, 20),
)
def test_a_cooldown_that_outlasts_the_start_asks_for_one_step(
    hot_minutes: int, launch_minutes: int, cooldown_minutes: int
) -> None:
    decide = shared_decisions({"Cooldown": 60 * cooldown_minutes})
    counts = desired_counts(decide, hot_minutes=hot_minutes, launch_minutes=launch_minutes)

    if cooldown_minutes >= hot_minutes + launch_minutes + DELAY_MINUTES + 1:
        assert max(counts) == LEAST + 3
    elif cooldown_minutes <= hot_minutes + launch_minutes + DELAY_MINUTES - 1:
        assert max(counts) > LEAST + 3
