"""An ECS service's scaling as the templates declare it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.service_identity import FoundService, choose_service
from fargate_capacity.declared.understood_properties import not_understood
from fargate_capacity.input_error import InputError
from fargate_capacity.intrinsic_functions import IntrinsicFunctions
from fargate_capacity.pricing.fargate_prices import FREE_STORAGE_GIB
from fargate_capacity.replay.service_model import DRAIN_S, HEALTH_CHECK_INTERVAL_S
from fargate_capacity.scaling_decisions import (
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
from fargate_capacity.scaling_decisions.target_tracking import HIGH_RESOLUTION_HIGH_PERIODS
from fargate_capacity.template import Resource, Template, mapping

T = TypeVar("T")

_SCALING_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
_ALARM = "AWS::CloudWatch::Alarm"
_TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
_TASK_DEFINITION = "AWS::ECS::TaskDefinition"
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
_MISSING = {
    "missing": MissingData.MISSING,
    "notBreaching": MissingData.NOT_BREACHING,
    "breaching": MissingData.BREACHING,
}
_ADJUSTMENTS = {
    "ChangeInCapacity": Adjustment.CHANGE_IN_CAPACITY,
    "PercentChangeInCapacity": Adjustment.PERCENT_CHANGE_IN_CAPACITY,
    "ExactCapacity": Adjustment.EXACT_CAPACITY,
}
_STATISTICS = {"Average": Metric.CPU_AVERAGE, "Maximum": Metric.CPU_MAXIMUM}
_FARGATE = ("FARGATE", "FARGATE_SPOT")
# Twenty times the quota of a service. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
_MOST_TASKS = 100_000
_MOST = 1_000_000_000
# More than the largest instance has.
_MOST_VCPUS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledService:
    """One service that has a scalable target.

    Args:
        name: its logical id, or its name where that is literal.
        stack: that declares it; `stack_identity` tells it from others of that name.
        identity: `Stack/Path`.
        region: Default: the deploy decides.
        unpriced: why no price of Fargate is that of its tasks. Default: one is.
        operating_system: `LINUX` or `WINDOWS`.
        vcpus, memory_mib: of one task.
        storage_gib: ephemeral storage of one task.
        bounds: of the scalable target, and `scheduled` what changes them.
        policies: those that a replay can follow; `declares_policies` says whether there is any at all.
        unmodelled: one line for each thing that it cannot.
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
    declares_policies: bool = True
    stack_identity: str = ""
    identity: str = ""
    unpriced: str | None = None
    operating_system: str = "LINUX"
    storage_gib: float = FREE_STORAGE_GIB


def find_service(assembly: CloudAssembly, wanted: str | None = None) -> ScaledService:
    """The service of that name, logical id (its hash may be left out) or `Stack/Path`; the only one by default.

    What of it cannot be read is named in `unmodelled`; what stays without meaning then (bounds, a task's size) is
    refused.

    Raises:
        InputError: there is none, there are several and none is named, or what is declared is known only after deploy.
    """
    found = choose_service(assembly, wanted)
    return _Reader(assembly, found).read()


class _LeftOutError(ValueError):
    """A thing that cannot be replayed, and why."""


class _Declared:
    """A resource's properties as they will be deployed, and what its references mean."""

    def __init__(self, assembly: CloudAssembly, template: Template, resource: Resource) -> None:
        self.functions = IntrinsicFunctions(assembly=assembly, template=template)
        self.resource = resource
        self.properties = mapping(self.functions.chosen(resource.properties))

    def text(self, name: str, default: str = "") -> str:
        return self.functions.text(self.properties.get(name, default))

    def number(self, name: str, default: float | None = None, *, of: Mapping[str, Any] | None = None) -> float:
        """A number, or the default where none is declared."""
        declared = (self.properties if of is None else of).get(name)
        if declared is None:
            if default is None:
                raise _LeftOutError(f"{name}: got none")
            return default
        text = self.functions.text(declared)
        try:
            number = float(text)
        except ValueError:
            raise _LeftOutError(
                f"{name}: got {text}, allowed: a number that the templates tell; the deploy alone knows it"
            ) from None
        if not abs(number) < _MOST:
            raise _LeftOutError(f"{name}: got {text}, allowed: below {_MOST:,}")
        return number

    def count(self, name: str, *, of: Mapping[str, Any] | None = None) -> int:
        """A number of tasks."""
        tasks = self.number(name, of=of)
        if not 0 <= tasks <= _MOST_TASKS:
            raise _LeftOutError(f"{name}: got {tasks:g}, allowed: 0 to {_MOST_TASKS:,} tasks")
        return int(tasks)


class _Reader:
    def __init__(self, assembly: CloudAssembly, found: FoundService) -> None:
        self._assembly = assembly
        self._found = found
        self._target = self._declared(found.template, found.target)
        self._unmodelled: list[str] = []
        self._declares_policies = False

    def read(self) -> ScaledService:
        name = self._found.name
        if self._found.service is None:
            raise InputError(
                f"{name}: got a scalable target without its service in the stack {self._found.template.stack}, "
                "allowed: a service of this assembly"
            )
        template, resource = self._found.service
        service = self._declared(template, resource)
        task = self._referred(service, service.properties.get("TaskDefinition"), _TASK_DEFINITION)
        if task is None:
            raise InputError(f"{name}: got no task definition in the assembly, allowed: one; it says the tasks' size")
        try:
            bounds = CapacityBounds(
                minimum=self._target.count("MinCapacity"), maximum=self._target.count("MaxCapacity")
            )
            vcpus, memory_mib = self._sizes(task)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        group = self._target_group(service)
        policies = tuple(self._policies(service))
        for read, kind in (
            (self._target, "AWS::ApplicationAutoScaling::ScalableTarget"),
            (service, "AWS::ECS::Service"),
            (task, _TASK_DEFINITION),
            *(((group, _TARGET_GROUP),) if group else ()),
        ):
            self._name_what_is_not_understood(read, kind)
        if "FARGATE_SPOT" in _providers(service):
            self._leave_out(
                service.resource.logical_id,
                "its share on Fargate Spot is not modelled: the bill on demand is of all tasks",
            )
        if bounds.minimum == 0:
            self._leave_out(
                self._target.resource.logical_id,
                "with 0 tasks nothing is served and there is no CPU datapoint, so no policy on CPU starts from 0",
            )
        self._unmodelled += self._assembly.unreadable
        return ScaledService(
            name=name,
            stack=template.stack,
            stack_identity=template.identity,
            identity=self._found.identity,
            region=template.region,
            architecture=task.functions.text(_platform(task).get("CpuArchitecture", "X86_64")),
            operating_system=self._operating_system(task),
            unpriced=_unpriced(service, task),
            vcpus=vcpus,
            memory_mib=memory_mib,
            storage_gib=self._storage(task),
            bounds=bounds,
            policies=policies,
            declares_policies=self._declares_policies,
            scheduled=tuple(self._scheduled()),
            unmodelled=tuple(dict.fromkeys(self._unmodelled)),
            health_check_seconds=self._health_check(group),
            drain_seconds=self._drain(group),
        )

    # ---- tasks -----------------------------------------------------------------------------------------------------
    def _sizes(self, task: _Declared) -> tuple[float, float]:
        """vCPUs and MiB of a task; on EC2 those of its containers where the task has none of its own."""
        found = []
        for key, unit, container_keys in (
            ("Cpu", "vcpu", ("Cpu",)),
            ("Memory", "gb", ("Memory", "MemoryReservation")),
        ):
            text = task.text(key).lower().replace(" ", "")
            if not text:
                containers = [mapping(each) for each in _items(task.properties.get("ContainerDefinitions"))]
                sizes = [
                    task.number(container_key, of=each)
                    for each in containers
                    if (container_key := next((one for one in container_keys if one in each), None))
                ]
                if not sum(sizes):
                    raise _LeftOutError(f"{key} of its task definition: got none, allowed: the size of a task")
                found.append(sum(sizes))
                continue
            scale = 1024 if text.endswith(unit) else 1
            try:
                found.append(float(text.removesuffix(unit)) * scale)
            except ValueError:
                raise _LeftOutError(
                    f"{key} of its task definition: got {text}, allowed: a number that the templates tell; the deploy "
                    "alone knows it"
                ) from None
        vcpus, memory_mib = found[0] / 1024, found[1]
        if not 0 < vcpus <= _MOST_VCPUS:
            raise _LeftOutError(f"Cpu of its task definition: got {vcpus:g} vCPUs, allowed: above 0 to {_MOST_VCPUS:,}")
        return vcpus, memory_mib

    def _storage(self, task: _Declared) -> float:
        try:
            return task.number("SizeInGiB", FREE_STORAGE_GIB, of=mapping(task.properties.get("EphemeralStorage")))
        except _LeftOutError as error:
            self._leave_out(task.resource.logical_id, f"EphemeralStorage: {error}")
            return FREE_STORAGE_GIB

    def _operating_system(self, task: _Declared) -> str:
        family = task.functions.text(_platform(task).get("OperatingSystemFamily", "LINUX"))
        return "WINDOWS" if family.startswith("WINDOWS") else family

    # ---- load balancer ---------------------------------------------------------------------------------------------
    def _target_group(self, service: _Declared) -> _Declared | None:
        for balancer in _items(service.properties.get("LoadBalancers")):
            group = self._referred(service, mapping(balancer).get("TargetGroupArn"), _TARGET_GROUP)
            if group:
                return group
        return None

    def _health_check(self, group: _Declared | None) -> float:
        if group is None:
            return HEALTH_CHECK_INTERVAL_S
        try:
            return group.number("HealthCheckIntervalSeconds", HEALTH_CHECK_INTERVAL_S)
        except _LeftOutError as error:
            self._leave_out(group.resource.logical_id, f"{error}; {HEALTH_CHECK_INTERVAL_S:g} s is taken")
            return HEALTH_CHECK_INTERVAL_S

    def _drain(self, group: _Declared | None) -> float:
        if group is None:
            return 0.0
        attributes = {
            group.functions.text(mapping(each).get("Key")): mapping(each).get("Value")
            for each in _items(group.properties.get("TargetGroupAttributes"))
        }
        try:
            if group.number("slow_start.duration_seconds", 0, of=attributes):
                self._leave_out(group.resource.logical_id, "slow start is not modelled")
            return group.number("deregistration_delay.timeout_seconds", DRAIN_S, of=attributes)
        except _LeftOutError as error:
            self._leave_out(group.resource.logical_id, f"{error}; {DRAIN_S:g} s is taken")
            return DRAIN_S

    # ---- schedules -------------------------------------------------------------------------------------------------
    def _scheduled(self) -> Iterator[ScheduledAction]:
        target = self._target
        suspended = mapping(target.properties.get("SuspendedState"))
        for number, declared in enumerate(_items(target.properties.get("ScheduledActions")), start=1):
            action = mapping(declared)
            named = target.functions.text(action.get("ScheduledActionName", f"scheduled action {number}"))
            what = f"{target.resource.logical_id}, {named}"
            if _is_true(target, suspended.get("ScheduledScalingSuspended")):
                self._leave_out(what, "scheduled scaling is suspended")
                continue
            try:
                yield self._scheduled_action(action)
            except ValueError as error:
                self._leave_out(what, str(error))
            for name in not_understood("ScheduledAction", action):
                self._leave_out(what, f"{name} is not understood")

    def _scheduled_action(self, action: Mapping[str, Any]) -> ScheduledAction:
        target = self._target
        bounds = mapping(action.get("ScalableTargetAction"))
        return ScheduledAction(
            schedule=target.functions.text(action.get("Schedule", "")),
            time_zone=target.functions.text(action.get("Timezone", "UTC")),
            minimum=target.count("MinCapacity", of=bounds) if "MinCapacity" in bounds else None,
            maximum=target.count("MaxCapacity", of=bounds) if "MaxCapacity" in bounds else None,
            begins=self._moment(action, "StartTime"),
            ends=self._moment(action, "EndTime"),
        )

    def _moment(self, action: Mapping[str, Any], name: str) -> datetime | None:
        if name not in action:
            return None
        text = self._target.functions.text(action[name])
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _LeftOutError(f"{name}: got {text}, allowed: ISO 8601, as 2027-01-01T00:00:00Z") from None
        # Documented: in UTC.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    # ---- policies --------------------------------------------------------------------------------------------------
    def _policies(self, service: _Declared) -> Iterator[Policy]:
        suspended = mapping(self._target.properties.get("SuspendedState"))
        is_out_suspended = _is_true(self._target, suspended.get("DynamicScalingOutSuspended"))
        is_in_suspended = _is_true(self._target, suspended.get("DynamicScalingInSuspended"))
        for template in self._assembly.templates:
            for resource in template.of_type(_SCALING_POLICY):
                policy = self._declared(template, resource)
                if not self._is_of_target(policy):
                    continue
                self._declares_policies = True
                if is_out_suspended:
                    self._leave_out(resource.logical_id, "scaling out is suspended")
                    continue
                self._name_what_is_not_understood(policy, _SCALING_POLICY)
                for read in self._policy(policy, service):
                    if not is_in_suspended:
                        yield read
                    elif isinstance(read, TargetTracking):
                        yield replace(read, disable_scale_in=True)
                    elif all(band.change >= 0 for band in read.bands):
                        yield read
                    else:
                        self._leave_out(resource.logical_id, "scaling in is suspended")

    def _policy(self, policy: _Declared, service: _Declared) -> list[Policy]:
        name = policy.resource.logical_id
        try:
            if tracking := mapping(policy.properties.get("TargetTrackingScalingPolicyConfiguration")):
                return [self._tracking(policy, tracking, service)]
            if steps := mapping(policy.properties.get("StepScalingPolicyConfiguration")):
                return list(self._steps(policy, steps, service))
            predictive = mapping(policy.properties.get("PredictiveScalingPolicyConfiguration"))
            # Documented: it only forecasts unless told otherwise.
            mode = policy.functions.text(predictive.get("Mode", "ForecastOnly")) if predictive else ""
            only = ", and only forecasts" if mode == "ForecastOnly" else ""
            raise _LeftOutError(
                f"{policy.text('PolicyType', 'a policy without a configuration')} is not modelled{only}"
            )
        except ValueError as error:
            self._leave_out(name, str(error))
            return []

    def _is_of_target(self, policy: _Declared) -> bool:
        target = self._found.target
        referred = policy.functions.resource(policy.properties.get("ScalingTargetId"))
        if referred is not None:
            return referred[1].logical_id == target.logical_id and _is_same(referred[0], self._found.template)
        own, theirs = self._target.text("ResourceId"), policy.text("ResourceId")
        # Two stacks of one class call their services alike until they are deployed.
        is_comparable = _is_same(policy.functions.template, self._found.template) or "${" not in theirs
        return bool(theirs) and is_comparable and own == theirs

    def _tracking(self, policy: _Declared, tracking: Mapping[str, Any], service: _Declared) -> TargetTracking:
        predefined = mapping(tracking.get("PredefinedMetricSpecification"))
        customised = mapping(tracking.get("CustomizedMetricSpecification"))
        kind = policy.functions.text(predefined.get("PredefinedMetricType", ""))
        metric = _TRACKED.get(kind)
        if customised:
            metric = self._cpu_metric(policy, customised, service)
            if metric is not Metric.CPU_AVERAGE:
                raise _LeftOutError("target tracking on a customised metric is not modelled")
        if metric is None:
            raise _LeftOutError(f"target tracking on {kind or 'no metric'} is not modelled")
        for name in not_understood("TargetTrackingScalingPolicyConfiguration", tracking):
            self._leave_out(policy.resource.logical_id, f"{name} is not understood")
        is_quick = metric is Metric.CPU_AVERAGE_HIGH_RESOLUTION
        defaults = TargetTracking(target=1)
        return TargetTracking(
            target=policy.number("TargetValue", of=tracking),
            metric=metric,
            scale_out_cooldown_s=int(policy.number("ScaleOutCooldown", defaults.scale_out_cooldown_s, of=tracking)),
            scale_in_cooldown_s=int(policy.number("ScaleInCooldown", defaults.scale_in_cooldown_s, of=tracking)),
            disable_scale_in=_is_true(policy, tracking.get("DisableScaleIn")),
            high_periods=HIGH_RESOLUTION_HIGH_PERIODS if is_quick else defaults.high_periods,
        )

    def _steps(self, policy: _Declared, steps: Mapping[str, Any], service: _Declared) -> Iterator[StepScaling]:
        name = policy.resource.logical_id
        for key in not_understood("StepScalingPolicyConfiguration", steps):
            self._leave_out(name, f"{key} is not understood")
        alarms = list(self._alarms_of(policy))
        if not alarms:
            raise _LeftOutError("no alarm of the assembly sets this step policy off")
        for alarm in alarms:
            try:
                yield self._step_scaling(policy, steps, alarm, service)
                self._name_what_is_not_understood(alarm, _ALARM)
            except ValueError as error:
                self._leave_out(name, f"its alarm {alarm.resource.logical_id}: {error}")

    def _alarms_of(self, policy: _Declared) -> Iterator[_Declared]:
        name = policy.resource.logical_id
        for template in self._assembly.templates:
            for resource in template.of_type(_ALARM):
                alarm = self._declared(template, resource)
                if self._acts_on(alarm, "AlarmActions", policy):
                    yield alarm
                for state in ("OKActions", "InsufficientDataActions"):
                    if self._acts_on(alarm, state, policy):
                        self._leave_out(name, f"its alarm {resource.logical_id} acts by {state}, which is not modelled")

    def _acts_on(self, alarm: _Declared, actions: str, policy: _Declared) -> bool:
        template, name = policy.functions.template, policy.resource.logical_id
        for action in _items(alarm.properties.get(actions)):
            found = alarm.functions.resource(action)
            if found and found[1].logical_id == name and _is_same(found[0], template):
                return True
            shown = alarm.functions.text(action)
            if _is_same(alarm.functions.template, template) and shown in (f"${{{name}}}", f"${{{name}.Arn}}"):
                return True
        return False

    def _step_scaling(
        self, policy: _Declared, steps: Mapping[str, Any], alarm: _Declared, service: _Declared
    ) -> StepScaling:
        watched = alarm.properties
        if "ActionsEnabled" in watched and not _is_true(alarm, watched["ActionsEnabled"]):
            raise _LeftOutError("its actions are off")
        if "ThresholdMetricId" in watched:
            raise _LeftOutError("a band of anomaly detection is not modelled")
        metric = self._cpu_metric(alarm, watched, service)
        if metric is None:
            raise _LeftOutError("watches something else than the service's CPU, Average or Maximum")
        periods = int(alarm.number("EvaluationPeriods", 1))
        period_s = self._period_s(alarm)
        if period_s % 60:
            raise _LeftOutError(f"a period of {period_s:g} seconds is not modelled")
        missing = alarm.text("TreatMissingData", "missing")
        if missing not in _MISSING:
            self._leave_out(alarm.resource.logical_id, f"TreatMissingData {missing} is replayed as missing")
        return StepScaling(
            threshold=alarm.number("Threshold"),
            bands=tuple(self._band(policy, mapping(band)) for band in _items(steps.get("StepAdjustments"))),
            metric=metric,
            comparison=_one_of("ComparisonOperator", alarm.text("ComparisonOperator"), _COMPARISONS),
            adjustment=_one_of(
                "AdjustmentType", policy.functions.text(steps.get("AdjustmentType", "ChangeInCapacity")), _ADJUSTMENTS
            ),
            periods=periods,
            datapoints=int(alarm.number("DatapointsToAlarm", periods)),
            period_minutes=int(period_s // 60),
            cooldown_s=int(policy.number("Cooldown", 300, of=steps)),
            minimum_magnitude=int(policy.number("MinAdjustmentMagnitude", 0, of=steps)),
            missing_data=_MISSING.get(missing, MissingData.MISSING),
        )

    def _band(self, policy: _Declared, band: Mapping[str, Any]) -> StepBand:
        for name in not_understood("StepAdjustment", band):
            self._leave_out(policy.resource.logical_id, f"{name} is not understood")
        return StepBand(
            change=int(policy.number("ScalingAdjustment", of=band)),
            lower=policy.number("MetricIntervalLowerBound", float("-inf"), of=band),
            upper=policy.number("MetricIntervalUpperBound", float("inf"), of=band),
        )

    def _period_s(self, alarm: _Declared) -> float:
        queries = _items(alarm.properties.get("Metrics"))
        return alarm.number("Period", 60, of=mapping(mapping(queries[0]).get("MetricStat")) if queries else None)

    def _cpu_metric(self, read: _Declared, watched: Mapping[str, Any], service: _Declared) -> Metric | None:
        """The service's CPU as an alarm or a customised specification names it. None: it is another metric."""
        queries = _items(watched.get("Metrics"))
        if queries:
            stat = mapping(mapping(queries[0]).get("MetricStat"))
            if len(queries) > 1 or not stat:
                raise _LeftOutError("metric math is not modelled")
            watched = {**mapping(stat.get("Metric")), "Statistic": stat.get("Stat")}
        named = [read.functions.text(watched.get(key, "")) for key in ("Namespace", "MetricName", "Statistic")]
        if named[:2] != ["AWS/ECS", "CPUUtilization"]:
            return None
        self._check_dimensions(read, _items(watched.get("Dimensions")), service)
        return _STATISTICS.get(named[2])

    def _check_dimensions(self, read: _Declared, dimensions: list[Any], service: _Declared) -> None:
        if not dimensions:
            # Without them CloudWatch has no such metric; a template that leaves them out means its one service.
            return
        given = {read.functions.text(mapping(each).get("Name")): mapping(each).get("Value") for each in dimensions}
        if "ServiceName" not in given:
            raise _LeftOutError("watches a whole cluster, not the service")
        if not self._is_named(read, given["ServiceName"], service):
            raise _LeftOutError(f"watches another service, {read.functions.text(given['ServiceName'])}")
        ours, theirs = service.text("Cluster").rpartition("/")[2], read.functions.text(given.get("ClusterName", ""))
        if "${" not in ours + theirs and ours and theirs and ours != theirs:
            raise _LeftOutError(f"watches a service of another cluster, {theirs}")

    def _is_named(self, read: _Declared, value: Any, service: _Declared) -> bool:
        found = read.functions.resource(value)
        if found is not None:
            same = _is_same(found[0], service.functions.template)
            return same and found[1].logical_id == service.resource.logical_id
        shown, name = read.functions.text(value), service.resource.logical_id
        literal = service.text("ServiceName")
        if literal and shown == literal:
            return True
        # A part of the service's ARN is the service's name, too.
        names = (f"${{{name}.Name}}", f"${{{name}}}")
        return _is_same(read.functions.template, service.functions.template) and shown in names

    # ---- what is shared --------------------------------------------------------------------------------------------
    def _declared(self, template: Template, resource: Resource) -> _Declared:
        return _Declared(self._assembly, template, resource)

    def _referred(self, read: _Declared, value: Any, resource_type: str) -> _Declared | None:
        found = read.functions.resource(value)
        return self._declared(*found) if found and found[1].type == resource_type else None

    def _leave_out(self, what: str, why: str) -> None:
        self._unmodelled.append(f"{what}: {why}")

    def _name_what_is_not_understood(self, read: _Declared, kind: str) -> None:
        name = read.resource.logical_id
        for each in not_understood(kind, read.properties):
            self._leave_out(name, f"{each} is not understood")
        unknown = {
            condition
            for condition in (read.resource.condition, *_conditions(read.resource.properties))
            if condition is not None and read.functions.condition(condition) is None
        }
        for condition in sorted(unknown):
            self._leave_out(name, f"the condition {condition} is known at the deployment only, and taken as true")


def _unpriced(service: _Declared, task: _Declared) -> str | None:
    """Why a task of the service has no price of Fargate."""
    launch = service.text("LaunchType")
    providers = _providers(service)
    compatible = [task.functions.text(each) for each in _items(task.properties.get("RequiresCompatibilities"))]
    if launch and launch != "FARGATE":
        return f"a task of the launch type {launch} has no price of its own"
    if others := [provider for provider in providers if provider not in _FARGATE]:
        return f"a task on the capacity provider {others[0]} has no price of its own"
    if launch or providers:
        return None
    if compatible and "FARGATE" not in compatible:
        return f"a task of the launch type {compatible[0]} has no price of its own"
    # Documented: without a launch type it is EC2. Fargate needs both of these, so a task without cannot mean it.
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
    if not compatible and (not task.text("Cpu") or task.text("NetworkMode", "awsvpc") != "awsvpc"):
        return "a task of the launch type EC2 has no price of its own"
    return None


def _providers(service: _Declared) -> list[str]:
    return [
        service.functions.text(mapping(each).get("CapacityProvider"))
        for each in _items(service.properties.get("CapacityProviderStrategy"))
    ]


def _platform(task: _Declared) -> Mapping[str, Any]:
    return mapping(task.properties.get("RuntimePlatform"))


def _is_true(read: _Declared, value: Any) -> bool:
    return read.functions.text(value).lower() == "true"


def _is_same(one: Template, other: Template) -> bool:
    return one.path == other.path and one.identity == other.identity


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _conditions(value: Any) -> Iterator[str]:
    """The names of the conditions that the values within decide by."""
    if isinstance(value, list):
        for item in value:
            yield from _conditions(item)
    elif isinstance(value, dict):
        match value:
            case {"Fn::If": [str(name), *_]}:
                yield name
        for item in value.values():
            yield from _conditions(item)


def _one_of(name: str, given: str, allowed: Mapping[str, T]) -> T:
    if given not in allowed:
        raise _LeftOutError(f"{name}: got {given}, allowed: {', '.join(allowed)}")
    return allowed[given]
