"""Traffic in JSON: `get-metric-data`, `get-metric-statistics`, Prometheus's `query_range`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from fargate_capacity.input_error import InputError
from fargate_capacity.template import mapping
from fargate_capacity.traffic.datapoints import number_of, time_of, trace_of, zoned
from fargate_capacity.traffic.trace import Trace

_ALLOWED = "get-metric-data, get-metric-statistics or Prometheus's query_range"
_Points = list[tuple[datetime, float]]


def read_metric_json(
    read: object,
    *,
    name: str,
    wanted: str,
    zone: tzinfo | None,
    period_minutes: int | None,
    is_per_second: bool,
) -> Trace:
    """The trace of a document; `wanted` chooses among several series, by their id, label or metric name.

    Raises:
        InputError: it is another kind of document, or has no series or several.
    """
    try:
        series = _series(read)
        if series is None:
            raise InputError(f"{name}: got JSON of another shape, allowed: {_ALLOWED}")
        # The series of one query are parts of a total.
        parts = [each for each in series if each[1]] if _is_of_one_query(read) else []
        is_summed = len(parts) > 1 and not any(wanted in names for names, _ in parts)
        chosen = [point for _, part in parts for point in part] if is_summed else _chosen(series, name, wanted)
        points: _Points = [(zoned(time_of(str(time)), zone), number_of(str(value))) for time, value in chosen]
        # Prometheus writes NaN for a division by zero.
        points = [point for point in points if not math.isnan(point[1])]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}: got a datapoint that cannot be read ({error}), allowed: {_ALLOWED}") from None
    if is_summed:
        totals: dict[datetime, float] = {}
        for time, value in points:
            totals[time] = totals.get(time, 0.0) + value
        points = list(totals.items())
    notes = (f"{len(parts)} series are added up",) if is_summed else ()
    return trace_of(points, name=name, period_minutes=period_minutes, is_per_second=is_per_second, notes=notes)


def _is_of_one_query(read: object) -> bool:
    return mapping(mapping(read).get("data")).get("resultType") == "matrix"


def _series(read: object) -> list[tuple[set[str], Sequence[tuple[Any, Any]]]] | None:
    """The names and data points of each series; None: it is another kind of document."""
    document = mapping(read)
    if isinstance(read, list):
        # Concatenated pages.
        pages = [_series(page) for page in read]
        if not pages or None in pages:
            return None
        merged: dict[frozenset[str], list[tuple[Any, Any]]] = {}
        for page in pages:
            for names, points in page or []:
                merged.setdefault(frozenset(names), []).extend(points)
        return [(set(names), points) for names, points in merged.items()]
    if "MetricDataResults" in document:
        found: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
        for result in document["MetricDataResults"]:
            key = str(result.get("Id", "")), str(result.get("Label", ""))
            found.setdefault(key, []).extend(zip(result["Timestamps"], result["Values"], strict=True))
        return [(set(key), points) for key, points in found.items()]
    if "Datapoints" in document:
        return [({str(document.get("Label", ""))}, [_statistic(point) for point in document["Datapoints"]])]
    data = mapping(document.get("data"))
    if data.get("resultType") == "matrix":
        return [
            (
                set(map(str, mapping(result.get("metric")).values())),
                [(time, value) for time, value in result["values"]],
            )
            for result in data["result"]
        ]
    return None


def _statistic(point: Any) -> tuple[Any, Any]:
    """For `get-metric-statistics`: the sum, which counts requests, otherwise the only statistic."""
    statistics = [key for key in point if key not in ("Timestamp", "Unit")]
    name = "Sum" if "Sum" in statistics else statistics[0]
    return point["Timestamp"], point[name]


def _chosen(
    series: list[tuple[set[str], Sequence[tuple[Any, Any]]]], name: str, wanted: str
) -> Sequence[tuple[Any, Any]]:
    filled = [each for each in series if each[1]]
    if not filled:
        raise InputError(f"{name}: got no datapoint, allowed: at least two periods of traffic")
    if len(filled) == 1:
        return filled[0][1]
    named = [each for each in filled if wanted in each[0]] or [
        each for each in filled if any("RequestCount" in one for one in each[0])
    ]
    if len(named) == 1:
        return named[0][1]
    shown = ", ".join(sorted(next(iter(sorted(names - {""})), "?") for names, _ in filled)[:5])
    raise InputError(f"{name}: got {len(filled)} series ({shown}), allowed: one; choose it with --requests-column")
