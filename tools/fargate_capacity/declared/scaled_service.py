"""An ECS service's scaling as declared in the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.declared_resource import DeclaredResource, LeftOutError, ServiceReading, is_true, items
from fargate_capacity.declared.predictive_policy import PredictivePolicy
from fargate_capacity.declared.scaling_policies import ScalingPolicyReader
from fargate_capacity.declared.service_identity import FoundService, choose_service
from fargate_capacity.declared.understood_properties import not_understood
from fargate_capacity.input_error import InputError
from fargate_capacity.pricing.fargate_prices import FREE_STORAGE_GIB
from fargate_capacity.replay.service_model import DRAIN_S, HEALTH_CHECK_INTERVAL_S
from fargate_capacity.scaling_decisions import CapacityBounds, Policy, ScheduledAction
from fargate_capacity.template import mapping

_TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
_TASK_DEFINITION = "AWS::ECS::TaskDefinition"
_FARGATE = ("FARGATE", "FARGATE_SPOT")
# More than the largest instance type has.
_MOST_VCPUS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledService:
    """A service with a scalable target.

    Args:
        name: the service's name if it is literal, otherwise its logical id.
        stack: the stack that declares it; `stack_identity` distinguishes stacks of the same name.
        identity: `Stack/Path`.
        region: the region. Default: known only at deployment.
        unpriced: the reason why its tasks have no Fargate price. Default: they have one.
        operating_system: `LINUX` or `WINDOWS`.
        vcpus, memory_mib: size of one task.
        storage_gib: ephemeral storage of one task.
        bounds: the scalable target's bounds; `scheduled` are the actions that change them.
        policies: the policies that a replay can follow; `declares_policies` is whether there is any policy.
        predictive: AWS's predictive scaling policies.
        unmodelled: one message for each thing that a replay cannot follow.
        health_check_seconds, drain_seconds: settings of its target group; AWS's defaults if there is none.
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
    predictive: tuple[PredictivePolicy, ...] = ()


def find_service(assembly: CloudAssembly, wanted: str | None = None) -> ScaledService:
    """The service with this name, logical id (its hash may be omitted) or `Stack/Path`; by default the only one.

    Unreadable properties are named in `unmodelled`, but unreadable bounds or task sizes are refused.

    Raises:
        InputError: there is no such service, there are several and none is named, or required values are known only
            after deployment.
    """
    found = choose_service(assembly, wanted)
    return _Reader(assembly, found).read()


class _Reader:
    def __init__(self, assembly: CloudAssembly, found: FoundService) -> None:
        self._reading = ServiceReading(assembly, found)
        self._policies = ScalingPolicyReader(self._reading)

    def read(self) -> ScaledService:
        name = self._reading.found.name
        if self._reading.found.service is None:
            raise InputError(
                f"{name}: got a scalable target without its service in the stack {self._reading.found.template.stack}, "
                "allowed: a service of this assembly"
            )
        template, resource = self._reading.found.service
        service = self._reading.declared(template, resource)
        task = self._reading.referred(service, service.properties.get("TaskDefinition"), _TASK_DEFINITION)
        if task is None:
            raise InputError(f"{name}: got no task definition in the assembly, allowed: one; it says the tasks' size")
        try:
            bounds = CapacityBounds(
                minimum=self._reading.target.count("MinCapacity"), maximum=self._reading.target.count("MaxCapacity")
            )
            vcpus, memory_mib = self._sizes(task)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        group = self._target_group(service)
        policies = tuple(self._policies.policies(service))
        for read, kind in (
            (self._reading.target, "AWS::ApplicationAutoScaling::ScalableTarget"),
            (service, "AWS::ECS::Service"),
            (task, _TASK_DEFINITION),
            *(((group, _TARGET_GROUP),) if group else ()),
        ):
            self._reading.name_what_is_not_understood(read, kind)
        if "FARGATE_SPOT" in _providers(service):
            self._reading.leave_out(
                service.resource.logical_id,
                "its share on Fargate Spot is not modelled: the bill on demand is of all tasks",
            )
        if bounds.minimum == 0:
            self._reading.leave_out(
                self._reading.target.resource.logical_id,
                "with 0 tasks nothing is served and there is no CPU datapoint, so no policy on CPU starts from 0",
            )
        self._reading.unmodelled += self._reading.assembly.unreadable
        return ScaledService(
            name=name,
            stack=template.stack,
            stack_identity=template.identity,
            identity=self._reading.found.identity,
            region=template.region,
            architecture=task.functions.text(_platform(task).get("CpuArchitecture", "X86_64")),
            operating_system=self._operating_system(task),
            unpriced=_unpriced(service, task),
            vcpus=vcpus,
            memory_mib=memory_mib,
            storage_gib=self._storage(task),
            bounds=bounds,
            policies=policies,
            declares_policies=self._policies.declares_policies,
            predictive=tuple(self._policies.predictive),
            scheduled=tuple(self._scheduled()),
            unmodelled=tuple(dict.fromkeys(self._reading.unmodelled)),
            health_check_seconds=self._health_check(group),
            drain_seconds=self._drain(group),
        )

    # ---- tasks -----------------------------------------------------------------------------------------------------
    def _sizes(self, task: DeclaredResource) -> tuple[float, float]:
        """vCPUs and MiB of a task; on EC2 the sum of its containers if the task declares none."""
        found = []
        for key, unit, container_keys in (
            ("Cpu", "vcpu", ("Cpu",)),
            ("Memory", "gb", ("Memory", "MemoryReservation")),
        ):
            text = task.text(key).lower().replace(" ", "")
            if not text:
                containers = [mapping(each) for each in items(task.properties.get("ContainerDefinitions"))]
                sizes = [
                    task.number(container_key, of=each)
                    for each in containers
                    if (container_key := next((one for one in container_keys if one in each), None))
                ]
                if not sum(sizes):
                    raise LeftOutError(f"{key} of its task definition: got none, allowed: the size of a task")
                found.append(sum(sizes))
                continue
            scale = 1024 if text.endswith(unit) else 1
            try:
                found.append(float(text.removesuffix(unit)) * scale)
            except ValueError:
                raise LeftOutError(
                    f"{key} of its task definition: got {text}, allowed: a number that the templates contain; only the "
                    "deployment knows this one"
                ) from None
        vcpus, memory_mib = found[0] / 1024, found[1]
        if not 0 < vcpus <= _MOST_VCPUS:
            raise LeftOutError(f"Cpu of its task definition: got {vcpus:g} vCPUs, allowed: above 0 to {_MOST_VCPUS:,}")
        return vcpus, memory_mib

    def _storage(self, task: DeclaredResource) -> float:
        try:
            return task.number("SizeInGiB", FREE_STORAGE_GIB, of=mapping(task.properties.get("EphemeralStorage")))
        except LeftOutError as error:
            self._reading.leave_out(task.resource.logical_id, f"EphemeralStorage: {error}")
            return FREE_STORAGE_GIB

    def _operating_system(self, task: DeclaredResource) -> str:
        family = task.functions.text(_platform(task).get("OperatingSystemFamily", "LINUX"))
        return "WINDOWS" if family.startswith("WINDOWS") else family

    # ---- load balancer ---------------------------------------------------------------------------------------------
    def _target_group(self, service: DeclaredResource) -> DeclaredResource | None:
        for balancer in items(service.properties.get("LoadBalancers")):
            group = self._reading.referred(service, mapping(balancer).get("TargetGroupArn"), _TARGET_GROUP)
            if group:
                return group
        return None

    def _health_check(self, group: DeclaredResource | None) -> float:
        if group is None:
            return HEALTH_CHECK_INTERVAL_S
        try:
            return group.number("HealthCheckIntervalSeconds", HEALTH_CHECK_INTERVAL_S)
        except LeftOutError as error:
            self._reading.leave_out(group.resource.logical_id, f"{error}; {HEALTH_CHECK_INTERVAL_S:g} s is taken")
            return HEALTH_CHECK_INTERVAL_S

    def _drain(self, group: DeclaredResource | None) -> float:
        if group is None:
            return 0.0
        attributes = {
            group.functions.text(mapping(each).get("Key")): mapping(each).get("Value")
            for each in items(group.properties.get("TargetGroupAttributes"))
        }
        try:
            if group.number("slow_start.duration_seconds", 0, of=attributes):
                self._reading.leave_out(group.resource.logical_id, "slow start is not modelled")
            return group.number("deregistration_delay.timeout_seconds", DRAIN_S, of=attributes)
        except LeftOutError as error:
            self._reading.leave_out(group.resource.logical_id, f"{error}; {DRAIN_S:g} s is taken")
            return DRAIN_S

    # ---- schedules -------------------------------------------------------------------------------------------------
    def _scheduled(self) -> Iterator[ScheduledAction]:
        target = self._reading.target
        suspended = mapping(target.properties.get("SuspendedState"))
        for number, declared in enumerate(items(target.properties.get("ScheduledActions")), start=1):
            action = mapping(declared)
            named = target.functions.text(action.get("ScheduledActionName", f"scheduled action {number}"))
            what = f"{target.resource.logical_id}, {named}"
            if is_true(target, suspended.get("ScheduledScalingSuspended")):
                self._reading.leave_out(what, "scheduled scaling is suspended")
                continue
            try:
                yield self._scheduled_action(action)
            except ValueError as error:
                self._reading.leave_out(what, str(error))
            for name in not_understood("ScheduledAction", action):
                self._reading.leave_out(what, f"{name} is not understood")

    def _scheduled_action(self, action: Mapping[str, Any]) -> ScheduledAction:
        target = self._reading.target
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
        text = self._reading.target.functions.text(action[name])
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise LeftOutError(f"{name}: got {text}, allowed: ISO 8601, as 2027-01-01T00:00:00Z") from None
        # Documented: in UTC.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _unpriced(service: DeclaredResource, task: DeclaredResource) -> str | None:
    """The reason why a task of the service has no Fargate price."""
    launch = service.text("LaunchType")
    providers = _providers(service)
    compatible = [task.functions.text(each) for each in items(task.properties.get("RequiresCompatibilities"))]
    if launch and launch != "FARGATE":
        return f"a task of the launch type {launch} has no price of its own"
    if others := [provider for provider in providers if provider not in _FARGATE]:
        return f"a task on the capacity provider {others[0]} has no price of its own"
    if launch or providers:
        return None
    if compatible and "FARGATE" not in compatible:
        return f"a task of the launch type {compatible[0]} has no price of its own"
    # Documented: the default launch type is EC2. Fargate needs both of these, so a task without them is not Fargate.
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
    if not compatible and (not task.text("Cpu") or task.text("NetworkMode", "awsvpc") != "awsvpc"):
        return "a task of the launch type EC2 has no price of its own"
    return None


def _providers(service: DeclaredResource) -> list[str]:
    return [
        service.functions.text(mapping(each).get("CapacityProvider"))
        for each in items(service.properties.get("CapacityProviderStrategy"))
    ]


def _platform(task: DeclaredResource) -> Mapping[str, Any]:
    return mapping(task.properties.get("RuntimePlatform"))
