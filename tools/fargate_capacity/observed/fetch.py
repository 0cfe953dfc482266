"""Fetches a service's data from CloudWatch, one day at a time, so that an interrupted fetch can resume."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fargate_capacity.input_error import InputError
from fargate_capacity.observed.observations import COLUMNS

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_DAY = timedelta(days=1)
# The metrics that are summed over a period.
_COUNTED = ("requests", "tasks")
# CloudWatch's retention of data points by period, in minutes.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
_KEPT = ((1, timedelta(days=15)), (5, timedelta(days=63)), (60, timedelta(days=455)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedService:
    """The observed service.

    Args:
        load_balancer: the dimension's value, `app/<name>/<id>`.
    """

    cluster: str
    service: str
    load_balancer: str


def fetch_metrics(
    cloudwatch: CloudWatchClient,
    observed: ObservedService,
    *,
    start: datetime,
    end: datetime,
    path: Path,
    now: datetime,
    advance: Callable[[str], None] = lambda day: None,
) -> int:
    """Writes requests, CPU average, maximum and sample count, and latency as CSV; returns the number of minutes.

    If one-minute data have expired, all minutes of a five-minute or hourly period get the same values: its requests and
    tasks per minute, its averages, its maximum.

    Existing rows are kept, and the fetch continues after them. A day is written completely or not at all.

    Raises:
        InputError: CloudWatch has no data of this time range, or the file has other content.
    """
    if not start < end:
        raise InputError(f"--start: got {start.isoformat()}, allowed: before the end, {end.isoformat()}")
    oldest = now - _KEPT[-1][1]
    if start < oldest:
        raise InputError(
            f"--start: got {start.isoformat()}, allowed: since {oldest.isoformat(timespec='minutes')} on; CloudWatch "
            "keeps hours for 15 months, five minutes for 63 days and minutes for 15 days"
        )
    latest = _latest(path)
    begin = start if latest is None else max(start, latest + timedelta(minutes=1))
    written = 0
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if latest is None and not file.tell():
            writer.writerow(["timestamp", *COLUMNS])
        while begin < end:
            until = min(datetime(begin.year, begin.month, begin.day, tzinfo=UTC) + _DAY, end)
            advance(f"{begin:%Y-%m-%d}")
            rows = list(_day(cloudwatch, observed, begin, until, period_minutes(begin, now=now)))
            writer.writerows(rows)
            file.flush()
            written += len(rows)
            begin = until
    return written


def period_minutes(begin: datetime, *, now: datetime) -> int:
    """The shortest period for which CloudWatch still has data points from this time on."""
    return next((period for period, kept in _KEPT if begin >= now - kept), _KEPT[-1][0])


def fetch_activities(autoscaling: ApplicationAutoScalingClient, observed: ObservedService, *, path: Path) -> int:
    """Writes the scaling activities that AWS keeps (six weeks) and returns their number."""
    pages = autoscaling.get_paginator("describe_scaling_activities").paginate(
        ServiceNamespace="ecs",
        ResourceId=f"service/{observed.cluster}/{observed.service}",
        ScalableDimension="ecs:service:DesiredCount",
    )
    activities = [activity for page in pages for activity in page["ScalingActivities"]]
    activities.sort(key=lambda activity: activity["StartTime"])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "status", "description", "cause"])
        for activity in activities:
            began = activity["StartTime"].astimezone(UTC).isoformat()
            writer.writerow([began, activity["StatusCode"], activity["Description"], activity["Cause"]])
    return len(activities)


def _day(
    cloudwatch: CloudWatchClient, observed: ObservedService, begin: datetime, until: datetime, period: int
) -> Iterator[list[str]]:
    rows: dict[datetime, dict[str, float]] = {}
    # Periods are aligned to multiples of their length.
    since = datetime.fromtimestamp(begin.timestamp() // (60 * period) * 60 * period, tz=UTC)
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=list(_queries(observed, period)), StartTime=since, EndTime=until, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            for time, value in zip(result["Timestamps"], result["Values"], strict=True):
                share = value / period if result["Id"] in _COUNTED else value
                for minute in range(period):
                    rows.setdefault(time.astimezone(UTC) + timedelta(minutes=minute), {})[result["Id"]] = share
    for time in sorted(rows):
        if begin <= time < until:
            yield [time.isoformat(), *(_text(rows[time], name) for name in COLUMNS)]


def _text(row: Mapping[str, float], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    return f"{1000 * value if name == 'latency_ms' else value:.10g}"


def _queries(observed: ObservedService, period: int) -> Iterator[MetricDataQueryTypeDef]:
    service = {"ClusterName": observed.cluster, "ServiceName": observed.service}
    balancer = {"LoadBalancer": observed.load_balancer}
    for name, namespace, metric, dimensions, stat in (
        ("requests", "AWS/ApplicationELB", "RequestCount", balancer, "Sum"),
        ("cpu_average", "AWS/ECS", "CPUUtilization", service, "Average"),
        ("cpu_maximum", "AWS/ECS", "CPUUtilization", service, "Maximum"),
        # Each task reports once a minute, unless its service publishes the CPU every 20 seconds.
        ("tasks", "AWS/ECS", "CPUUtilization", service, "SampleCount"),
        ("latency_ms", "AWS/ApplicationELB", "TargetResponseTime", balancer, "Average"),
    ):
        yield {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": metric,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                },
                "Period": 60 * period,
                "Stat": stat,
            },
        }


def _latest(path: Path) -> datetime | None:
    """The time of the last complete row; removes an incomplete row."""
    if not path.exists() or not path.stat().st_size:
        return None
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        path.write_bytes(whole)
    lines = whole.decode("utf-8").splitlines()
    if not lines or lines[0] != ",".join(("timestamp", *COLUMNS)):
        raise InputError(f"{path}: got a file that `fetch` did not write, allowed: one it did, or a new name")
    return datetime.fromisoformat(lines[-1].partition(",")[0]) if len(lines) > 1 else None
