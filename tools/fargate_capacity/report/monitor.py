"""The monitor of a replay: requests, CPU average, CPU maximum and tasks in four widgets; latency below them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.csv_series import CsvSeries
from fargate_capacity.dashboard_body import read_dashboard_body
from fargate_capacity.dashboards import Dashboard
from fargate_capacity.page import Picture
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import DrawnSeries
from fargate_capacity.preview import write_preview
from fargate_capacity.replay.guardrail import Guardrail

_REQUESTS, _AVERAGE, _MAXIMUM = "Requests a minute", "CPU average", "CPU maximum"
_RUNNING, _DESIRED, _LATENCY = "Running tasks", "Desired tasks", "Latency at the hottest task"
# More lines would hide the graph.
_MOST_MARKS = 30
_SUMMARY_ROWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A vertical annotation."""

    time: datetime
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One replay to draw.

    Args:
        name: name of the dashboard and its files.
        title: the page's title.
        stack: the service's stack.
        summary: lines of text above the graphs: the figures and how they were calculated.
        marks: vertical annotations; only the first ones are drawn if there are too many.
        pictures: pictures below the graphs of the page.
    """

    name: str
    title: str
    stack: str
    setting: Setting
    series: DrawnSeries
    summary: Sequence[str]
    guardrail: Guardrail | None = None
    marks: Sequence[Mark] = ()
    pictures: Sequence[Picture] = ()


def write_monitor(
    assembly: CloudAssembly, monitor: Monitor, *, output: Path, advance: Callable[[str], None]
) -> list[Path]:
    """Writes `index.html`, a PNG file and the drawn series as CSV into a folder; returns the written files."""
    output.mkdir(parents=True, exist_ok=True)
    template = next(each for each in assembly.templates if each.identity == monitor.stack)
    table = output / f"{monitor.name}.csv"
    _write_csv(table, monitor.series)
    dashboard = Dashboard(name=monitor.name, template=template, body=read_dashboard_body(json.dumps(_body(monitor))))
    drawn = write_preview(
        assembly,
        [dashboard],
        output=output,
        data=CsvSeries(table),
        advance=advance,
        title=monitor.title,
        pictures=monitor.pictures,
    )
    return [*drawn.files, table]


def breaches(series: DrawnSeries, guardrail: Guardrail | None) -> list[Mark]:
    """The times at which latency rose above the guardrail's limit."""
    marks, was_above = [], False
    if guardrail is None:
        return []
    for time, latency in zip(series.times(), series.latency, strict=True):
        is_above = bool(latency > guardrail.latency_seconds)
        if is_above and not was_above:
            marks.append(Mark(time=time, label="guardrail"))
        was_above = is_above
    return marks


def _write_csv(path: Path, series: DrawnSeries) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", _REQUESTS, _AVERAGE, _MAXIMUM, _RUNNING, _DESIRED, _LATENCY])
        columns = (
            series.requests,
            series.cpu_average,
            series.cpu_maximum,
            series.running,
            series.desired,
            series.latency,
        )
        for time, *values in zip(series.times(), *columns, strict=True):
            writer.writerow([time.isoformat(), *("" if math.isnan(value) else f"{value:.6g}" for value in values)])


def _body(monitor: Monitor) -> dict[str, object]:
    vertical = [{"value": mark.time.isoformat(), "label": mark.label} for mark in monitor.marks[:_MOST_MARKS]]
    target = monitor.setting.target
    average = [] if target is None else [{"value": target, "label": f"target {target:g} %"}]
    maximum = [{"value": spike.threshold, "label": f"spike {spike.threshold:g} %"} for spike in monitor.setting.spikes]
    bounds = monitor.setting.bounds
    tasks = [
        {"value": bounds.minimum, "label": f"minimum {bounds.minimum}"},
        {"value": bounds.maximum, "label": f"maximum {bounds.maximum}"},
    ]
    limit = (
        []
        if monitor.guardrail is None
        else [{"value": monitor.guardrail.latency_seconds, "label": f"limit {monitor.guardrail.latency_seconds:.3g} s"}]
    )
    graphs = [
        (_REQUESTS, [["AWS/ApplicationELB", "RequestCount", _REQUESTS]], [], None),
        (_AVERAGE, [["AWS/ECS", "CPUUtilization", _AVERAGE]], average, 100),
        (_MAXIMUM, [["AWS/ECS", "CPUUtilization", _MAXIMUM]], maximum, 100),
        ("Tasks", [["AWS/ECS", "RunningTaskCount", _RUNNING], ["AWS/ECS", "DesiredCount", _DESIRED]], tasks, None),
        (_LATENCY, [["AWS/ApplicationELB", "TargetResponseTime", _LATENCY]], limit, None),
    ]
    widgets: list[dict[str, object]] = [
        {
            "type": "text",
            "x": 0,
            "y": 0,
            "width": 24,
            "height": _SUMMARY_ROWS,
            "properties": {"markdown": "\n\n".join(monitor.summary)},
        }
    ]
    for place, (title, metrics, horizontal, top) in enumerate(graphs):
        is_last = place == len(graphs) - 1
        widgets.append(
            {
                "type": "metric",
                "x": 0 if is_last else 12 * (place % 2),
                "y": _SUMMARY_ROWS + 6 * (place // 2),
                "width": 24 if is_last else 12,
                "height": 6,
                "properties": {
                    "title": title,
                    "period": 60,
                    "stat": "Average",
                    "metrics": [[namespace, name, {"label": label}] for namespace, name, label in metrics],
                    "annotations": {"horizontal": horizontal, "vertical": vertical},
                    "yAxis": {"left": {"min": 0, "showUnits": False} | ({"max": top} if top else {})},
                },
            }
        )
    return {"start": monitor.series.start.isoformat(), "widgets": widgets}
