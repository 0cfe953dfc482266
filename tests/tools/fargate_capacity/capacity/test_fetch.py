from datetime import UTC, datetime, timedelta

import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.observed.fetch import ObservedService, fetch_activities, fetch_metrics

NOW = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
START = NOW - timedelta(hours=4)
SERVICE = ObservedService(cluster="fetched", service="api", load_balancer="app/fetched/1")


@pytest.fixture(scope="module")
def cloudwatch(embedded_aws):
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


def moment(minute):
    return START + timedelta(minutes=minute)


def fetch(cloudwatch, path, *, start=START, end=NOW):
    return fetch_metrics(cloudwatch, SERVICE, start=start, end=end, path=path, now=NOW)


def test_writes_requests_cpu_tasks_and_latency(cloudwatch, tmp_path):
    path = tmp_path / "observed.csv"
    assert fetch(cloudwatch, path) == 230
    lines = path.read_text().splitlines()
    assert lines[0] == "timestamp,requests,cpu_average,cpu_maximum,tasks,latency_ms"
    assert lines[1] == f"{START.isoformat()},60,25,30,2,250"
    assert len(lines) == 231


def test_goes_on_where_it_was_interrupted(cloudwatch, tmp_path):
    whole, path = tmp_path / "whole.csv", tmp_path / "observed.csv"
    fetch(cloudwatch, whole)
    fetch(cloudwatch, path, end=moment(60))
    # Killed while it wrote: the last row is cut off.
    path.write_text(path.read_text()[:-9])
    assert fetch(cloudwatch, path) == 230 - 59
    assert path.read_text() == whole.read_text()
    assert fetch(cloudwatch, path) == 0


def test_writes_scaling_activities(cloudwatch, embedded_aws, tmp_path):
    path = tmp_path / "activities.csv"
    assert fetch_activities(embedded_aws.client("application-autoscaling"), SERVICE, path=path) == 0
    assert path.read_text().splitlines() == ["timestamp,status,description,cause"]


def test_fails_when_the_file_is_of_something_else(cloudwatch, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="a file that `fetch` did not write"):
        fetch(cloudwatch, path)


def test_fails_when_the_minutes_are_gone(cloudwatch, tmp_path):
    with pytest.raises(InputError, match="CloudWatch keeps minutes for 15 days"):
        fetch(cloudwatch, tmp_path / "observed.csv", start=NOW - timedelta(days=16))


def test_fails_when_the_start_is_not_before_the_end(cloudwatch, tmp_path):
    with pytest.raises(InputError, match="--start: got"):
        fetch(cloudwatch, tmp_path / "observed.csv", start=NOW)
