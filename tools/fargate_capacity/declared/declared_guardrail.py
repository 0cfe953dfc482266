"""The guardrail alarms of a tuner, as declared in the templates, that a replay can follow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fargate_capacity.replay.guardrail import GuardedMetric, GuardrailAlarm
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import Comparison, MissingData
from fargate_capacity.template import Resource, Template

_METRIC_ALARM = "AWS::CloudWatch::Alarm"
_COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_COMPARISONS = {
    "GreaterThanThreshold": Comparison.GREATER,
    "GreaterThanOrEqualToThreshold": Comparison.GREATER_OR_EQUAL,
    "LessThanThreshold": Comparison.LESS,
    "LessThanOrEqualToThreshold": Comparison.LESS_OR_EQUAL,
}
_MISSING = {"notBreaching": MissingData.NOT_BREACHING, "breaching": MissingData.BREACHING}
_CPU = {"Maximum": GuardedMetric.CPU_MAXIMUM, "Average": GuardedMetric.CPU_AVERAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredGuardrail:
    """The alarms that revert a step of the tuner.

    Args:
        alarms: the alarms that a replay can follow; any of them triggers the guardrail.
        left_out: one message per alarm that it cannot follow.
    """

    alarms: tuple[GuardrailAlarm, ...] = ()
    left_out: tuple[str, ...] = ()


def declared_guardrail(template: Template, guardrails: Any, model: ServiceModel) -> DeclaredGuardrail:
    """The alarms that a tuner watches, including those in composite alarms.

    Args:
        template: the tuner's stack.
        guardrails: the alarm names in the function's environment, with references to the alarms.
        model: converts a percentile of the latency to a mean.
    """
    alarms: list[GuardrailAlarm] = []
    left_out: list[str] = []
    for alarm in _alarms(template, guardrails, left_out):
        try:
            alarms.append(_read(alarm.properties, model))
        except (KeyError, TypeError, ValueError) as error:
            left_out.append(f"{alarm.logical_id}: {error}; this alarm of the guardrail is not replayed")
    return DeclaredGuardrail(alarms=tuple(dict.fromkeys(alarms)), left_out=tuple(left_out))


def _alarms(template: Template, guardrails: Any, left_out: list[str]) -> Iterator[Resource]:
    found: dict[str, Resource] = {}
    waiting = [guardrails]
    while waiting:
        for logical_id in _referred(waiting.pop()):
            resource = template.resources.get(logical_id)
            if resource is None or logical_id in found:
                continue
            found[logical_id] = resource
            if resource.type == _COMPOSITE_ALARM:
                rule = resource.properties.get("AlarmRule")
                if re.search(r"\b(AND|NOT|OK|INSUFFICIENT_DATA)\b", str(rule)):
                    left_out.append(f"{logical_id}: its rule is replayed as if any of its alarms fired it")
                waiting.append(rule)
            elif resource.type == _METRIC_ALARM:
                yield resource
    if not found:
        left_out.append("the tuner's guardrail: none of its alarms is in the stack's template")


def _referred(value: Any) -> Iterator[str]:
    """The logical ids in intrinsic functions at any depth."""
    if isinstance(value, list):
        for each in value:
            yield from _referred(each)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == "Ref" and isinstance(inner, str):
                yield inner
            elif name == "Fn::GetAtt":
                yield str(inner[0] if isinstance(inner, list) else inner).partition(".")[0]
            else:
                yield from _referred(inner)


def _read(watched: Mapping[str, Any], model: ServiceModel) -> GuardrailAlarm:
    threshold, period_s = float(watched["Threshold"]), float(watched.get("Period", 60))
    metric = _metric(watched)
    if metric is None:
        queries = [each for each in watched.get("Metrics", []) if "MetricStat" in each]
        names = {each["MetricStat"]["Metric"].get("MetricName") for each in queries}
        if len(queries) == 1 and len(watched["Metrics"]) == 1:
            stat = queries[0]["MetricStat"]
            period_s = float(stat.get("Period", 60))
            metric = _metric({**stat["Metric"], "Statistic": stat.get("Stat")})
        elif any("5XX" in str(name) for name in names) and "RequestCount" in names:
            metric, period_s = (GuardedMetric.FAILED_PERCENT, None), float(queries[0]["MetricStat"].get("Period", 60))
    if metric is None:
        shown = watched.get("MetricName") or "an expression"
        raise ValueError(f"it watches {shown}, which a replay does not know")
    kind, percentile = metric
    if percentile is not None:
        # Modelled: times at the task have an exponential tail; their p95 is `p95_ratio` times the mean.
        ratio = model.p95_ratio * math.log(1 - percentile / 100) / math.log(0.05)
        if threshold <= model.elsewhere_seconds:
            raise ValueError(f"its threshold is below the {model.elsewhere_seconds:g} s that requests wait elsewhere")
        threshold = model.elsewhere_seconds + (threshold - model.elsewhere_seconds) / ratio
    periods = int(watched.get("EvaluationPeriods", 1))
    return GuardrailAlarm(
        metric=kind,
        threshold=threshold,
        comparison=_COMPARISONS[watched["ComparisonOperator"]],
        periods=periods,
        datapoints=int(watched.get("DatapointsToAlarm", periods)),
        period_minutes=max(1, round(period_s / 60)),
        missing_data=_MISSING.get(str(watched.get("TreatMissingData")), MissingData.MISSING),
    )


def _metric(watched: Mapping[str, Any]) -> tuple[GuardedMetric, float | None] | None:
    """The metric that an alarm watches, and for latency the percentile."""
    statistic = str(watched.get("ExtendedStatistic") or watched.get("Statistic"))
    named = watched.get("Namespace"), watched.get("MetricName")
    if named == ("AWS/ECS", "CPUUtilization") and statistic in _CPU:
        return _CPU[statistic], None
    if named == ("AWS/ApplicationELB", "TargetResponseTime"):
        if statistic == "Average":
            return GuardedMetric.LATENCY, None
        if found := _PERCENTILE.fullmatch(statistic):
            return GuardedMetric.LATENCY, float(found[1])
    return None
