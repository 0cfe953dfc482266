from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_fargate_sagemaker.sagemaker import TrafficShifting
from tests.constructs.known_at_deployment import whole


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
    assert shifting.waits is not None
    assert shifting.waits.to_minutes() == minutes


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (
            TrafficShifting.canary,
            {},
            "percent: got neither percent nor instances, allowed: exactly one of percent and instances for canary",
        ),
        (
            TrafficShifting.linear,
            {"percent": 10, "instances": 1},
            "percent: got percent and instances, allowed: exactly one",
        ),
        (TrafficShifting.canary, {"percent": 0}, "percent: got 0, allowed: a whole number, 1 to 50"),
        (TrafficShifting.canary, {"percent": 51}, "percent: got 51, allowed: a whole number, 1 to 50"),
        (TrafficShifting.linear, {"percent": 9}, "percent: got 9, allowed: a whole number, 10 to 50"),
        (TrafficShifting.linear, {"instances": 0}, "instances: got 0, allowed: a whole number, at least 1"),
        (
            TrafficShifting.canary,
            {"percent": 5, "wait": Duration.minutes(61)},
            "wait: got 1 hour 1 minute, allowed: a Duration of whole seconds, 0 seconds to 1 hour",
        ),
        (
            TrafficShifting.all_at_once,
            {"bake": Duration.hours(2)},
            "bake: got 2 hours, allowed: a Duration of whole seconds, 0 .* to 1 hour",
        ),
        (
            TrafficShifting.all_at_once,
            {"max_duration": Duration.minutes(9)},
            "max_duration: got 9 minutes, allowed: a Duration of whole seconds, 10 minutes to 8 hours",
        ),
        (
            TrafficShifting.linear,
            {"percent": 10, "wait": Duration.minutes(10), "max_duration": Duration.minutes(100)},
            "max_duration: got 1 hour 40 minutes, allowed: more than the 1 hour 40 minutes that a deployment",
        ),
        (TrafficShifting, {"percent": 10}, "percent: got 10, allowed: none for all at once; take canary or linear"),
    ],
)
def test_fails_when_sagemaker_would_refuse_it(make: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**given)


def test_fails_when_more_than_ten_alarms_are_watched(stack: cdk.Stack) -> None:
    alarm = cloudwatch.Alarm.from_alarm_name(stack, "Alarm", "latency")
    assert len(TrafficShifting.all_at_once(rollback_alarms=[alarm] * 10).rollback_alarms) == 10
    with pytest.raises(ValueError, match="rollback_alarms: got 11 alarms, allowed: at most 10"):
        TrafficShifting.all_at_once(rollback_alarms=[alarm] * 11)


def test_what_comes_at_deployment_is_not_judged() -> None:
    token = whole(Token.as_number({"Ref": "Number"}))
    shifting = TrafficShifting.linear(percent=token, wait=Duration.seconds(token), max_duration=Duration.hours(1))
    assert shifting.percent == token


def test_what_it_waits_is_unknown_where_a_part_of_it_is() -> None:
    token = whole(Token.as_number({"Ref": "Number"}))
    later = Duration.seconds(token)
    assert TrafficShifting.all_at_once(bake=later).waits is None
    assert TrafficShifting.canary(percent=10, bake=later).waits is None
    assert TrafficShifting.canary(percent=10, wait=later).waits is None
    assert TrafficShifting.linear(percent=token).waits is None
    # However many instances go over at first, the rest goes over in one more step.
    assert TrafficShifting.canary(percent=token).waits is not None
