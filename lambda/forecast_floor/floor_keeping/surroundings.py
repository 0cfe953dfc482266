"""What the function knows about its service, from its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Self

import boto3
from botocore.config import Config
from floor_decisions import FloorSettings, LookBack

# Adaptive: all scheduled actions of a plan are written at once, and Application Auto Scaling throttles them.
_CALLS = Config(connect_timeout=3, read_timeout=20, retries={"mode": "adaptive", "total_max_attempts": 6})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The service whose minimum is kept, and where decisions are recorded and reported.

    Args:
        settings: settings of the floor.
        cluster, service: names of the ECS service.
        table: where decisions are recorded.
        topic: ARN of the topic that is notified.
        stack: ARN of the stack that declares the floor.
        namespace: namespace of the metrics.
        cpu_reports: number of CPU reports per task and minute.
        is_dry_run: decides, records and reports, and changes nothing.
    """

    settings: FloorSettings
    cluster: str
    service: str
    table: str
    topic: str
    stack: str
    namespace: str
    cpu_reports: int = 1
    is_dry_run: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The surroundings from the function's environment.

        Raises:
            KeyError, ValueError: the function and the construct that writes the environment have different versions.
        """
        given = json.loads(environment["SETTINGS"])
        return cls(
            settings=FloorSettings(
                minimum=int(environment["MIN_TASKS"]),
                maximum=int(environment["MAX_TASKS"]),
                utilization=given["utilization"],
                look_back=LookBack(given["look_back"]),
                lead_minutes=given["lead_minutes"],
                time_zone=given["time_zone"],
                holidays=frozenset(map(date.fromisoformat, given["holidays"])),
            ),
            cluster=environment["CLUSTER_NAME"],
            service=environment["SERVICE_NAME"],
            table=environment["TABLE_NAME"],
            topic=environment["ALERTS_TOPIC_ARN"],
            stack=environment["STACK_ARN"],
            namespace=environment["METRIC_NAMESPACE"],
            cpu_reports=int(environment.get("CPU_REPORTS_A_MINUTE", "1")),
            is_dry_run=given["dry_run"],
        )

    @property
    def scaled_resource(self) -> dict[str, str]:
        """The service as Application Auto Scaling names it."""
        return {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{self.cluster}/{self.service}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }

    @property
    def dimensions(self) -> list[dict[str, str]]:
        """Dimensions of the service's metrics, AWS's and the floor's own."""
        return [{"Name": "ClusterName", "Value": self.cluster}, {"Name": "ServiceName", "Value": self.service}]


class Clients:
    """Clients of the AWS services, each made at its first use."""

    @cached_property
    def scaling(self) -> Any:
        return boto3.client("application-autoscaling", config=_CALLS)

    @cached_property
    def stacks(self) -> Any:
        return boto3.client("cloudformation", config=_CALLS)

    @cached_property
    def metrics(self) -> Any:
        return boto3.client("cloudwatch", config=_CALLS)

    @cached_property
    def table(self) -> Any:
        return boto3.client("dynamodb", config=_CALLS)

    @cached_property
    def services(self) -> Any:
        return boto3.client("ecs", config=_CALLS)

    @cached_property
    def topics(self) -> Any:
        return boto3.client("sns", config=_CALLS)
