from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import TargetTuner


@pytest.fixture
def service(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> ScaledFargateService:
    return ScaledFargateService(stack, "Web", vpc=vpc, image=image, target_percent=60)


@pytest.fixture
def alarm(stack: cdk.Stack) -> cloudwatch.IAlarm:
    return cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow")


@pytest.fixture
def topic(stack: cdk.Stack) -> AlertsTopic:
    return AlertsTopic(cdk.Stack(cdk.Stage.of(stack), "AlertsStack"), "Alerts")


@pytest.fixture
def tuner(stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic) -> TargetTuner:
    alarms = ServiceAlarms(stack, "Alarms", service=service, alerts_topic=topic)
    return TargetTuner(
        stack,
        "Tuner",
        service=service,
        guardrail_alarms=[alarms.degraded],
        alerts_topic=topic,
        dashboard=ServiceDashboard(stack, "Monitor", service=service, alarms=alarms),
    )


@pytest.fixture
def network() -> Callable[..., Any]:
    def imported(stack: cdk.Stack) -> ec2.IVpc:
        return ec2.Vpc.from_vpc_attributes(
            stack,
            "Network",
            vpc_id="vpc-11111111",
            vpc_cidr_block="10.0.0.0/16",
            availability_zones=["us-east-1a", "us-east-1b"],
            private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
        )

    return imported
