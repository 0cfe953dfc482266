"""An ECS service's scaling as the templates declare it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from scaling_decisions import (
    Adjustment,
    CapacityBounds,
    Comparison,
    Metric,
    MissingData,
    Policy,
    ScheduledAction,
    StepBand,
    StepScaling,
    TargetTracking,
)
from scaling_decisions.target_tracking import HIGH_RESOLUTION_HIGH_PERIODS

from fargate_capacity.cloud_assembly import CloudAssembly, Resource, Template
from fargate_capacity.input_error import InputError
from fargate_capacity.intrinsic_functions import IntrinsicFunctions
from fargate_capacity.replay.service_model import DRAIN_S, HEALTH_CHECK_INTERVAL_S

T = TypeVar("T")

_SCALABLE_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
_SCALING_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
_DESIRED_COUNT = "ecs:service:DesiredCount"
_LOGICAL_ID = re.compile(r"\$\{([A-Za-z0-9]+)\.Name\}")
_HASH = re.compile(r"[0-9A-F]{8}$")
_TRACKED = {
    "ECSServiceAverageCPUUtilization": Metric.CPU_AVERAGE,
    "ECSServiceAverageCPUUtilizationHighResolution": Metric.CPU_AVERAGE_HIGH_RESOLUTION,
    "ALBRequestCountPerTarget": Metric.REQUESTS_PER_TASK,
}
_COMPARISONS = {
    "GreaterThanThreshold": Comparison.GREATER,
    "GreaterThanOrEqualToThreshold": Comparison.GREATER_OR_EQUAL,
    "LessThanThreshold": Comparison.LESS,
    "LessThanOrEqualToThreshold": Comparison.LESS_OR_EQUAL,
}
_MISSING = {"notBreaching": MissingData.NOT_BREACHING, "breaching": MissingData.BREACHING}
_ADJUSTMENTS = {
    "ChangeInCapacity": Adjustment.CHANGE_IN_CAPACITY,
    "PercentChangeInCapacity": Adjustment.PERCENT_CHANGE_IN_CAPACITY,
    "ExactCapacity": Adjustment.EXACT_CAPACITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledService:
    """One service that has a scalable target.

    Args:
        name: its logical id, or its name where that is literal.
        stack: that declares it.
        region: Default: the deploy decides.
        vcpus, memory_mib: of one task.
        bounds: of the scalable target, and `scheduled` what changes them.
        policies: those that a replay can follow.
        unmodelled: one line for each that it cannot.
        health_check_seconds, drain_seconds: of its target group; AWS's defaults where there is none.
    """

    name: str
    stack: str
    region: str | None
    architecture: str
    vcpus: float
    memory_mib: float
    bounds: CapacityBounds
    policies: tuple[Policy, ...]
    scheduled: tuple[ScheduledAction, ...]
    unmodelled: tuple[str, ...]
    health_check_seconds: float
    drain_seconds: float


def find_service(assembly: CloudAssembly, wanted: str | None = None) -> ScaledService:
    """The service of that name or logical id (its hash may be left out); the only one, where none is named.

    Raises:
        InputError: there is none, there are several and none is named, or what is declared is known only after deploy.
    """
    found = list(_scalable_targets(assembly))
    names = [name for name, _, _, _ in found]
    if not found:
        raise InputError(
            f"got no ECS service with a scalable target in {len(assembly.templates)} templates; "
            "allowed: at least one; add auto scaling to the service, or synthesise the app that has it"
        )
    chosen = found if wanted is None else [each for each in found if wanted in (each[0], _HASH.sub("", each[0]))]
    if not chosen:
        raise InputError(f"--service: got {wanted!r}, allowed: {', '.join(names)}")
    if len(chosen) > 1:
        raise InputError(f"got {len(chosen)} scaled services, {', '.join(names)}; choose one with --service")
    name, template, target, service = chosen[0]
    return _Reader(assembly, template).read(name, target, service)


def _scalable_targets(assembly: CloudAssembly) -> Iterator[tuple[str, Template, Resource, Resource | None]]:
    for template in assembly.templates:
        functions = IntrinsicFunctions(assembly=assembly, template=template)
        for target in template.of_type(_SCALABLE_TARGET):
            if functions.text(target.properties.get("ScalableDimension")) != _DESIRED_COUNT:
                continue
            path = functions.text(target.properties.get("ResourceId", ""))
            referred = _LOGICAL_ID.search(path)
            service = template.resources.get(referred[1]) if referred else None
            if service is None:
                service = _service_named(template, functions, path.rpartition("/")[2])
            yield service.logical_id if service else path.rpartition("/")[2], template, target, service


def _service_named(template: Template, functions: IntrinsicFunctions, name: str) -> Resource | None:
    services = list(template.of_type("AWS::ECS::Service"))
    return next((each for each in services if functions.text(each.properties.get("ServiceName", "")) == name), None)


class _Reader:
    def __init__(self, assembly: CloudAssembly, template: Template) -> None:
        self._template = template
        self._functions = IntrinsicFunctions(assembly=assembly, template=template)
        self._unmodelled: list[str] = []

    def read(self, name: str, target: Resource, service: Resource | None) -> ScaledService:
        if service is None:
            raise InputError(
                f"{name}: got a scalable target without its service in the stack {self._template.stack}, allowed: "
                "both in one stack"
            )
        task = self._referred(service.properties.get("TaskDefinition"), "AWS::ECS::TaskDefinition")
        if task is None:
            raise InputError(f"{name}: got no task definition in its stack, allowed: one; it says the tasks' size")
        group = self._target_group(service)
        attributes = {
            each.get("Key"): each.get("Value")
            for each in group.get("TargetGroupAttributes", [])
            if isinstance(each, dict)
        }
        properties = target.properties
        try:
            bounds = CapacityBounds(
                minimum=int(self._number(f"{name}: MinCapacity", properties.get("MinCapacity"))),
                maximum=int(self._number(f"{name}: MaxCapacity", properties.get("MaxCapacity"))),
            )
            scheduled = tuple(self._scheduled(each) for each in properties.get("ScheduledActions", []))
            policies = tuple(self._policies(target))
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        architecture = task.properties.get("RuntimePlatform", {}).get("CpuArchitecture", "X86_64")
        return ScaledService(
            name=name,
            stack=self._template.stack,
            region=self._template.region,
            architecture=self._functions.text(architecture),
            vcpus=self._size(name, "Cpu", task, "vcpu") / 1024,
            memory_mib=self._size(name, "Memory", task, "gb"),
            bounds=bounds,
            policies=policies,
            scheduled=scheduled,
            unmodelled=tuple(self._unmodelled),
            health_check_seconds=self._number(
                "HealthCheckIntervalSeconds", group.get("HealthCheckIntervalSeconds", HEALTH_CHECK_INTERVAL_S)
            ),
            drain_seconds=self._number(
                "deregistration_delay.timeout_seconds",
                attributes.get("deregistration_delay.timeout_seconds", DRAIN_S if group else 0),
            ),
        )

    def _target_group(self, service: Resource) -> Mapping[str, Any]:
        for balancer in service.properties.get("LoadBalancers") or []:
            group = self._referred(balancer.get("TargetGroupArn"), "AWS::ElasticLoadBalancingV2::TargetGroup")
            if group:
                return group.properties
        return {}

    def _referred(self, value: Any, resource_type: str) -> Resource | None:
        logical_id = value.get("Ref") if isinstance(value, dict) else None
        resource = self._template.resources.get(logical_id) if isinstance(logical_id, str) else None
        return resource if resource and resource.type == resource_type else None

    def _number(self, name: str, value: Any) -> float:
        text = self._functions.text(value)
        try:
            return float(text)
        except ValueError:
            raise InputError(
                f"{name}: got {text}, allowed: a number that the templates tell; the deploy alone knows it"
            ) from None

    def _size(self, name: str, key: str, task: Resource, unit: str) -> float:
        text = self._functions.text(task.properties.get(key, "")).lower().replace(" ", "")
        if text.endswith(unit):
            return self._number(f"{name}: {key}", text.removesuffix(unit)) * 1024
        return self._number(f"{name}: {key} of its task definition", text)

    def _scheduled(self, declared: Mapping[str, Any]) -> ScheduledAction:
        action = declared.get("ScalableTargetAction", {})
        return ScheduledAction(
            schedule=self._functions.text(declared.get("Schedule", "")),
            time_zone=self._functions.text(declared.get("Timezone", "UTC")),
            minimum=None if "MinCapacity" not in action else int(self._number("MinCapacity", action["MinCapacity"])),
            maximum=None if "MaxCapacity" not in action else int(self._number("MaxCapacity", action["MaxCapacity"])),
        )

    def _policies(self, target: Resource) -> Iterator[Policy]:
        for policy in self._template.of_type(_SCALING_POLICY):
            if not self._is_of(policy, target):
                continue
            if tracking := policy.properties.get("TargetTrackingScalingPolicyConfiguration"):
                yield from self._tracking(policy, tracking)
            elif steps := policy.properties.get("StepScalingPolicyConfiguration"):
                yield from self._steps(policy, steps)
            else:
                kind = policy.properties.get("PolicyType")
                self._unmodelled.append(f"{policy.logical_id}: {kind} is not modelled and left out")

    def _is_of(self, policy: Resource, target: Resource) -> bool:
        properties = policy.properties
        if properties.get("ScalingTargetId") == {"Ref": target.logical_id}:
            return True
        same = self._functions.text(properties.get("ResourceId", "")) == self._functions.text(
            target.properties["ResourceId"]
        )
        return "ResourceId" in properties and same

    def _tracking(self, policy: Resource, tracking: Mapping[str, Any]) -> Iterator[TargetTracking]:
        predefined = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
        metric = _TRACKED.get(predefined)
        if metric is None:
            shown = predefined or "a customised metric"
            self._unmodelled.append(f"{policy.logical_id}: target tracking on {shown} is not modelled and left out")
            return
        is_quick = metric is Metric.CPU_AVERAGE_HIGH_RESOLUTION
        defaults = TargetTracking(target=1)
        yield TargetTracking(
            target=self._number(f"{policy.logical_id}: TargetValue", tracking.get("TargetValue")),
            metric=metric,
            scale_out_cooldown_s=int(
                self._number("ScaleOutCooldown", tracking.get("ScaleOutCooldown", defaults.scale_out_cooldown_s))
            ),
            scale_in_cooldown_s=int(
                self._number("ScaleInCooldown", tracking.get("ScaleInCooldown", defaults.scale_in_cooldown_s))
            ),
            disable_scale_in=bool(tracking.get("DisableScaleIn", False)),
            high_periods=HIGH_RESOLUTION_HIGH_PERIODS if is_quick else defaults.high_periods,
        )

    def _steps(self, policy: Resource, steps: Mapping[str, Any]) -> Iterator[StepScaling]:
        alarms = [
            alarm
            for alarm in self._template.of_type("AWS::CloudWatch::Alarm")
            if {"Ref": policy.logical_id} in (alarm.properties.get("AlarmActions") or [])
        ]
        if not alarms:
            self._unmodelled.append(f"{policy.logical_id}: no alarm of its stack sets this step policy off; left out")
        for alarm in alarms:
            metric = _alarm_metric(alarm.properties)
            if metric is None:
                self._unmodelled.append(
                    f"{policy.logical_id}: its alarm {alarm.logical_id} watches something else than the service's "
                    "CPU, Average or Maximum; left out"
                )
                continue
            yield self._step_scaling(steps, alarm, metric)

    def _step_scaling(self, steps: Mapping[str, Any], alarm: Resource, metric: Metric) -> StepScaling:
        watched = alarm.properties
        periods = int(self._number("EvaluationPeriods", watched.get("EvaluationPeriods", 1)))
        return StepScaling(
            threshold=self._number(f"{alarm.logical_id}: Threshold", watched.get("Threshold")),
            bands=tuple(
                StepBand(
                    change=int(self._number("ScalingAdjustment", band.get("ScalingAdjustment"))),
                    lower=self._number("MetricIntervalLowerBound", band.get("MetricIntervalLowerBound", "-inf")),
                    upper=self._number("MetricIntervalUpperBound", band.get("MetricIntervalUpperBound", "inf")),
                )
                for band in steps.get("StepAdjustments", [])
            ),
            metric=metric,
            comparison=_one_of("ComparisonOperator", watched.get("ComparisonOperator"), _COMPARISONS),
            adjustment=_one_of("AdjustmentType", steps.get("AdjustmentType", "ChangeInCapacity"), _ADJUSTMENTS),
            periods=periods,
            datapoints=int(self._number("DatapointsToAlarm", watched.get("DatapointsToAlarm", periods))),
            period_minutes=max(1, round(self._number("Period", watched.get("Period", 60)) / 60)),
            cooldown_s=int(self._number("Cooldown", steps.get("Cooldown", 300))),
            minimum_magnitude=int(self._number("MinAdjustmentMagnitude", steps.get("MinAdjustmentMagnitude", 0))),
            missing_data=_MISSING.get(str(watched.get("TreatMissingData")), MissingData.MISSING),
        )


def _alarm_metric(watched: Mapping[str, Any]) -> Metric | None:
    statistic = watched.get("Statistic")
    if watched.get("Namespace") == "AWS/ECS" and watched.get("MetricName") == "CPUUtilization":
        return {"Average": Metric.CPU_AVERAGE, "Maximum": Metric.CPU_MAXIMUM}.get(str(statistic))
    for query in watched.get("Metrics") or []:
        found = query.get("MetricStat", {})
        metric = found.get("Metric", {})
        if len(watched["Metrics"]) == 1:
            return _alarm_metric({**metric, "Statistic": found.get("Stat")})
    return None


def _one_of(name: str, given: Any, allowed: Mapping[str, T]) -> T:
    if given not in allowed:
        raise InputError(f"{name}: got {given}, allowed: {', '.join(allowed)}")
    return allowed[given]
