from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ScheduledBounds, TrackingPolicy


@pytest.fixture
def make(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> Callable[..., Any]:
    def make_service(**props: Any) -> ScaledFargateService:
        return ScaledFargateService(stack, "Api", vpc=vpc, image=image, **props)

    return make_service


def tracked(stack: cdk.Stack, metric_type: Any) -> Any:
    (policy,) = (
        policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        for policy in Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalingPolicy").values()
        if metric_type in str(policy)
    )
    return policy


def test_scale_in_on_the_cpu_can_be_switched_off(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make(scale_in=False)

    assert tracked(stack, "ECSServiceAverageCPUUtilization")["DisableScaleIn"] is True
    assert service.scaling.tracking[0].scale_in is False


def test_the_cpu_can_be_tracked_every_20_seconds(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make(
        high_resolution=True,
        target_percent=45,
        scale_in_cooldown=cdk.Duration.minutes(7),
        scale_out_cooldown=cdk.Duration.seconds(40),
    )

    assert tracked(stack, "ECSServiceAverageCPUUtilizationHighResolution") == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilizationHighResolution"},
        "TargetValue": 45,
        "DisableScaleIn": False,
        "ScaleInCooldown": 420,
        "ScaleOutCooldown": 40,
    }
    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service",
        {"Monitoring": {"MetricConfigurations": [{"MetricNames": ["CPUUtilization"], "ResolutionSeconds": 20}]}},
    )
    assert service.scaling.target_percent == 45


def test_high_resolution_replaces_no_policy(vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    def policies(high_resolution: Any) -> dict[str, Any]:
        stack = cdk.Stack(cdk.App(), "Stack")
        cluster = ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="shared", vpc=vpc)
        ScaledFargateService(stack, "Api", cluster=cluster, image=image, high_resolution=high_resolution)
        found = Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalingPolicy")
        return {id: policy["Properties"]["PolicyName"] for id, policy in found.items()}

    assert policies(True) == policies(False)


def test_running_tasks_are_a_third_of_the_reports_that_come_every_20_seconds(make: Callable[..., Any]) -> None:
    tasks = make(high_resolution=True).metric_running_tasks()

    assert tasks.expression == "reports / 3"
    assert tasks.using_metrics["reports"].statistic == "SampleCount"


def test_running_tasks_come_from_container_insights_where_that_is_on(make: Callable[..., Any]) -> None:
    tasks = make(container_insights=ecs.ContainerInsights.ENABLED).metric_running_tasks()

    assert (tasks.namespace, tasks.metric_name) == ("ECS/ContainerInsights", "RunningTaskCount")


def test_memory_is_tracked_too(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()
    service.track_memory(target_percent=70, scale_in=False)

    assert tracked(stack, "ECSServiceAverageMemoryUtilization") == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"},
        "TargetValue": 70,
        "DisableScaleIn": True,
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
    }
    assert service.scaling.tracking[1] == TrackingPolicy(
        metric="ECSServiceAverageMemoryUtilization",
        target=70,
        scale_in=False,
        scale_in_cooldown_seconds=300,
        scale_out_cooldown_seconds=60,
    )


def test_requests_per_task_are_tracked_too(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()
    service.track_requests(requests_per_task=1200)

    policy = tracked(stack, "ALBRequestCountPerTarget")
    assert policy["TargetValue"] == 1200
    assert "TargetGroupFullName" in str(policy["PredefinedMetricSpecification"]["ResourceLabel"])
    assert service.scaling.tracking[1].metric == "ALBRequestCountPerTarget"


def test_any_metric_is_tracked_too(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()
    metric = cloudwatch.Metric(namespace="Shop", metric_name="WaitingPerTask", statistic="Average")
    service.track_metric("Waiting", metric=metric, target_value=12)

    policy = tracked(stack, "WaitingPerTask")
    assert policy["TargetValue"] == 12
    assert policy["CustomizedMetricSpecification"]["Namespace"] == "Shop"
    assert service.scaling.tracking[1].metric == "Shop/WaitingPerTask"


def test_bounds_change_by_the_clock_of_a_zone(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()
    service.schedule_tasks(
        "Morning",
        schedule=applicationautoscaling.Schedule.cron(hour="8", minute="30"),
        time_zone=cdk.TimeZone.ASIA_TOKYO,
        min_tasks=6,
    )

    Template.from_stack(stack).has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "ScheduledActions": [
                {
                    "ScheduledActionName": "Morning",
                    "Schedule": "cron(30 8 * * ? *)",
                    "Timezone": "Asia/Tokyo",
                    "ScalableTargetAction": {"MinCapacity": 6, "MaxCapacity": Match.absent()},
                }
            ]
        },
    )
    assert service.scaling.schedules == (
        ScheduledBounds(schedule="cron(30 8 * * ? *)", time_zone="Asia/Tokyo", min_tasks=6),
    )


def test_the_template_tells_all_that_is_declared(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make(min_tasks=3, target_percent=cdk.CfnParameter(stack, "Target", type="Number").value_as_number)
    service.track_memory(target_percent=70)

    (summary,) = Template.from_stack(stack).to_json()["Metadata"].values()
    assert summary["min_tasks"] == 3
    assert [policy["target"] for policy in summary["tracking"]] == [{"Ref": "Target"}, 70]


@pytest.mark.parametrize("target", [0, -1, 101])
def test_fails_when_the_memory_target_is_no_share(make: Callable[..., Any], target: int) -> None:
    with pytest.raises(ValueError, match=f"^target_percent: got {target}, allowed: a number, 1 to 100"):
        make().track_memory(target_percent=target)


@pytest.mark.parametrize("target", [0, -1, float("inf"), float("nan")])
def test_fails_when_a_target_is_not_above_0(make: Callable[..., Any], target: float) -> None:
    service = make()
    with pytest.raises(ValueError, match=f"^requests_per_task: got {target}, allowed: a number, above 0"):
        service.track_requests(requests_per_task=target)
    with pytest.raises(ValueError, match=f"^target_value: got {target}, allowed: a number, above 0"):
        service.track_metric("A", metric=cloudwatch.Metric(namespace="A", metric_name="B"), target_value=target)


def test_fails_when_requests_are_tracked_with_two_target_groups(make: Callable[..., Any]) -> None:
    service = make(deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN)

    with pytest.raises(ValueError, match=r"^track_requests: got a service with BLUE_GREEN deployments"):
        service.track_requests(requests_per_task=100)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "min_tasks and max_tasks: got neither, allowed: one or both"),
        ({"min_tasks": 5, "max_tasks": 4}, r"min_tasks: got 5, allowed: at most max_tasks \(4\)"),
        ({"min_tasks": 0}, "min_tasks: got 0, allowed: a whole number, at least 1"),
    ],
)
def test_fails_when_scheduled_bounds_are_impossible(
    make: Callable[..., Any], bounds: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make().schedule_tasks(
            "Morning",
            schedule=applicationautoscaling.Schedule.cron(hour="8"),
            time_zone=cdk.TimeZone.ASIA_TOKYO,
            **bounds,
        )


def schedule(service: Any, id: str, **bounds: Any) -> None:
    service.schedule_tasks(
        id,
        schedule=applicationautoscaling.Schedule.cron(hour="8"),
        time_zone=cdk.TimeZone.ASIA_TOKYO,
        **bounds,
    )


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"min_tasks": 11}, "schedule_tasks: got min_tasks=11, allowed: at most 10, the largest max_tasks"),
        ({"max_tasks": 1}, "schedule_tasks: got max_tasks=1, allowed: at least 2, the smallest min_tasks"),
    ],
)
def test_synthesis_fails_when_one_bound_of_a_schedule_contradicts_every_other(
    stack: cdk.Stack, make: Callable[..., Any], bounds: dict[str, Any], message: str
) -> None:
    schedule(make(), "Morning", **bounds)

    with pytest.raises(RuntimeError, match=message):
        Template.from_stack(stack)


def test_a_bound_may_rely_on_a_schedule_that_is_declared_later(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()
    schedule(service, "Morning", min_tasks=20)
    schedule(service, "Night before", max_tasks=40)

    Template.from_stack(stack)
