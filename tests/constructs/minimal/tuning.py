from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_fargate_sagemaker.tuning import ForecastFloor, TargetTuner
from tests.constructs.minimal.fargate import scaled_fargate_service
from tests.constructs.minimal.monitoring import topic


def alarm(stack: cdk.Stack) -> cloudwatch.IAlarm:
    return cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow")


def target_tuner(stack: cdk.Stack, **given: Any) -> TargetTuner:
    service = given.pop("service", None) or scaled_fargate_service(stack)
    given = {"alerts_topic": topic(stack), **given}
    if "guardrail_alarms" not in given:
        given["guardrail_alarms"] = [alarm(stack)]
    return TargetTuner(stack, "Tuner", service=service, **given)


def forecast_floor(stack: cdk.Stack, **given: Any) -> ForecastFloor:
    service = given.pop("service", None) or scaled_fargate_service(stack)
    return ForecastFloor(stack, "Floor", service=service, **{"alerts_topic": topic(stack), **given})


MINIMAL = {"ForecastFloor": forecast_floor, "TargetTuner": target_tuner}
