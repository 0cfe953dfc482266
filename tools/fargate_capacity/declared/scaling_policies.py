"""A service's scaling policies as declared in the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fargate_capacity.declared.declared_resource import (
    DeclaredResource,
    LeftOutError,
    ServiceReading,
    is_same,
    is_true,
    items,
    one_of,
)
from fargate_capacity.declared.predictive_policy import PredictivePolicy, predictive_policy
from fargate_capacity.declared.understood_properties import not_understood
from fargate_capacity.scaling_decisions import (
    Adjustment,
    Comparison,
    Metric,
    MissingData,
    Policy,
    StepBand,
    StepScaling,
    TargetTracking,
)
from fargate_capacity.scaling_decisions.target_tracking import HIGH_RESOLUTION_HIGH_PERIODS
from fargate_capacity.template import mapping

_SCALING_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
_ALARM = "AWS::CloudWatch::Alarm"
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


class ScalingPolicyReader:
    """Reads the policies of a service's scalable target; `declares_policies` is whether there was any.

    AWS's predictive scaling policies, which a replay cannot follow, are in `predictive` after all are read.
    """

    def __init__(self, reading: ServiceReading) -> None:
        self._reading = reading
        self.declares_policies = False
        self.predictive: list[PredictivePolicy] = []

    def policies(self, service: DeclaredResource) -> Iterator[Policy]:
        suspended = mapping(self._reading.target.properties.get("SuspendedState"))
        is_out_suspended = is_true(self._reading.target, suspended.get("DynamicScalingOutSuspended"))
        is_in_suspended = is_true(self._reading.target, suspended.get("DynamicScalingInSuspended"))
        for template in self._reading.assembly.templates:
            for resource in template.of_type(_SCALING_POLICY):
                policy = self._reading.declared(template, resource)
                if not self._is_of_target(policy):
                    continue
                self.declares_policies = True
                if is_out_suspended:
                    self._reading.leave_out(resource.logical_id, "scaling out is suspended")
                    continue
                self._reading.name_what_is_not_understood(policy, _SCALING_POLICY)
                for read in self._policy(policy, service):
                    if not is_in_suspended:
                        yield read
                    elif isinstance(read, TargetTracking):
                        yield replace(read, disable_scale_in=True)
                    elif all(band.change >= 0 for band in read.bands):
                        yield read
                    else:
                        self._reading.leave_out(resource.logical_id, "scaling in is suspended")

    def _policy(self, policy: DeclaredResource, service: DeclaredResource) -> list[Policy]:
        name = policy.resource.logical_id
        try:
            if tracking := mapping(policy.properties.get("TargetTrackingScalingPolicyConfiguration")):
                return [self._tracking(policy, tracking, service)]
            if steps := mapping(policy.properties.get("StepScalingPolicyConfiguration")):
                return list(self._steps(policy, steps, service))
            if policy.properties.get("PredictiveScalingPolicyConfiguration"):
                predictive, unknown = predictive_policy(policy)
                self.predictive.append(predictive)
                for each in unknown:
                    self._reading.leave_out(name, f"{each} is not understood")
                return []
            raise LeftOutError(f"{policy.text('PolicyType', 'a policy without a configuration')} is not modelled")
        except ValueError as error:
            self._reading.leave_out(name, str(error))
            return []

    def _is_of_target(self, policy: DeclaredResource) -> bool:
        target = self._reading.found.target
        referred = policy.functions.resource(policy.properties.get("ScalingTargetId"))
        if referred is not None:
            return referred[1].logical_id == target.logical_id and is_same(referred[0], self._reading.found.template)
        own, theirs = self._reading.target.text("ResourceId"), policy.text("ResourceId")
        # The services of two stacks of one class have the same names until they are deployed.
        is_comparable = is_same(policy.functions.template, self._reading.found.template) or "${" not in theirs
        return bool(theirs) and is_comparable and own == theirs

    def _tracking(
        self, policy: DeclaredResource, tracking: Mapping[str, Any], service: DeclaredResource
    ) -> TargetTracking:
        predefined = mapping(tracking.get("PredefinedMetricSpecification"))
        customised = mapping(tracking.get("CustomizedMetricSpecification"))
        kind = policy.functions.text(predefined.get("PredefinedMetricType", ""))
        metric = _TRACKED.get(kind)
        if customised:
            metric = self._cpu_metric(policy, customised, service)
            if metric is not Metric.CPU_AVERAGE:
                raise LeftOutError("target tracking on a customised metric is not modelled")
        if metric is None:
            raise LeftOutError(f"target tracking on {kind or 'no metric'} is not modelled")
        for name in not_understood("TargetTrackingScalingPolicyConfiguration", tracking):
            self._reading.leave_out(policy.resource.logical_id, f"{name} is not understood")
        is_quick = metric is Metric.CPU_AVERAGE_HIGH_RESOLUTION
        defaults = TargetTracking(target=1)
        return TargetTracking(
            target=policy.number("TargetValue", of=tracking),
            metric=metric,
            scale_out_cooldown_s=int(policy.number("ScaleOutCooldown", defaults.scale_out_cooldown_s, of=tracking)),
            scale_in_cooldown_s=int(policy.number("ScaleInCooldown", defaults.scale_in_cooldown_s, of=tracking)),
            disable_scale_in=is_true(policy, tracking.get("DisableScaleIn")),
            high_periods=HIGH_RESOLUTION_HIGH_PERIODS if is_quick else defaults.high_periods,
        )

    def _steps(
        self, policy: DeclaredResource, steps: Mapping[str, Any], service: DeclaredResource
    ) -> Iterator[StepScaling]:
        name = policy.resource.logical_id
        for key in not_understood("StepScalingPolicyConfiguration", steps):
            self._reading.leave_out(name, f"{key} is not understood")
        alarms = list(self._alarms_of(policy))
        if not alarms:
            raise LeftOutError("no alarm of the assembly sets this step policy off")
        for alarm in alarms:
            try:
                yield self._step_scaling(policy, steps, alarm, service)
                self._reading.name_what_is_not_understood(alarm, _ALARM)
            except ValueError as error:
                self._reading.leave_out(name, f"its alarm {alarm.resource.logical_id}: {error}")

    def _alarms_of(self, policy: DeclaredResource) -> Iterator[DeclaredResource]:
        name = policy.resource.logical_id
        for template in self._reading.assembly.templates:
            for resource in template.of_type(_ALARM):
                alarm = self._reading.declared(template, resource)
                if self._acts_on(alarm, "AlarmActions", policy):
                    yield alarm
                for state in ("OKActions", "InsufficientDataActions"):
                    if self._acts_on(alarm, state, policy):
                        self._reading.leave_out(
                            name, f"its alarm {resource.logical_id} acts by {state}, which is not modelled"
                        )

    def _acts_on(self, alarm: DeclaredResource, actions: str, policy: DeclaredResource) -> bool:
        template, name = policy.functions.template, policy.resource.logical_id
        for action in items(alarm.properties.get(actions)):
            found = alarm.functions.resource(action)
            if found and found[1].logical_id == name and is_same(found[0], template):
                return True
            shown = alarm.functions.text(action)
            if is_same(alarm.functions.template, template) and shown in (f"${{{name}}}", f"${{{name}.Arn}}"):
                return True
        return False

    def _step_scaling(
        self, policy: DeclaredResource, steps: Mapping[str, Any], alarm: DeclaredResource, service: DeclaredResource
    ) -> StepScaling:
        watched = alarm.properties
        if "ActionsEnabled" in watched and not is_true(alarm, watched["ActionsEnabled"]):
            raise LeftOutError("its actions are off")
        if "ThresholdMetricId" in watched:
            raise LeftOutError("a band of anomaly detection is not modelled")
        metric = self._cpu_metric(alarm, watched, service)
        if metric is None:
            raise LeftOutError("watches something else than the service's CPU, Average or Maximum")
        periods = int(alarm.number("EvaluationPeriods", 1))
        period_s = self._period_s(alarm)
        if period_s % 60:
            raise LeftOutError(f"a period of {period_s:g} seconds is not modelled")
        missing = alarm.text("TreatMissingData", "missing")
        if missing not in _MISSING:
            self._reading.leave_out(alarm.resource.logical_id, f"TreatMissingData {missing} is replayed as missing")
        return StepScaling(
            threshold=alarm.number("Threshold"),
            bands=tuple(self._band(policy, mapping(band)) for band in items(steps.get("StepAdjustments"))),
            metric=metric,
            comparison=one_of("ComparisonOperator", alarm.text("ComparisonOperator"), _COMPARISONS),
            adjustment=one_of(
                "AdjustmentType", policy.functions.text(steps.get("AdjustmentType", "ChangeInCapacity")), _ADJUSTMENTS
            ),
            periods=periods,
            datapoints=int(alarm.number("DatapointsToAlarm", periods)),
            period_minutes=int(period_s // 60),
            cooldown_s=int(policy.number("Cooldown", 300, of=steps)),
            minimum_magnitude=int(policy.number("MinAdjustmentMagnitude", 0, of=steps)),
            missing_data=_MISSING.get(missing, MissingData.MISSING),
        )

    def _band(self, policy: DeclaredResource, band: Mapping[str, Any]) -> StepBand:
        for name in not_understood("StepAdjustment", band):
            self._reading.leave_out(policy.resource.logical_id, f"{name} is not understood")
        return StepBand(
            change=int(policy.number("ScalingAdjustment", of=band)),
            lower=policy.number("MetricIntervalLowerBound", float("-inf"), of=band),
            upper=policy.number("MetricIntervalUpperBound", float("inf"), of=band),
        )

    def _period_s(self, alarm: DeclaredResource) -> float:
        queries = items(alarm.properties.get("Metrics"))
        return alarm.number("Period", 60, of=mapping(mapping(queries[0]).get("MetricStat")) if queries else None)

    def _cpu_metric(
        self, read: DeclaredResource, watched: Mapping[str, Any], service: DeclaredResource
    ) -> Metric | None:
        """Recognises the service's CPU in an alarm or a customised specification. None: it is another metric."""
        queries = items(watched.get("Metrics"))
        if queries:
            stat = mapping(mapping(queries[0]).get("MetricStat"))
            if len(queries) > 1 or not stat:
                raise LeftOutError("metric math is not modelled")
            watched = {**mapping(stat.get("Metric")), "Statistic": stat.get("Stat")}
        named = [read.functions.text(watched.get(key, "")) for key in ("Namespace", "MetricName", "Statistic")]
        if named[:2] != ["AWS/ECS", "CPUUtilization"]:
            return None
        self._check_dimensions(read, items(watched.get("Dimensions")), service)
        return _STATISTICS.get(named[2])

    def _check_dimensions(self, read: DeclaredResource, dimensions: list[Any], service: DeclaredResource) -> None:
        if not dimensions:
            # CloudWatch has no such metric without dimensions; a template that omits them means its one service.
            return
        given = {read.functions.text(mapping(each).get("Name")): mapping(each).get("Value") for each in dimensions}
        if "ServiceName" not in given:
            raise LeftOutError("watches a whole cluster, not the service")
        if not self._is_named(read, given["ServiceName"], service):
            raise LeftOutError(f"watches another service, {read.functions.text(given['ServiceName'])}")
        ours, theirs = service.text("Cluster").rpartition("/")[2], read.functions.text(given.get("ClusterName", ""))
        if "${" not in ours + theirs and ours and theirs and ours != theirs:
            raise LeftOutError(f"watches a service of another cluster, {theirs}")

    def _is_named(self, read: DeclaredResource, value: Any, service: DeclaredResource) -> bool:
        found = read.functions.resource(value)
        if found is not None:
            same = is_same(found[0], service.functions.template)
            return same and found[1].logical_id == service.resource.logical_id
        shown, name = read.functions.text(value), service.resource.logical_id
        literal = service.text("ServiceName")
        if literal and shown == literal:
            return True
        # The name may be given as a part of the service's ARN.
        names = (f"${{{name}.Name}}", f"${{{name}}}")
        return is_same(read.functions.template, service.functions.template) and shown in names
