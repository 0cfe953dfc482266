from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_fargate_sagemaker.sagemaker import TrafficShifting


@pytest.mark.parametrize(
    ("shifting", "minutes"),
    [
        (TrafficShifting.all_at_once(), 10),
        (TrafficShifting.all_at_once(bake=Duration.minutes(20)), 20),
        (TrafficShifting.canary(percent=10, wait=Duration.minutes(7)), 17),
        (TrafficShifting.linear(percent=25, wait=Duration.minutes(2)), 16),
        (TrafficShifting.linear(percent=30, wait=Duration.minutes(2)), 16),
    ],
)
def test_it_waits_between_its_steps_and_after_the_last(shifting: TrafficShifting, minutes: int) -> None:
    assert shifting.waits.to_minutes() == minutes


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (TrafficShifting.canary, {}, "canary takes percent or instances: give exactly one of them"),
        (
            TrafficShifting.linear,
            {"percent": 10, "instances": 1},
            "linear takes percent or instances: give exactly one",
        ),
        (TrafficShifting.canary, {"percent": 0}, "percent is 0: SageMaker takes 1 to 50 for canary"),
        (TrafficShifting.canary, {"percent": 51}, "percent is 51: SageMaker takes 1 to 50 for canary"),
        (TrafficShifting.linear, {"percent": 9}, "percent is 9: SageMaker takes 10 to 50 for linear"),
        (TrafficShifting.linear, {"instances": 0}, "instances is 0: give at least 1"),
        (TrafficShifting.canary, {"percent": 5, "wait": Duration.minutes(61)}, "wait is 1 hour 1 minute: SageMaker"),
        (TrafficShifting.all_at_once, {"bake": Duration.hours(2)}, "bake is 2 hours: SageMaker takes 0 .* to 1 hour"),
        (
            TrafficShifting.all_at_once,
            {"maximum_duration": Duration.minutes(9)},
            "maximum_duration is 9 minutes: SageMaker takes 10 minutes to 8 hours",
        ),
        (
            TrafficShifting.linear,
            {"percent": 10, "wait": Duration.minutes(10), "maximum_duration": Duration.minutes(100)},
            "maximum_duration is 1 hour 40 minutes: a deployment waits for 1 hour 40 minutes already; give more",
        ),
        (TrafficShifting, {"step_percent": 10}, "a step is given for all at once: leave it out"),
    ],
)
def test_fails_when_sagemaker_would_refuse_it(make: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**given)


def test_fails_when_more_than_ten_alarms_are_watched(stack: cdk.Stack) -> None:
    alarm = cloudwatch.Alarm.from_alarm_name(stack, "Alarm", "latency")
    assert len(TrafficShifting.all_at_once(rollback_alarms=[alarm] * 10).rollback_alarms) == 10
    with pytest.raises(ValueError, match="rollback_alarms has 11 entries: SageMaker takes 10"):
        TrafficShifting.all_at_once(rollback_alarms=[alarm] * 11)


def test_what_comes_at_deployment_is_not_judged() -> None:
    token = Token.as_number({"Ref": "Number"})
    shifting = TrafficShifting.linear(percent=token, wait=Duration.seconds(token), maximum_duration=Duration.hours(1))
    assert shifting.step_percent == token
