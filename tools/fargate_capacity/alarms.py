"""The alarms that a dashboard's widgets refer to by ARN, as the templates declare them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fargate_capacity.annotations import HorizontalLine
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.dashboard_body import Expression, Line, Metric
from fargate_capacity.intrinsic_functions import IntrinsicFunctions
from fargate_capacity.template import Resource, Template

_ARN_OF_LOGICAL_ID = re.compile(r"\$\{([A-Za-z0-9]+)\.Arn\}")
_SIGNS = {
    "GreaterThanOrEqualToThreshold": ">=",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}
_DEFAULT_PERIOD_S = 300
_ALARM_RED = "#d62728"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm as declared in a template.

    Args:
        threshold: the threshold. Default: none (a composite alarm), or known only at deployment.
        lines: the metrics it watches.
    """

    name: str
    summary: str
    threshold: HorizontalLine | None
    lines: tuple[Line, ...]


class Alarms:
    """Finds alarms by ARN, first in the dashboard's own template."""

    def __init__(self, *, assembly: CloudAssembly, template: Template) -> None:
        self._assembly = assembly
        self._templates = (template, *(other for other in assembly.templates if other is not template))

    def find(self, arn: str) -> Alarm | None:
        """The alarm, or `None` if no template declares it."""
        by_id, by_name = _ARN_OF_LOGICAL_ID.fullmatch(arn), arn.rpartition(":alarm:")[2]
        for template in self._templates:
            functions = IntrinsicFunctions(assembly=self._assembly, template=template)
            for resource in template.resources.values():
                if resource.type not in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
                    continue
                name = functions.text(resource.properties.get("AlarmName", resource.logical_id))
                if (by_id and by_id[1] == resource.logical_id) or (not by_id and by_name == name):
                    return _read(resource, name, functions)
        return None

    def shown_name(self, arn: str) -> str:
        """The name of an alarm, or the known part of it."""
        found = self.find(arn)
        return found.name if found else arn.rpartition(":alarm:")[2]


def _read(resource: Resource, name: str, functions: IntrinsicFunctions) -> Alarm:
    properties = resource.properties
    lines = tuple(_lines(properties, functions))
    sign = _SIGNS.get(str(properties.get("ComparisonOperator")), "at")
    try:
        value = float(functions.text(properties["Threshold"]))
    except (KeyError, ValueError):
        return Alarm(name=name, summary=str(properties.get("AlarmDescription", "")), threshold=None, lines=lines)
    shown = next((line for line in lines if line.is_visible), None)
    what = shown.source.name if shown and isinstance(shown.source, Metric) else (shown and shown.label) or name
    datapoints = properties.get("DatapointsToAlarm", properties.get("EvaluationPeriods", 1))
    periods = properties.get("EvaluationPeriods", 1)
    summary = f"{what} {sign} {value:g}, {datapoints} of {periods} periods"
    return Alarm(
        name=name,
        summary=summary,
        threshold=HorizontalLine(value=value, label=f"{what} {sign} {value:g}", color=_ALARM_RED),
        lines=lines,
    )


def _lines(properties: Any, functions: IntrinsicFunctions) -> list[Line]:
    if "MetricName" in properties:
        return [Line(source=_metric(properties, properties, functions, stat_key="Statistic"))]
    lines = []
    declared = properties.get("Metrics")
    for query in declared if isinstance(declared, list) else []:
        if not isinstance(query, dict):
            continue
        is_visible = query.get("ReturnData", True) is not False
        label = functions.text(query["Label"]) if "Label" in query else None
        source: Metric | Expression
        if "MetricStat" in query:
            stat = query["MetricStat"]
            source = _metric(stat.get("Metric", {}), stat, functions, stat_key="Stat")
        else:
            source = Expression(
                text=functions.text(query.get("Expression", "")), period_s=_seconds(query.get("Period"), functions)
            )
        lines.append(Line(source=source, id=query.get("Id"), label=label, is_visible=is_visible))
    return lines


def _metric(metric: Any, stat: Any, functions: IntrinsicFunctions, *, stat_key: str) -> Metric:
    return Metric(
        namespace=functions.text(metric.get("Namespace", "")),
        name=functions.text(metric.get("MetricName", "")),
        dimensions=tuple(
            (functions.text(one.get("Name", "")), functions.text(one.get("Value", ""))) for one in _dimensions(metric)
        ),
        stat=functions.text(stat.get(stat_key) or stat.get("ExtendedStatistic") or "Average"),
        period_s=_seconds(stat.get("Period"), functions) or _DEFAULT_PERIOD_S,
    )


def _dimensions(metric: Any) -> list[Any]:
    declared = metric.get("Dimensions")
    return [one for one in declared if isinstance(one, dict)] if isinstance(declared, list) else []


def _seconds(declared: Any, functions: IntrinsicFunctions) -> int | None:
    """A period, or `None` if there is none or it is known only at deployment."""
    text = functions.text(declared)
    return int(text) if text.isdigit() and int(text) > 0 else None
