"""What a deployment of changed settings has changed in the embedded AWS, and what it must not change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Self

from moderation_rehearsal.cpu_spike import find_spike_alarm
from moderation_rehearsal.deployed_service import DeployedService


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeployedState:
    """`dashboards` maps a name to its body.

    `thresholds` are the service's: the spike alarm's and the tracked targets, in percent.
    """

    desired_tasks: int
    dashboards: dict[str, Any] = dataclasses.field(repr=False)
    thresholds: frozenset[float]

    @classmethod
    def observe(cls, clients: Any, service: DeployedService) -> Self:
        """Raises StepError if the service has no spike scaling."""
        return cls(
            desired_tasks=service.desired_count(),
            dashboards=dict(_dashboards(clients("cloudwatch"))),
            thresholds=frozenset({find_spike_alarm(clients, service).threshold, *_tracked(clients, service)}),
        )

    def changed_dashboards(self, before: Self) -> list[str]:
        """Each changed value as "dashboard: place in the body: before → after"."""
        every = {**before.dashboards, **self.dashboards}
        return [
            f"{name}: {difference}"
            for name in every
            for difference in _differences(before.dashboards.get(name), self.dashboards.get(name))
        ]

    def undrawn_thresholds(self, before: Self) -> list[float]:
        """New thresholds that no dashboard shows as a horizontal line, if there are dashboards."""
        drawn = {float(line["value"]) for line in _horizontal_lines(self.dashboards)}
        return sorted(self.thresholds - before.thresholds - drawn) if self.dashboards else []


def _dashboards(cloudwatch: Any) -> Iterator[tuple[str, Any]]:
    for entry in cloudwatch.list_dashboards()["DashboardEntries"]:
        name = entry["DashboardName"]
        yield name, json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])


def _tracked(clients: Any, service: DeployedService) -> Iterator[float]:
    policies = clients("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=service.resource_id
    )["ScalingPolicies"]
    for policy in policies:
        if policy["PolicyType"] == "TargetTrackingScaling":
            yield float(policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])


def _horizontal_lines(dashboards: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for body in dashboards.values():
        for widget in body.get("widgets", []):
            for line in widget.get("properties", {}).get("annotations", {}).get("horizontal", []):
                # A band is a pair of lines.
                yield from line if isinstance(line, list) else [line]


def _differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [(str(key), before.get(key), after.get(key)) for key in {**before, **after}]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(str(index), *both) for index, both in enumerate(zip(before, after, strict=True))]
    else:
        if before != after:
            yield f"{place or 'body'}: {_short(before)} → {_short(after)}"
        return
    for key, one, other in pairs:
        yield from _differences(one, other, f"{place}.{key}" if place else key)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
