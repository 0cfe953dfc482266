import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import ForecastFloor, LookBack, TargetTuner


def statements(template: Template) -> list[dict[str, Any]]:
    """Of the function's role."""
    policies = template.find_resources("AWS::IAM::Policy")
    (policy,) = (each for name, each in policies.items() if name.startswith("FloorKeeperRole"))
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def environment(template: Template) -> dict[str, Any]:
    functions = template.find_resources("AWS::Lambda::Function")
    (function,) = (each for name, each in functions.items() if name.startswith("FloorKeeper"))
    found: dict[str, Any] = function["Properties"]["Environment"]["Variables"]
    return found


def actions_of(template: Template) -> set[str]:
    listed = (each["Action"] for each in statements(template))
    return {action for given in listed for action in ([given] if isinstance(given, str) else given)}


def test_it_looks_every_hour_and_after_deployments(
    stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic
) -> None:
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::Events::Rule", {"ScheduleExpression": "cron(2 * * * ? *)"})
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.cloudformation"],
                "detail": {"stack-id": [{"Ref": "AWS::StackId"}], "status-details": Match.any_value()},
            }
        },
    )


def test_it_is_told_what_is_declared(stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic) -> None:
    ForecastFloor(
        stack,
        "Floor",
        service=service,
        alerts_topic=topic,
        utilization_percent=70,
        look_back=LookBack.WEEKS,
        time_zone="Asia/Tokyo",
        holidays=["2027-01-01", "2026-12-25", "2026-12-25"],
    )
    given = environment(Template.from_stack(stack))
    assert (given["MIN_TASKS"], given["MAX_TASKS"]) == ("2", "10")
    assert json.loads(given["SETTINGS"]) == {
        "utilization": 70,
        "look_back": "weeks",
        "lead_minutes": 30,
        "time_zone": "Asia/Tokyo",
        "holidays": ["2026-12-25", "2027-01-01"],
        "dry_run": True,
    }


def test_it_is_told_that_tasks_report_every_20_seconds(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, topic: AlertsTopic
) -> None:
    fast = ScaledFargateService(stack, "Fast", vpc=vpc, image=image, high_resolution=True)
    ForecastFloor(stack, "Floor", service=fast, alerts_topic=topic)
    assert environment(Template.from_stack(stack))["CPU_REPORTS_A_MINUTE"] == "3"


def test_a_dry_run_may_change_nothing(stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic) -> None:
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)
    changes = {"PutScheduledAction", "DeleteScheduledAction", "RegisterScalableTarget"}
    assert not {action.partition(":")[2] for action in actions_of(Template.from_stack(stack))} & changes


def test_it_may_change_the_task_counts_of_services_and_nothing_else(
    stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic
) -> None:
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic, dry_run=False)
    (changing,) = (
        each
        for each in statements(Template.from_stack(stack))
        if "application-autoscaling:PutScheduledAction" in each["Action"]
    )
    assert changing["Condition"] == {
        "StringEquals": {
            "application-autoscaling:service-namespace": "ecs",
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
        }
    }


def test_its_end_comes_after_its_rules_on_the_way_down(
    stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic
) -> None:
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)
    template = Template.from_stack(stack)
    (end,) = template.find_resources("Custom::ForecastFloorEnd")
    rules = template.find_resources("AWS::Events::Rule")
    assert rules
    assert all(end in each["DependsOn"] for each in rules.values())


def test_it_notifies_where_forecasts_miss_and_where_it_fails(
    stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic
) -> None:
    floor = ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "ForecastFloor",
            "MetricName": "Missed",
            "EvaluationPeriods": 6,
            "DatapointsToAlarm": 3,
            "Period": 3600,
            "AlarmActions": [Match.any_value()],
        },
    )
    template.has_resource_properties("AWS::CloudWatch::Alarm", {"MetricName": "Errors", "DatapointsToAlarm": 2})
    assert floor.forecast_missed.node.path != floor.failed.node.path


def test_the_floor_is_a_line_on_the_running_tasks(
    stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic
) -> None:
    board = ServiceDashboard(stack, "Monitor", service=service)
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic, dashboard=board)
    (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    assert "FILL(floor, REPEAT)" in body
    assert "ForecastFloor" in body


def test_it_takes_any_service_and_the_bounds_of_one_that_is_imported(
    stack: cdk.Stack, topic: AlertsTopic, vpc: ec2.IVpc
) -> None:
    cluster = ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="shop", vpc=vpc)
    imported = ecs.FargateService.from_fargate_service_attributes(stack, "Service", cluster=cluster, service_name="web")
    with pytest.raises(InvalidArgumentError, match="min_tasks: got none, allowed: the declared one"):
        ForecastFloor(stack, "Unknown", service=imported, alerts_topic=topic)
    ForecastFloor(stack, "Floor", service=imported, alerts_topic=topic, min_tasks=3, max_tasks=30)
    given = environment(Template.from_stack(stack))
    assert (given["MIN_TASKS"], given["MAX_TASKS"]) == ("3", "30")
    assert given["CLUSTER_NAME"] == "shop"


def test_fails_when_the_minimum_changes_by_a_schedule_already(
    stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic
) -> None:
    service.scalable_target.scale_on_schedule(
        "Morning", schedule=applicationautoscaling.Schedule.cron(hour="7", minute="0"), min_capacity=5
    )
    with pytest.raises(InvalidArgumentError, match="changes by a schedule already, allowed: one with a fixed minimum"):
        ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)


def test_fails_when_a_service_has_a_floor(stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic) -> None:
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)
    with pytest.raises(InvalidArgumentError, match="one whose floor Stack/Floor keeps"):
        ForecastFloor(stack, "Second", service=service, alerts_topic=topic)


def test_a_tuner_and_a_floor_live_together(stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic) -> None:
    alarms = ServiceAlarms(stack, "Alarms", service=service, alerts_topic=topic)
    TargetTuner(stack, "Tuner", service=service, guardrail_alarms=[alarms.degraded], alerts_topic=topic)
    ForecastFloor(stack, "Floor", service=service, alerts_topic=topic, dry_run=False)
    template = Template.from_stack(stack)
    # The bounds stay those that are declared, the target the tuner's.
    template.has_resource_properties("AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": 2})
    assert "application-autoscaling:PutScalingPolicy" not in actions_of(template)


def test_its_metrics_are_the_services(stack: cdk.Stack, service: ScaledFargateService, topic: AlertsTopic) -> None:
    floor = ForecastFloor(stack, "Floor", service=service, alerts_topic=topic)
    assert floor.metric_floor(label="kept").label == "kept"
    assert floor.metric_missed(period=cdk.Duration.days(1)).period.to_hours() == 24
