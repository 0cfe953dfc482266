"""Makes the hottest task's CPU exceed the spike alarm's threshold, and returns the number of tasks to be added."""

from __future__ import annotations

import dataclasses
from typing import Any

from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.deployed_service import DeployedService

_ABOVE = 10.0
_AVERAGE_PERCENT = 30.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpikeAlarm:
    """The alarm on the maximum of CPUUtilization that triggers a step policy of the service."""

    threshold: float
    dimensions: list[dict[str, str]]
    adds: int
    max_tasks: int


def find_spike_alarm(clients: Any, service: DeployedService) -> SpikeAlarm:
    """Raises StepError if the service has no step policy on its maximum CPU."""
    scaling = clients("application-autoscaling")
    selected = {
        "ServiceNamespace": "ecs",
        "ResourceId": service.resource_id,
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    policies = scaling.describe_scaling_policies(**selected)["ScalingPolicies"]
    steps = {
        policy["PolicyARN"]: policy["StepScalingPolicyConfiguration"]
        for policy in policies
        if policy["PolicyType"] == "StepScaling"
    }
    targets = scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[service.resource_id], ScalableDimension="ecs:service:DesiredCount"
    )["ScalableTargets"]
    for page in clients("cloudwatch").get_paginator("describe_alarms").paginate():
        for alarm in page["MetricAlarms"]:
            acting = [steps[action] for action in alarm.get("AlarmActions", []) if action in steps]
            if acting and alarm.get("MetricName") == "CPUUtilization" and alarm.get("Statistic") == "Maximum":
                return SpikeAlarm(
                    threshold=alarm["Threshold"],
                    dimensions=alarm["Dimensions"],
                    adds=_added(acting[0]),
                    max_tasks=targets[0]["MaxCapacity"],
                )
    raise StepError(
        f"no alarm on the maximum of CPUUtilization makes a step policy of {service.resource_id} act: spike scaling is "
        "not attached to it"
    )


def put_spike(clients: Any, alarm: SpikeAlarm, *, tasks: int) -> float:
    """Publishes, as ECS does, one minute in which one task is hot and the others are not. Returns the maximum."""
    maximum = min(100.0, alarm.threshold + _ABOVE)
    samples = max(tasks, 2)
    rest = (_AVERAGE_PERCENT * samples - maximum) / (samples - 1)
    low = max(1.0, rest)
    clients("cloudwatch").put_metric_data(
        Namespace="AWS/ECS",
        MetricData=[
            {
                "MetricName": "CPUUtilization",
                "Dimensions": alarm.dimensions,
                "Unit": "Percent",
                "StatisticValues": {
                    "SampleCount": samples,
                    "Sum": maximum + low * (samples - 1),
                    "Minimum": low,
                    "Maximum": maximum,
                },
            }
        ],
    )
    return maximum


def _added(configuration: dict[str, Any]) -> int:
    """The number of tasks that the step just above the threshold adds."""
    for step in configuration["StepAdjustments"]:
        low = step.get("MetricIntervalLowerBound", float("-inf"))
        high = step.get("MetricIntervalUpperBound", float("inf"))
        if low <= _ABOVE < high:
            added: int = step["ScalingAdjustment"]
            return added
    raise StepError("the spike's step policy has no step above its alarm's threshold")
