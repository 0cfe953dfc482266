"""Extracts metrics from log lines in CloudWatch's embedded metric format, as CloudWatch Logs does.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudwatch, logs

Point = tuple[str, str, dict[str, str], float, str, float]
"""Namespace, name, dimensions, seconds since 1970, unit, value."""


def install() -> None:
    ministacks = logs.append_log_events

    def append(stream: Any, events: Any) -> Any:
        answer = ministacks(stream, events)
        points = [point for event in events for point in points_of(event["message"])]
        for namespace, name, dimensions, seconds, unit, value in points:
            cloudwatch.store_datum(namespace, name, dimensions, seconds, unit, value, None, None, None)
        if points:
            cloudwatch.evaluate_all_alarms()
        return answer

    logs.append_log_events = append


def points_of(message: str) -> Iterator[Point]:
    """The data points in a line; none if it has another format or lacks the metrics it declares."""
    if '"_aws"' not in message:
        return
    try:
        line = json.loads(message)
    except ValueError:
        return
    about = line.get("_aws") if isinstance(line, dict) else None
    if not isinstance(about, Mapping):
        return
    for directive in about.get("CloudWatchMetrics", []):
        for names in directive["Dimensions"]:
            dimensions = {name: str(line[name]) for name in names if name in line}
            if len(dimensions) < len(names):
                continue
            for metric in directive["Metrics"]:
                value = line.get(metric["Name"])
                for number in value if isinstance(value, list) else [value]:
                    if isinstance(number, int | float):
                        yield (
                            directive["Namespace"],
                            metric["Name"],
                            dimensions,
                            about["Timestamp"] / 1000,
                            metric.get("Unit", "None"),
                            float(number),
                        )
