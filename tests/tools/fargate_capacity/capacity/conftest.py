import csv
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fargate_capacity.traffic.trace import Trace

START = datetime(2026, 11, 2, tzinfo=UTC)

SERVICE: dict[str, Any] = {
    "Tasks": {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {
            "Cpu": "1024",
            "Memory": "2048",
            "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
        },
    },
    "Group": {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {
            "HealthCheckIntervalSeconds": 10,
            "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}],
        },
    },
    "ApiService1A2B3C4D": {
        "Type": "AWS::ECS::Service",
        "Properties": {
            "TaskDefinition": {"Ref": "Tasks"},
            "LoadBalancers": [{"TargetGroupArn": {"Ref": "Group"}, "ContainerName": "app", "ContainerPort": 80}],
        },
    },
    "Count": {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "MinCapacity": 2,
            "MaxCapacity": 20,
            "ScalableDimension": "ecs:service:DesiredCount",
            "ServiceNamespace": "ecs",
            "ResourceId": {
                "Fn::Join": ["", ["service/", {"Ref": "Cluster"}, "/", {"Fn::GetAtt": ["ApiService1A2B3C4D", "Name"]}]]
            },
        },
    },
    "Tracking": {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": {"Ref": "Count"},
            "TargetTrackingScalingPolicyConfiguration": {
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                "TargetValue": 50,
                "ScaleOutCooldown": 60,
            },
        },
    },
    "Spike": {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyType": "StepScaling",
            "ScalingTargetId": {"Ref": "Count"},
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": "ChangeInCapacity",
                "Cooldown": 120,
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}],
            },
        },
    },
    "SpikeAlarm": {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmActions": [{"Ref": "Spike"}],
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "EvaluationPeriods": 1,
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Statistic": "Maximum",
            "Period": 60,
            "Threshold": 80,
            "TreatMissingData": "notBreaching",
        },
    },
}


@pytest.fixture
def resources() -> dict[str, Any]:
    """A service with a target and a spike step, as a template declares them; change it before it is written."""
    return deepcopy(SERVICE)


@pytest.fixture
def write_assembly(tmp_path: Path) -> Callable[..., Path]:
    """Writes a cloud assembly of one stack and returns its folder."""

    def write(resources: dict[str, Any], *, name: str = "cdk.out", region: str = "us-east-1") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "api.template.json").write_text(json.dumps({"Resources": resources}))
        artifact = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://unknown-account/{region}",
            "properties": {"templateFile": "api.template.json"},
        }
        (folder / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": {"api": artifact}}))
        return folder

    return write


@pytest.fixture
def assembly(resources: dict[str, Any], write_assembly: Callable[..., Path]) -> Path:
    return write_assembly(resources)


@pytest.fixture
def write_trace(tmp_path: Path) -> Callable[..., Path]:
    """Writes requests a minute as CSV; None leaves the row out."""

    def write(requests: Any, *, name: str = "requests.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "requests"])
            for minute, count in enumerate(requests):
                if count is not None:
                    writer.writerow([(START + timedelta(minutes=minute)).isoformat(), count])
        return path

    return write


@pytest.fixture
def days() -> Callable[[int], np.ndarray[Any, np.dtype[np.float64]]]:
    """Requests a minute of some days: 600 at night, 3,000 by day, half as much again for 15 minutes at noon."""

    def requests(count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        minute = np.arange(count * 1440)
        level = 1800 - 1200 * np.cos(minute * 2 * np.pi / 1440)
        level[minute % 1440 // 15 == 48] *= 1.5
        return np.round(level)

    return requests


@pytest.fixture
def trace_of() -> Callable[..., Trace]:
    def make(requests: Any) -> Trace:
        return Trace.of([np.asarray(requests, dtype=float)], name="test", start=START)

    return make
