from typing import Any

import pytest

from fargate_capacity.metric_queries import contributor_insights, metrics_insights, search


def described(query: Any) -> list[Any]:
    return [(metric.namespace, metric.name, dict(metric.dimensions), metric.stat) for metric in query.found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{AWS/EC2,InstanceId} MetricName="CPUUtilization"',
            [("AWS/EC2", "CPUUtilization", {"InstanceId": f"InstanceId {n}"}, "Sum") for n in (1, 2, 3)],
        ),
        (
            '{"Own Namespace","Host Name"} MetricName="Load" "Host Name"="web-1"',
            [("Own Namespace", "Load", {"Host Name": "web-1"}, "Sum")],
        ),
        (
            'Namespace="AWS/SQS" MetricName=("NumberOfMessagesSent" OR "NumberOfMessagesReceived") QueueName="a"',
            [
                ("AWS/SQS", "NumberOfMessagesSent", {"QueueName": "a"}, "Sum"),
                ("AWS/SQS", "NumberOfMessagesReceived", {"QueueName": "a"}, "Sum"),
            ],
        ),
        (
            '{AWS/Config,ResourceType} MetricName="ConfigurationItemsRecorded" NOT ResourceType="All"',
            [
                ("AWS/Config", "ConfigurationItemsRecorded", {"ResourceType": f"ResourceType {n}"}, "Sum")
                for n in (1, 2, 3)
            ],
        ),
        (
            '{AWS/EC2,InstanceId} MetricName="CPUUtilization" AND InstanceId="i-1"',
            [("AWS/EC2", "CPUUtilization", {"InstanceId": "i-1"}, "Sum")],
        ),
    ],
)
def test_a_search_has_samples_of_what_it_looks_for(text: str, expected: list[Any] | list[tuple[Any, ...]]) -> None:
    query = search(text, "Sum", 60)
    assert described(query) == expected
    assert query.period_s == 60


@pytest.mark.parametrize(
    ("text", "name", "count", "stat"),
    [
        ('SELECT SUM(startedTransactions) FROM "FDBT/Site"', "startedTransactions", 1, "Sum"),
        (
            'SELECT AVG(CPUUtilization) FROM SCHEMA("AWS/ECS", ClusterName, ServiceName) '
            "GROUP BY ClusterName, ServiceName ORDER BY AVG() DESC LIMIT 10",
            "CPUUtilization",
            3,
            "Average",
        ),
        (
            'select max("Own Metric") from SCHEMA("Own", Host) WHERE Host = \'a\' GROUP BY Host LIMIT 2',
            "Own Metric",
            2,
            "Maximum",
        ),
        ("SELECT nonsense", "Metric", 1, "Average"),
    ],
)
def test_metrics_insights_has_a_series_for_each_group(text: str, name: str, count: int, stat: str) -> None:
    query = metrics_insights(text)
    assert {(metric.name, metric.stat) for metric in query.found} == {(name, stat)}
    assert len(query.found) == count


def test_contributor_insights_has_its_top_contributors() -> None:
    assert len(contributor_insights("top", 2).found) == 2
    assert "Contributor Insights (top)" in contributor_insights("top", 10).note
