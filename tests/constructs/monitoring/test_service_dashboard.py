import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.fargate import CpuStep, MetricStep, ScaledFargateService, SpikeScaling
from cdk_fargate_sagemaker.monitoring import (
    Change,
    ChangeLog,
    ChangeLogError,
    FargatePrice,
    ServiceAlarms,
    ServiceDashboard,
)


@pytest.fixture
def service(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> ScaledFargateService:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image, min_tasks=3, max_tasks=12, target_percent=55)


def body(stack: cdk.Stack) -> Any:
    """The dashboard as CloudWatch gets it, with what is known at deployment only written as its logical id."""
    (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    rendered = dashboard["Properties"]["DashboardBody"]
    if isinstance(rendered, str):
        return json.loads(rendered)
    _, parts = rendered["Fn::Join"]
    return json.loads("".join(part if isinstance(part, str) else next(iter(_flat(part))) for part in parts))


def _flat(intrinsic: Any) -> Iterator[str]:
    ((_, value),) = intrinsic.items()
    is_attribute = isinstance(value, list) and all(isinstance(part, str) for part in value)
    yield ".".join(value) if is_attribute else str(value).replace('"', "'")


def widgets(stack: cdk.Stack) -> dict[str, Any]:
    return {widget["properties"]["title"]: widget for widget in body(stack)["widgets"]}


def horizontal(widget: Any) -> list[Any]:
    lines = widget["properties"].get("annotations", {}).get("horizontal", [])
    return [(line["value"], line["label"]) for line in lines if isinstance(line, dict)]


def drawn(widget: Any) -> tuple[Any, ...]:
    """The expression that is drawn, None for a metric alone, and what it is made of."""
    rows = widget["properties"]["metrics"]
    expressions = [row[0]["expression"] for row in rows if isinstance(row[0], dict) and row[0].get("visible", True)]
    metrics = [row for row in rows if not isinstance(row[0], dict)]
    return (expressions[0] if expressions else None), metrics


def test_four_graphs_stand_one_below_the_other(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    places = [(w["x"], w["y"], w["width"], w["height"]) for w in body(stack)["widgets"][:4]]
    assert places == [(0, 4 * row, 24, 4) for row in range(4)]


def test_each_graph_shows_its_metric_at_any_period(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    shown = {}
    for title, widget in list(widgets(stack).items())[:4]:
        expression, ((namespace, metric, *_, options),) = drawn(widget)
        shown[title] = (expression, namespace, metric, options.get("stat", "Average"), options["period"])
        assert widget["properties"]["period"] == 60
    assert shown == {
        "Requests a minute": (
            "requests * 60 / PERIOD(requests)",
            "AWS/ApplicationELB",
            "RequestCount",
            "Sum",
            60,
        ),
        "CPU maximum, %": (None, "AWS/ECS", "CPUUtilization", "Maximum", 60),
        "Running tasks": ("reports * 60 / PERIOD(reports)", "AWS/ECS", "CPUUtilization", "SampleCount", 60),
        "CPU average, %": (None, "AWS/ECS", "CPUUtilization", "Average", 60),
    }


def test_the_metrics_are_those_of_the_service(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    cluster = stack.resolve(service.cluster.cluster_name)["Ref"]
    name = ".".join(stack.resolve(service.service.service_name)["Fn::GetAtt"])
    _, ((_, _, *dimensions, _),) = drawn(widgets(stack)["Running tasks"])
    assert dimensions == ["ClusterName", cluster, "ServiceName", name]


def test_the_tracked_target_is_a_line_on_the_average(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    assert horizontal(widgets(stack)["CPU average, %"]) == [(55, "target: 55")]


def test_the_spike_threshold_is_a_line_on_the_maximum(stack: cdk.Stack, service: ScaledFargateService) -> None:
    spikes = SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=90, add_tasks=4))
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes)

    assert horizontal(widgets(stack)["CPU maximum, %"]) == [(90, "adds 4 tasks: 90")]


def schedule(service: Any, id: str, **bounds: Any) -> None:
    cron = applicationautoscaling.Schedule.cron(hour="8", minute="0")
    service.schedule_tasks(id, schedule=cron, time_zone=cdk.TimeZone.ASIA_TOKYO, **bounds)


def test_each_bound_of_a_schedule_is_a_line_once(stack: cdk.Stack, service: ScaledFargateService) -> None:
    schedule(service, "Morning", min_tasks=6, max_tasks=30)
    schedule(service, "Noon", min_tasks=8, max_tasks=30)
    schedule(service, "Night", min_tasks=3, max_tasks=12)
    ServiceDashboard(stack, "Monitor", service=service)

    assert horizontal(widgets(stack)["Running tasks"]) == [
        (3, "least: 3"),
        (6, "least by schedule: 6"),
        (8, "least by schedule: 8"),
        (12, "most: 12"),
        (30, "most by schedule: 30"),
    ]


def test_what_is_declared_after_the_dashboard_is_drawn(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)
    schedule(service, "Morning", min_tasks=6)
    SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=90, add_tasks=4))

    shown = widgets(stack)
    assert (6, "least by schedule: 6") in horizontal(shown["Running tasks"])
    assert horizontal(shown["CPU maximum, %"]) == [(90, "adds 4 tasks: 90")]


def test_a_task_count_that_is_made_after_the_dashboard_is_read(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    monitor = ServiceDashboard(stack, "Monitor", service=pattern)
    tasks = pattern.service.auto_scale_task_count(min_capacity=2, max_capacity=20)
    tasks.scale_on_cpu_utilization("Cpu", target_utilization_percent=40)

    shown = widgets(stack)
    assert horizontal(shown["CPU average, %"]) == [(40, "target: 40")]
    assert horizontal(shown["Running tasks"]) == [(2, "least: 2"), (20, "most: 20")]
    assert [entry for entry in monitor.node.metadata if "no task count" in str(entry.data)] == []


def test_least_and_most_tasks_are_lines_on_the_running_tasks(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    assert horizontal(widgets(stack)["Running tasks"]) == [(3, "least: 3"), (12, "most: 12")]


def test_without_spike_scaling_the_maximum_has_no_line(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    assert horizontal(widgets(stack)["CPU maximum, %"]) == []


def test_every_change_is_a_vertical_line_on_every_widget(
    stack: cdk.Stack, service: ScaledFargateService, tmp_path: Path
) -> None:
    path = tmp_path / "changes.yaml"
    path.write_text(
        "- {date: 2026-11-03T09:00:00+09:00, label: target 50 → 51 %, author: 佐藤}\n"
        "- {date: 2026-11-01T00:00:00Z, label: max 12 tasks}\n",
        encoding="utf-8",
    )
    ServiceDashboard(stack, "Monitor", service=service, change_log=path)

    for widget in body(stack)["widgets"]:
        assert widget["properties"]["annotations"]["vertical"] == [
            {"value": "2026-11-01T00:00:00Z", "label": "max 12 tasks"},
            {"value": "2026-11-03T00:00:00Z", "label": "target 50 → 51 % (佐藤)"},
        ]


def test_takes_the_changes_themselves(stack: cdk.Stack, service: ScaledFargateService) -> None:
    tokyo = timezone(timedelta(hours=9))
    log = ChangeLog(changes=(Change(date=datetime(2026, 11, 3, 8, 30, tzinfo=tokyo), label="a"),))
    ServiceDashboard(stack, "Monitor", service=service, change_log=log)

    for widget in body(stack)["widgets"]:
        assert widget["properties"]["annotations"]["vertical"] == [{"value": "2026-11-02T23:30:00Z", "label": "a"}]


def test_a_change_without_a_log_is_not_drawn(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service, change_log=ChangeLog())

    assert all("vertical" not in w["properties"].get("annotations", {}) for w in body(stack)["widgets"])


def test_name_and_interval_are_settings(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service, dashboard_name="api", default_interval=cdk.Duration.hours(3))

    Template.from_stack(stack).has_resource_properties("AWS::CloudWatch::Dashboard", {"DashboardName": "api"})
    assert body(stack)["start"] == "-PT3H"


def test_draws_a_pattern_from_the_cdk(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    tasks = pattern.service.auto_scale_task_count(min_capacity=2, max_capacity=20)
    tasks.scale_on_cpu_utilization("Cpu", target_utilization_percent=40)
    ServiceDashboard(
        stack, "Monitor", service=pattern.service, load_balancer=pattern.load_balancer, scalable_target=tasks
    )

    shown = widgets(stack)
    assert list(shown)[:4] == ["Requests a minute", "CPU maximum, %", "Running tasks", "CPU average, %"]
    assert horizontal(shown["CPU average, %"]) == [(40, "target: 40")]
    assert horizontal(shown["Running tasks"]) == [(2, "least: 2"), (20, "most: 20")]


def test_an_imported_service_without_a_load_balancer_has_three_widgets(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )
    ServiceDashboard(stack, "Monitor", service=service)

    assert list(widgets(stack)) == ["CPU maximum, %", "Running tasks", "CPU average, %"]


def test_a_target_known_at_deployment_only_is_drawn(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    target = cdk.CfnParameter(stack, "Target", type="Number").value_as_number
    service = ScaledFargateService(stack, "Api", vpc=vpc, image=image, target_percent=target)
    ServiceDashboard(stack, "Monitor", service=service)

    (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    _, parts = dashboard["Properties"]["DashboardBody"]["Fn::Join"]
    where = parts.index({"Ref": "Target"})
    assert parts[where - 1].endswith('"horizontal":[{"value":')
    assert parts[where + 1].startswith(',"color":"#2ca02c","label":"target"')


def test_fails_when_the_change_log_is_wrong(stack: cdk.Stack, service: ScaledFargateService, tmp_path: Path) -> None:
    path = tmp_path / "changes.yaml"
    path.write_text("- {date: today, label: a}")

    with pytest.raises(ChangeLogError, match=r"changes\.yaml: entry 1: date: got \"today\""):
        ServiceDashboard(stack, "Monitor", service=service, change_log=path)


def test_the_band_on_the_maximum_reaches_from_the_target_to_the_spike_threshold(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    spikes = SpikeScaling(stack, "Spikes", service=service)
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes)

    annotations = widgets(stack)["CPU maximum, %"]["properties"]["annotations"]["horizontal"]
    assert [line for line in annotations if isinstance(line, list)] == [
        [{"value": 55, "label": "headroom", "color": "#ff7f0e"}, {"value": 80}]
    ]


def test_every_band_of_spike_scaling_is_a_line(stack: cdk.Stack, service: ScaledFargateService) -> None:
    steps = [CpuStep(), CpuStep(threshold_percent=95, add_tasks=6)]
    spikes = SpikeScaling(stack, "Spikes", service=service, steps=steps)
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes)

    assert horizontal(widgets(stack)["CPU maximum, %"]) == [(80, "adds 3 tasks: 80"), (95, "adds 6 tasks: 95")]


def test_spike_scaling_on_another_metric_is_no_line_on_the_cpu(stack: cdk.Stack, service: ScaledFargateService) -> None:
    metric = cloudwatch.Metric(namespace="Shop", metric_name="Waiting", period=cdk.Duration.minutes(1))
    spikes = SpikeScaling(stack, "Spikes", service=service, metric=metric, steps=MetricStep(threshold=50))
    ServiceDashboard(stack, "Monitor", service=service, spike_scaling=spikes)

    assert horizontal(widgets(stack)["CPU maximum, %"]) == []


def test_guardrails_and_cost_follow_the_screen(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service, price=FargatePrice(vcpu_hour=0.04, gib_hour=0.005))

    assert list(widgets(stack))[4:] == [
        "Response time, s",
        "Server errors, %",
        "Unhealthy hosts",
        "Requests a minute and task",
        "Cost an hour on demand, $",
        "Requests a minute and task, 15 months",
    ]
    rows = [(w["x"], w["y"], w["width"]) for w in body(stack)["widgets"][4:]]
    assert rows == [(0, 16, 8), (8, 16, 8), (16, 16, 8), (0, 23, 12), (12, 23, 12), (0, 30, 24)]


def test_response_times_are_three_percentiles(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    metrics = widgets(stack)["Response time, s"]["properties"]["metrics"]
    assert [metric[-1]["stat"] for metric in metrics] == ["p50", "p95", "p99"]


def test_the_thresholds_of_alarms_are_lines(stack: cdk.Stack, service: ScaledFargateService) -> None:
    alarms = ServiceAlarms(
        stack, "Alarms", service=service, response_time=cdk.Duration.millis(400), server_error_percent=2
    )
    ServiceDashboard(stack, "Monitor", service=service, alarms=alarms)

    shown = widgets(stack)
    assert [value for value, _ in horizontal(shown["Response time, s"])] == [0.4]
    assert [value for value, _ in horizontal(shown["Server errors, %"])] == [2]
    assert [value for value, _ in horizontal(shown["Unhealthy hosts"])] == [1]


def test_the_cost_is_that_of_the_running_tasks(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceDashboard(stack, "Monitor", service=service, price=FargatePrice(vcpu_hour=0.04048, gib_hour=0.004445))

    ((expression,), *_) = widgets(stack)["Cost an hour on demand, $"]["properties"]["metrics"]
    assert expression["expression"] == "tasks * 0.04937"


@pytest.mark.parametrize("title", ["Requests a minute and task", "Requests a minute and task, 15 months"])
def test_requests_a_task_are_requests_over_running_tasks(
    stack: cdk.Stack, service: ScaledFargateService, title: str
) -> None:
    ServiceDashboard(stack, "Monitor", service=service)

    expression, metrics = drawn(widgets(stack)[title])
    assert expression == "per_minute / tasks"
    assert {metric[-1]["id"]: metric[1] for metric in metrics} == {
        "requests": "RequestCount",
        "reports": "CPUUtilization",
    }


def test_the_long_view_shows_15_months_by_the_hour_with_the_goal(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    ServiceDashboard(stack, "Monitor", service=service, requests_per_task_goal=900)

    long_view = widgets(stack)["Requests a minute and task, 15 months"]
    assert (long_view["properties"]["start"], long_view["properties"]["period"]) == ("-P15M", 3600)
    assert {row[-1]["period"] for row in long_view["properties"]["metrics"]} == {3600}
    assert horizontal(long_view) == [(900, "goal: 900")]


def test_the_teams_own_metrics_stand_below_the_four(stack: cdk.Stack, service: ScaledFargateService) -> None:
    share = cloudwatch.Metric(namespace="Shop", metric_name="Answered", statistic="Average", label="Answered, %")
    number = cloudwatch.Metric(
        namespace="Shop", metric_name="Questions", statistic="Sum", period=cdk.Duration.minutes(10)
    )
    alarm = cloudwatch.Alarm(stack, "Answered", metric=share, threshold=90, evaluation_periods=3)
    ServiceDashboard(stack, "Monitor", service=service, team_metrics=[alarm, number])

    places = {w["properties"]["title"]: (w["x"], w["y"], w["width"]) for w in body(stack)["widgets"][4:6]}
    assert places == {"Answered, %": (0, 16, 12), "Questions": (12, 16, 12)}
    shown = widgets(stack)
    ((threshold, _),) = horizontal(shown["Answered, %"])
    assert threshold == 90
    # A sum is drawn per its own period, whatever period CloudWatch draws.
    expression, ((_, name, options),) = drawn(shown["Questions"])
    assert (expression, name, options["stat"]) == ("own * 600 / PERIOD(own)", "Questions", "Sum")


def test_one_dashboard_can_show_several_services(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, service: ScaledFargateService
) -> None:
    other = ScaledFargateService(stack, "Other", vpc=vpc, image=image)
    first = ServiceDashboard(stack, "First", service=service, dashboard_name="shop")
    second = ServiceDashboard(stack, "Second", service=other, dashboard=first.dashboard)

    assert second.dashboard is first.dashboard
    shown = body(stack)["widgets"]
    assert [w["properties"].get("title") for w in shown].count("Running tasks") == 2
    assert [w["properties"]["markdown"] for w in shown if w["type"] == "text"] == ["# Second"]
    assert len({(w["x"], w["y"]) for w in shown}) == len(shown)


def test_fails_when_a_price_is_given_for_tasks_of_unknown_size(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )
    with pytest.raises(
        ValueError, match=r"^price: got one for a service whose task size is not known in this app, allowed: "
    ):
        ServiceDashboard(stack, "Monitor", service=service, price=FargatePrice(vcpu_hour=0.04, gib_hour=0.005))
