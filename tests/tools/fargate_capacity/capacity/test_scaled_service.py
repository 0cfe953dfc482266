from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.scaled_service import find_service
from fargate_capacity.input_error import InputError
from fargate_capacity.scaling_decisions import (
    CapacityBounds,
    Comparison,
    Metric,
    MissingData,
    StepBand,
    StepScaling,
    TargetTracking,
)


@pytest.fixture
def find(resources: dict[str, Any], write_assembly: Callable[..., Path]) -> Callable[..., Any]:
    def found(wanted: Any = None) -> Any:
        return find_service(CloudAssembly(write_assembly(resources)), wanted)

    return found


def test_reads_bounds_policies_and_task_size(find: Callable[..., Any]) -> None:
    service = find()
    assert service.name == "ApiService1A2B3C4D"
    assert (service.vcpus, service.memory_mib, service.architecture, service.region) == (1, 2048, "ARM64", "us-east-1")
    assert (service.health_check_seconds, service.drain_seconds) == (10, 60)
    assert service.bounds == CapacityBounds(minimum=2, maximum=20)
    assert service.policies == (
        TargetTracking(target=50, scale_out_cooldown_s=60, scale_in_cooldown_s=300),
        StepScaling(
            threshold=80,
            bands=(StepBand(lower=0, change=3),),
            comparison=Comparison.GREATER_OR_EQUAL,
            cooldown_s=120,
            datapoints=1,
            missing_data=MissingData.NOT_BREACHING,
        ),
    )
    assert service.unmodelled == ()


def test_reads_the_reference_systems_service(tmp_path: Path) -> None:
    """The shapes that the CDK renders, not only those written here by hand."""
    import aws_cdk as cdk
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_ecs as ecs

    app = cdk.App(outdir=str(tmp_path / "out"))
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(region="ap-northeast-1"))
    cluster = ecs.Cluster(stack, "Cluster", vpc=ec2.Vpc(stack, "Vpc"))
    task = ecs.FargateTaskDefinition(stack, "Task", cpu=512, memory_limit_mib=1024)
    task.add_container("app", image=ecs.ContainerImage.from_registry("nginx"))
    service = ecs.FargateService(
        stack, "Web", cluster=cluster, task_definition=task, min_healthy_percent=100, max_healthy_percent=200
    )
    scaling = service.auto_scale_task_count(min_capacity=3, max_capacity=9)
    scaling.scale_on_cpu_utilization("Cpu", target_utilization_percent=55)
    scaling.scale_on_metric(
        "Busy",
        metric=service.metric_cpu_utilization(),
        scaling_steps=[{"upper": 10, "change": -1}, {"lower": 50, "change": 1}, {"lower": 70, "change": 3}],
    )
    from aws_cdk import aws_applicationautoscaling as autoscaling

    scaling.scale_on_schedule("Morning", schedule=autoscaling.Schedule.cron(hour="8", minute="0"), min_capacity=6)
    app.synth()
    found = find_service(CloudAssembly(tmp_path / "out"), "WebService")
    assert (found.vcpus, found.memory_mib, found.region) == (0.5, 1024, "ap-northeast-1")
    tracking, *steps = found.policies
    assert tracking == TargetTracking(target=55)
    by_steps = [step for step in steps if isinstance(step, StepScaling)]
    assert by_steps == steps
    assert {(step.threshold, step.period_minutes, step.metric) for step in by_steps} == {
        (10, 5, Metric.CPU_AVERAGE),
        (50, 5, Metric.CPU_AVERAGE),
    }
    assert [(action.schedule, action.minimum) for action in found.scheduled] == [("cron(0 8 * * ? *)", 6)]
    # Without a load balancer nothing drains.
    assert found.drain_seconds == 0


def test_high_resolution_needs_one_minute(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    tracking = resources["Tracking"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    tracking["PredefinedMetricSpecification"]["PredefinedMetricType"] += "HighResolution"
    policy = find().policies[0]
    assert (policy.metric, policy.high_periods) == (Metric.CPU_AVERAGE_HIGH_RESOLUTION, 1)


def test_a_target_in_a_parameter_of_the_assembly_is_found(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["Live"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/live", "Value": "61"}}
    tracking = resources["Tracking"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    tracking["TargetValue"] = "{{resolve:ssm:/live}}"
    assert find().policies[0].target == 61


def test_tells_what_is_left_out(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    tracking = resources["Tracking"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    tracking["PredefinedMetricSpecification"]["PredefinedMetricType"] = "ECSServiceAverageMemoryUtilization"
    resources["SpikeAlarm"]["Properties"]["MetricName"] = "QueueDepth"
    service = find()
    assert service.policies == ()
    assert [line.partition(":")[0] for line in service.unmodelled] == ["Tracking", "Spike"]


def test_fails_when_there_is_no_scaled_service(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    del resources["Count"]
    with pytest.raises(InputError, match="no ECS service with a scalable target in 1 templates"):
        find()


def second_service(resources: Any) -> None:
    resources["Other9F8E7D6C"] = resources["ApiService1A2B3C4D"]
    resources["OtherCount"] = {
        "Type": resources["Count"]["Type"],
        "Properties": {
            **resources["Count"]["Properties"],
            "ResourceId": {"Fn::Join": ["/", ["service", "c", {"Fn::GetAtt": ["Other9F8E7D6C", "Name"]}]]},
        },
    }


def test_fails_when_there_are_two_services_and_none_is_named(
    resources: dict[str, Any], find: Callable[..., Any]
) -> None:
    second_service(resources)
    with pytest.raises(InputError, match="got 2 scaled services, ApiService1A2B3C4D, Other9F8E7D6C; choose one"):
        find()


@pytest.mark.parametrize("wanted", ["Other", "Other9F8E7D6C"])
def test_chooses_by_logical_id_with_or_without_its_hash(
    resources: dict[str, Any], find: Callable[..., Any], wanted: str
) -> None:
    second_service(resources)
    assert find(wanted).name == "Other9F8E7D6C"


def test_fails_when_the_named_service_is_unknown(find: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="--service: got 'Web', allowed: ApiService1A2B3C4D"):
        find("Web")


def test_fails_when_a_number_is_known_only_after_the_deploy(
    resources: dict[str, Any], find: Callable[..., Any]
) -> None:
    resources["Count"]["Properties"]["MaxCapacity"] = {"Fn::GetAtt": ["Custom", "Most"]}
    with pytest.raises(InputError, match=r"MaxCapacity: got \$\{Custom.Most\}, .*only the deployment knows this one"):
        find()


def test_fails_when_the_bounds_are_impossible(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["Count"]["Properties"]["MaxCapacity"] = 1
    with pytest.raises(InputError, match="ApiService1A2B3C4D: maximum: got 1"):
        find()
