from datetime import UTC, datetime

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ServiceMetrics
from cdk_fargate_sagemaker.monitoring import Change, ChangeLog, FargatePrice, ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, EndpointVariant
from tests.constructs.minimal.dashboards import (
    endpoint_dashboard,
    review_dashboard,
    service_dashboard,
    workflow_dashboard,
)
from tests.constructs.minimal.fargate import scaled_fargate_service, vpc
from tests.constructs.wrong_inputs import WrongInput

_SHARE = cloudwatch.Metric(namespace="Shop", metric_name="Answered")
_DATE = datetime(2026, 11, 1, tzinfo=UTC)


def _imported(stack: cdk.Stack) -> ecs.IBaseService:
    return ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )


def _network_load_balancer(stack: cdk.Stack) -> object:
    balancer = elbv2.NetworkLoadBalancer(stack, "Network", vpc=vpc(stack))
    return ServiceMetrics(service=_imported(stack), load_balancer=balancer)


def _beside(stack: cdk.Stack, **given: object) -> object:
    return review_dashboard(stack, dashboard=cloudwatch.Dashboard(stack, "Board"), **given)


def _elsewhere(stack: cdk.Stack) -> object:
    app = stack.node.root
    assert isinstance(app, Construct)
    here, there = (cdk.Stack(app, name, env=cdk.Environment(region=name)) for name in ("us-east-1", "eu-west-1"))
    return review_dashboard(here, dashboard=cloudwatch.Dashboard(there, "Board"))


def _a_metric_for_an_alarm(stack: cdk.Stack) -> object:
    return ServiceDashboard(stack, "Monitor", service=_imported(stack), alarms=_SHARE)


def _a_list_of_alarms(stack: cdk.Stack) -> object:
    service = scaled_fargate_service(stack)
    return ServiceDashboard(stack, "Monitor", service=service, alarms=[ServiceAlarms(stack, "Alarms", service=service)])


WRONG = [
    WrongInput(
        "a-number-for-a-floor",
        lambda stack: service_dashboard(stack).draw_floor(3),
        "floor: got 3, allowed: a metric of aws_cloudwatch; give ForecastFloor.metric_floor()",
    ),
    WrongInput(
        "one-metric-for-a-list",
        lambda stack: service_dashboard(stack, team_metrics=_SHARE),
        "team_metrics: got a Metric, allowed: ",
    ),
    WrongInput(
        "a-topic-for-a-metric",
        lambda stack: service_dashboard(stack, team_metrics=[sns.Topic(stack, "Topic")]),
        "team_metrics: got a Topic, allowed: ",
    ),
    WrongInput("a-metric-for-the-alarms", _a_metric_for_an_alarm, "alarms: got a Metric, allowed: ServiceAlarms"),
    WrongInput("a-list-of-alarms", _a_list_of_alarms, "alarms: got a list, allowed: ServiceAlarms"),
    WrongInput(
        "a-number-for-a-price",
        lambda stack: service_dashboard(stack, price=0.04),
        "price: got 0.04, allowed: FargatePrice",
    ),
    WrongInput(
        "text-for-a-price",
        lambda stack: FargatePrice(vcpu_hour="0.04", gib_hour=0.005),
        "vcpu_hour: got '0.04', allowed: ",
    ),
    WrongInput(
        "no-cpu-for-a-price",
        lambda stack: FargatePrice(vcpu_hour=0.04, gib_hour=0.005).task_hour(cpu=0, memory_mib=512),
        "cpu: got 0, allowed: ",
    ),
    WrongInput(
        "a-price-without-a-task-size",
        lambda stack: ServiceDashboard(
            stack, "Monitor", service=_imported(stack), price=FargatePrice(vcpu_hour=0.04, gib_hour=0.005)
        ),
        "price: got one for a service whose task size is not known in this app, allowed: ",
    ),
    WrongInput(
        "a-goal-of-nothing",
        lambda stack: service_dashboard(stack, requests_per_task_goal=0),
        "requests_per_task_goal: got 0, allowed: ",
    ),
    WrongInput(
        "a-goal-without-a-load-balancer",
        lambda stack: ServiceDashboard(stack, "Monitor", service=_imported(stack), requests_per_task_goal=900),
        "load_balancer: got none, allowed: ",
    ),
    WrongInput(
        "days-as-a-number",
        lambda stack: service_dashboard(stack, default_interval=7),
        "default_interval: got 7, allowed: ",
    ),
    WrongInput(
        "an-interval-of-nothing",
        lambda stack: workflow_dashboard(stack, default_interval=cdk.Duration.days(0)),
        "default_interval: got 0 days, allowed: ",
    ),
    WrongInput(
        "a-name-with-a-space",
        lambda stack: service_dashboard(stack, dashboard_name="the shop"),
        "dashboard_name: got 'the shop', allowed: letters, digits, - and _",
    ),
    WrongInput(
        "a-name-beside-a-dashboard",
        lambda stack: _beside(stack, dashboard_name="shop"),
        "dashboard_name: got 'shop', allowed: none beside dashboard",
    ),
    WrongInput(
        "an-interval-beside-a-dashboard",
        lambda stack: _beside(stack, default_interval=cdk.Duration.days(1)),
        "default_interval: got 1 day, allowed: none beside dashboard",
    ),
    WrongInput(
        "a-dashboard-of-another-region",
        _elsewhere,
        "dashboard: got one of the region eu-west-1, allowed: one of us-east-1",
    ),
    WrongInput(
        "a-construct-for-its-dashboard",
        lambda stack: review_dashboard(stack, dashboard=service_dashboard(stack)),
        "dashboard: got a ServiceDashboard, allowed: a Dashboard of aws_cloudwatch; pass its dashboard",
    ),
    WrongInput(
        "an-endpoints-name",
        lambda stack: endpoint_dashboard(stack, endpoint="reviews"),
        "endpoint: got 'reviews', allowed: ",
    ),
    WrongInput(
        "a-workflows-arn",
        lambda stack: workflow_dashboard(stack, workflow="arn:aws:states:us-east-1:1:stateMachine:release"),
        "workflow: got 'arn:aws:states:us-east-1:1:stateMachine:release', allowed: ModelReleaseWorkflow",
    ),
    WrongInput(
        "a-table-for-a-review-queue",
        lambda stack: review_dashboard(stack, reviews="reviews"),
        "reviews: got 'reviews', allowed: ",
    ),
    WrongInput(
        "a-change-for-a-log",
        lambda stack: service_dashboard(stack, change_log=Change(date=_DATE, label="target 50 → 51 %")),
        "change_log: got a Change, allowed: ",
    ),
    WrongInput(
        "one-change-for-a-list",
        lambda stack: ChangeLog(changes=Change(date=_DATE, label="target 50 → 51 %")),
        "changes: got a Change, allowed: ",
    ),
    WrongInput(
        "text-for-a-date",
        lambda stack: Change(date="2026-11-01T09:00:00Z", label="target 50 → 51 %"),
        "date: got '2026-11-01T09:00:00Z', allowed: ",
    ),
    WrongInput(
        "a-construct-for-its-service",
        lambda stack: ServiceMetrics(service=scaled_fargate_service(stack)),
        "service: got a ScaledFargateService, allowed: a service of aws_ecs; pass its service",
    ),
    WrongInput(
        "a-network-load-balancer", _network_load_balancer, "load_balancer: got a NetworkLoadBalancer, allowed: "
    ),
    WrongInput(
        "a-resolution-that-ecs-has-not",
        lambda stack: ServiceMetrics(service=_imported(stack), cpu_resolution=cdk.Duration.seconds(30)),
        "cpu_resolution: got 30 seconds, allowed: ",
    ),
    WrongInput(
        "seconds-for-a-period",
        lambda stack: scaled_fargate_service(stack).metrics.running_tasks(period=300),
        "period: got 300, allowed: a Duration, above 0; give Duration.seconds(300)",
    ),
    WrongInput(
        "a-percentile-of-a-service",
        lambda stack: scaled_fargate_service(stack).metrics.response_time("p99"),
        "percentile: got 'p99', allowed: ",
    ),
    WrongInput(
        "a-percentile-of-an-endpoint",
        lambda stack: EndpointMetrics(endpoint_name="reviews").model_latency(999),
        "percentile: got 999, allowed: ",
    ),
    WrongInput(
        "a-name-for-a-variant",
        lambda stack: EndpointMetrics(endpoint_name="reviews").cpu("primary"),
        "variant: got 'primary', allowed: EndpointVariant",
    ),
    WrongInput(
        "another-endpoints-variant",
        lambda stack: EndpointMetrics(endpoint_name="reviews").instances(EndpointVariant(name="other")),
        "variant: got other, allowed: primary",
    ),
]
