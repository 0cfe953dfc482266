"""What the function knows about its service, from its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

import boto3
from botocore.config import Config
from scaling_decisions import ObservationPeriod, TunerSettings

# Shorter than botocore's defaults, so that a hanging call ends and is retried within the function's time limit.
_CALLS = Config(connect_timeout=3, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 3})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The tuned service, its guardrail alarms, and where the tuner records and reports its changes.

    Args:
        cluster, service: names of the ECS service.
        policy: name of the scaling policy whose target is tuned.
        parameter: name of the SSM parameter that holds the live target.
        table: where decisions are recorded.
        stack: ARN of the stack that declares the policy.
        topic: ARN of the topic that is notified.
        guardrails: names of the alarms that revert a step.
        cpu_reports: number of CPU reports per task and minute.
        load_balancer: the `LoadBalancer` dimension of its metrics. Default: none; latency is not compared.
        task_hour_price: price of a task per hour, in `currency`. Default: savings are reported in task-hours only.
        dashboard: dashboard on which changes are drawn. Default: none.
        is_dry_run: decides, records and reports, and changes nothing.
    """

    settings: TunerSettings
    cluster: str
    service: str
    policy: str
    parameter: str
    table: str
    stack: str
    topic: str
    guardrails: tuple[str, ...]
    cpu_reports: int = 1
    load_balancer: str | None = None
    task_hour_price: float | None = None
    currency: str | None = None
    dashboard: str | None = None
    is_dry_run: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The surroundings from the function's environment.

        Raises:
            KeyError, ValueError: the function and the construct that writes the environment have different versions.
        """
        given = json.loads(environment["SETTINGS"])
        thresholds = [float(each) for each in json.loads(environment.get("SPIKE_THRESHOLDS") or "[]")]
        return cls(
            settings=TunerSettings(
                ceiling=given["ceiling"],
                step=given["step"],
                observation=ObservationPeriod(given["observation"]),
                cool_off=timedelta(seconds=given["cool_off_seconds"]),
                final_margin=given["final_margin"],
                attempts=given["attempts"],
                max_latency_ratio=given["max_latency_ratio"],
                spike_threshold=min(thresholds, default=None),
            ),
            cluster=environment["CLUSTER_NAME"],
            service=environment["SERVICE_NAME"],
            policy=environment["POLICY_NAME"],
            parameter=environment["PARAMETER_NAME"],
            table=environment["TABLE_NAME"],
            stack=environment["STACK_ARN"],
            topic=environment["ALERTS_TOPIC_ARN"],
            guardrails=tuple(json.loads(environment["GUARDRAILS"])),
            cpu_reports=int(environment.get("CPU_REPORTS_A_MINUTE", "1")),
            load_balancer=environment.get("LOAD_BALANCER"),
            task_hour_price=given["task_hour_price"],
            currency=given["currency"],
            dashboard=environment.get("DASHBOARD_NAME"),
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

    @cached_property
    def parameters(self) -> Any:
        return boto3.client("ssm", config=_CALLS)
