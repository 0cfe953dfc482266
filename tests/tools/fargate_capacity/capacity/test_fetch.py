from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.fetch import ObservedService, fetch_activities, fetch_metrics

NOW = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
START = NOW - timedelta(hours=4)
SERVICE = ObservedService(cluster="fetched", service="api", load_balancer="app/fetched/1")


@pytest.fixture(scope="module")
def cloudwatch(embedded_aws: EmbeddedAws) -> Any:
    """Four hours of a service with two tasks, and a pause in the middle."""
    client = embedded_aws.client("cloudwatch")
    service = [{"Name": "ClusterName", "Value": "fetched"}, {"Name": "ServiceName", "Value": "api"}]
    balancer = [{"Name": "LoadBalancer", "Value": "app/fetched/1"}]
    minutes = [minute for minute in range(240) if not 100 <= minute < 110]
    for begin in range(0, len(minutes), 100):
        data = [
            {"MetricName": "CPUUtilization", "Dimensions": service, "Timestamp": moment(minute), "Value": value}
            for minute in minutes[begin : begin + 100]
            for value in (20.0, 30.0 + minute % 10)
        ]
        client.put_metric_data(Namespace="AWS/ECS", MetricData=data)
        data = [
            {"MetricName": name, "Dimensions": balancer, "Timestamp": moment(minute), "Value": value}
            for minute in minutes[begin : begin + 100]
            for name, value in (("RequestCount", 60.0 + minute), ("TargetResponseTime", 0.25))
        ]
        client.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
    return client


def moment(minute: Any) -> Any:
    return START + timedelta(minutes=minute)


def fetch(cloudwatch: Any, path: Path, *, start: datetime = START, end: datetime = NOW) -> Any:
    return fetch_metrics(cloudwatch, SERVICE, start=start, end=end, path=path, now=NOW)


def test_writes_requests_cpu_tasks_and_latency(cloudwatch: Any, tmp_path: Path) -> None:
    path = tmp_path / "observed.csv"
    assert fetch(cloudwatch, path) == 230
    lines = path.read_text().splitlines()
    assert lines[0] == "timestamp,requests,cpu_average,cpu_maximum,tasks,latency_ms"
    assert lines[1] == f"{START.isoformat()},60,25,30,2,250"
    assert len(lines) == 231


def test_goes_on_where_it_was_interrupted(cloudwatch: Any, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.csv", tmp_path / "observed.csv"
    fetch(cloudwatch, whole)
    fetch(cloudwatch, path, end=moment(60))
    # Killed while it wrote: the last row is cut off.
    path.write_text(path.read_text()[:-9])
    assert fetch(cloudwatch, path) == 230 - 59
    assert path.read_text() == whole.read_text()
    assert fetch(cloudwatch, path) == 0


def test_writes_scaling_activities(cloudwatch: Any, embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    path = tmp_path / "activities.csv"
    assert fetch_activities(embedded_aws.client("application-autoscaling"), SERVICE, path=path) == 0
    assert path.read_text().splitlines() == ["timestamp,status,description,cause"]


def test_fails_when_the_file_is_of_something_else(cloudwatch: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="a file that `fetch` did not write"):
        fetch(cloudwatch, path)


class Kept:
    """CloudWatch as it answers long after: a datapoint for each whole period that was asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def get_paginator(self, _: Any) -> Any:
        return self

    def paginate(
        self, *, MetricDataQueries: Any, StartTime: Any, EndTime: Any, ScanBy: Any
    ) -> Iterator[dict[str, Any]]:
        step = timedelta(seconds=MetricDataQueries[0]["MetricStat"]["Period"])
        assert StartTime.timestamp() % step.total_seconds() == 0
        self.asked.append((StartTime, step))
        times = [StartTime + place * step for place in range(int((EndTime - StartTime) / step))]
        values = {"requests": 600.0, "tasks": 30.0, "cpu_average": 40.0, "cpu_maximum": 60.0, "latency_ms": 0.2}
        results = [{"Id": name, "Timestamps": times, "Values": [value] * len(times)} for name, value in values.items()]
        yield {"MetricDataResults": results}


@pytest.mark.parametrize(
    ("days", "step", "row"),
    [(14, 1, "600,40,60,30,200"), (62, 5, "120,40,60,6,200"), (400, 60, "10,40,60,0.5,200")],
)
def test_goes_back_by_the_shortest_period_that_is_kept(tmp_path: Path, days: int, step: int, row: str) -> None:
    client, path = Kept(), tmp_path / "observed.csv"
    start = NOW - timedelta(days=days)
    assert fetch(client, path, start=start, end=start + timedelta(days=1)) == 1440
    assert {asked for _, asked in client.asked} == {timedelta(minutes=step)}
    lines = path.read_text().splitlines()
    assert lines[1] == f"{start.isoformat()},{row}"
    assert len(lines) == 1441


def test_fails_when_the_hours_are_gone_too(cloudwatch: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="keeps hours for 15 months"):
        fetch(cloudwatch, tmp_path / "observed.csv", start=NOW - timedelta(days=456))


def test_fails_when_the_start_is_not_before_the_end(cloudwatch: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--start: got"):
        fetch(cloudwatch, tmp_path / "observed.csv", start=NOW)
