"""A template's alarms on metric math: ministack refuses every stack with such an alarm.

They are stored with their expressions. fargate-capacity's evaluator of metric math computes their values, which are
evaluated as those of a single metric. An alarm with a function that it lacks (anomaly bands) stays in
INSUFFICIENT_DATA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources
from fargate_capacity.metric_expression import MetricMathError, parse
from fargate_capacity.metric_math import Inputs, evaluate

_REASON = "Unchecked: there was no data yet"
# Values by the start of their period.
Statistic = Callable[[dict[str, Any], int, int], dict[int, float]]


def install() -> None:
    ministacks = cloudformation_resources.metric_alarm_record

    def record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        metrics = properties.get("Metrics")
        if not metrics:
            alarm: dict[str, Any] = ministacks(name, properties)
            return alarm
        of_one_metric = {key: value for key, value in properties.items() if key != "Metrics"}
        # ministack requires it; this alarm does not use it.
        alarm = ministacks(name, {**of_one_metric, "MetricName": "-", "Namespace": "-"})
        return {**alarm, "MetricName": None, "Namespace": None, "Metrics": metrics, "StateReason": _REASON}

    cloudformation_resources.metric_alarm_record = record


def values_of(alarm: Mapping[str, Any], statistic: Statistic, *, now: float) -> list[float | None] | None:
    """The alarm's value per period, oldest first, None for a period without; None if it cannot be computed.

    `statistic` returns the values of one of the alarm's metrics in the periods between two times.
    """
    queries = {query["Id"]: query for query in alarm["Metrics"]}
    (returned,) = [query for query in alarm["Metrics"] if query.get("ReturnData", True) is not False] or [None]
    if returned is None or "Expression" not in returned:
        return None
    measured = {id: query["MetricStat"] for id, query in queries.items() if "MetricStat" in query}
    period = max([int(of["Period"]) for of in measured.values()] or [60])
    count = int(alarm.get("EvaluationPeriods") or 1)
    newest = int(now // period)
    # An unfinished period counts once it has data, as for alarms on one metric.
    starts = [(newest - back) * period for back in range(count, -1, -1)]
    found = {id: statistic(of, starts[0], starts[-1] + period) for id, of in measured.items()}
    if not any(starts[-1] in points for points in found.values()):
        starts = starts[:-1]
    starts = starts[-count:]
    if not any(points for points in found.values()):
        return [None] * len(starts)
    series = {id: np.array([points.get(start, np.nan) for start in starts]) for id, points in found.items()}
    inputs = Inputs(times=np.array(starts), period_s=period, series=series, metrics=list(series))
    try:
        value = evaluate(parse(str(returned["Expression"])), inputs)
    except MetricMathError:
        return None
    if isinstance(value, list):
        return None
    figures = np.broadcast_to(np.asarray(value, dtype=float), (len(starts),))
    return [None if np.isnan(figure) else float(figure) for figure in figures]
