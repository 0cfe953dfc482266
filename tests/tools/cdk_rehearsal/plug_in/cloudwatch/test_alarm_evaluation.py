import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.plug_in.cloudwatch.alarm_evaluation import judge
from tests.access import make_queue

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


class Signal:
    """An alarm on the mean of one minute, which is switched by data: each time by so many that those before weigh
    nothing.
    """

    def __init__(self, aws: EmbeddedAws, name: str) -> None:
        self.name = name
        self._cloudwatch = aws.client("cloudwatch")
        self._minute = time.time()
        self._samples = 1.0
        self._cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Test/Suppression",
            MetricName=name,
            Statistic="Average",
            Period=60,
            EvaluationPeriods=60,
            DatapointsToAlarm=1,
            Threshold=0.5,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )

    def switch(self, value: float) -> None:
        self._samples *= 1000
        statistics = {"SampleCount": self._samples, "Sum": self._samples * value, "Minimum": value, "Maximum": value}
        datum = {"MetricName": self.name, "Timestamp": self._minute, "StatisticValues": statistics}
        self._cloudwatch.put_metric_data(Namespace="Test/Suppression", MetricData=[datum])


def test_a_suppressed_alarm_is_told_of_what_goes_on_afterwards_and_of_nothing_else(
    embedded_aws: EmbeddedAws, eventually: Callable[..., Any]
) -> None:
    failing, updating = Signal(embedded_aws, "failing"), Signal(embedded_aws, "updating")
    topic = embedded_aws.client("sns").create_topic(Name="suppression")["TopicArn"]
    sqs = embedded_aws.client("sqs")
    queue, arn = make_queue(embedded_aws, "suppression", takes_from=topic)
    embedded_aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudwatch = embedded_aws.client("cloudwatch")
    degraded = {
        "AlarmName": "degraded",
        "AlarmRule": 'ALARM("failing") AND (NOT (ALARM("updating")))',
        "ActionsSuppressor": "updating",
        "ActionsSuppressorWaitPeriod": 2,
        "ActionsSuppressorExtensionPeriod": 2,
    }
    # Its first OK is nothing to tell: actions come afterwards.
    cloudwatch.put_composite_alarm(**degraded)
    cloudwatch.put_composite_alarm(**degraded, AlarmActions=[topic], OKActions=[topic])
    told: list[str] = []

    def tells(*states: str) -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            told.append(json.loads(json.loads(message["Body"])["Message"])["NewStateValue"])
        return told == list(states)

    # It begins and ends within the update: nothing.
    for signal, value in ((updating, 1), (failing, 1), (failing, 0), (updating, 0)):
        signal.switch(value)
    failing.switch(1)
    eventually(lambda: tells("ALARM"))
    # An update begins, which is no end of it, and ends without one.
    updating.switch(1)
    updating.switch(0)
    eventually(lambda: tells("ALARM", "ALARM"))
    # It ends within an update.
    updating.switch(1)
    failing.switch(0)
    updating.switch(0)
    eventually(lambda: tells("ALARM", "ALARM", "OK"))


def test_an_alarm_that_nothing_keeps_up_is_over(embedded_aws: EmbeddedAws, eventually: Callable[..., Any]) -> None:
    """As its suppressor does not hear of data any more, nobody would know."""
    cloudwatch = embedded_aws.client("cloudwatch")
    mark = Signal(embedded_aws, "kept-up")
    cloudwatch.put_composite_alarm(AlarmName="waits", AlarmRule='ALARM("kept-up")', ActionsSuppressor="kept-up")
    cloudwatch.set_alarm_state(AlarmName=mark.name, StateValue="ALARM", StateReason="no data")
    eventually(lambda: cloudwatch.describe_alarms(AlarmNames=[mark.name])["MetricAlarms"][0]["StateValue"] == "OK")


def test_a_suppressor_that_is_set_by_hand_stays_as_it_is_set(embedded_aws: EmbeddedAws) -> None:
    """Its data still say otherwise, and none come in."""
    cloudwatch = embedded_aws.client("cloudwatch")
    mark = Signal(embedded_aws, "set-by-hand")
    cloudwatch.put_composite_alarm(
        AlarmName="waits-too", AlarmRule=f'ALARM("{mark.name}")', ActionsSuppressor=mark.name
    )
    mark.switch(1)
    cloudwatch.set_alarm_state(AlarmName=mark.name, StateValue="OK", StateReason="by hand")
    time.sleep(3)  # an alarm that suppresses is judged every two seconds
    assert cloudwatch.describe_alarms(AlarmNames=[mark.name])["MetricAlarms"][0]["StateValue"] == "OK"
