from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.plug_in.alarm_evaluation import judge

Alarm = dict[str, Any]


def _alarm(**more: Any) -> Alarm:
    return {
        "Threshold": 80,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "StateValue": "OK",
        "StateReason": "as before",
        **more,
    }


@pytest.mark.parametrize(
    ("alarm", "values", "state"),
    [
        (_alarm(), [80.0], "ALARM"),
        (_alarm(), [79.9], "OK"),
        (_alarm(ComparisonOperator="GreaterThanThreshold"), [80.0], "OK"),
        (_alarm(ComparisonOperator="LessThanThreshold"), [10.0], "ALARM"),
        (_alarm(), [90.0, 90.0, 70.0], "OK"),
        (_alarm(DatapointsToAlarm=2), [90.0, 90.0, 70.0], "ALARM"),
        (_alarm(), [90.0, None, 90.0], "OK"),
        (_alarm(TreatMissingData="breaching"), [90.0, None, 90.0], "ALARM"),
        (_alarm(TreatMissingData="notBreaching"), [None, None], "OK"),
        (_alarm(), [None, None], "INSUFFICIENT_DATA"),
        (_alarm(TreatMissingData="ignore", StateValue="ALARM"), [None], "ALARM"),
    ],
)
def test_judgement(alarm: Alarm, values: list[float | None], state: str) -> None:
    assert judge(alarm, values)[0] == state


def test_another_services_metric_raises_no_alarm(embedded_aws: EmbeddedAws, eventually: Callable[..., Any]) -> None:
    cloudwatch = embedded_aws.client("cloudwatch")

    def dimensions(service: str) -> list[dict[str, str]]:
        return [{"Name": "ServiceName", "Value": service}]

    for service in ("mine", "other"):
        cloudwatch.put_metric_alarm(
            AlarmName=f"hot-{service}",
            Namespace="Test/Alarms",
            MetricName="Cpu",
            Dimensions=dimensions(service),
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=80,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )
    datum = {"MetricName": "Cpu", "Dimensions": dimensions("other"), "Value": 95.0}
    cloudwatch.put_metric_data(Namespace="Test/Alarms", MetricData=[datum])

    def state(service: str) -> str:
        value: str = cloudwatch.describe_alarms(AlarmNames=[f"hot-{service}"])["MetricAlarms"][0]["StateValue"]
        return value

    eventually(lambda: state("other") == "ALARM")
    assert state("mine") == "INSUFFICIENT_DATA"
