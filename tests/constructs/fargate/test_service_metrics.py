from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from hypothesis import given
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceMetrics


@pytest.fixture
def service(stack: cdk.Stack) -> ecs.IBaseService:
    return ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )


@pytest.fixture(scope="module")
def error_share() -> Callable[..., Any]:
    """CloudWatch's expression, evaluated for one minute; None is a metric without data."""
    stack = cdk.Stack(cdk.App(), "Stack")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-11111111",
        vpc_cidr_block="10.0.0.0/16",
        availability_zones=["a", "b"],
        private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
    )
    image = ecs.ContainerImage.from_registry("image")
    expression = ScaledFargateService(stack, "Api", vpc=vpc, image=image).metrics.server_error_percent().expression
    functions = {
        "IF": lambda condition, then, otherwise: then if condition else otherwise,
        "FILL": lambda metric, filling: filling if metric is None else metric,
    }
    return lambda **metrics: eval(expression, functions, metrics)


def test_the_error_share_counts_what_tasks_and_load_balancer_answer(error_share: Callable[..., Any]) -> None:
    assert error_share(requests=200, target=3, balancer=1) == 2


def test_the_error_share_is_all_when_every_task_is_gone(error_share: Callable[..., Any]) -> None:
    assert error_share(requests=None, target=None, balancer=50) == 100


def test_the_error_share_is_nothing_without_requests(error_share: Callable[..., Any]) -> None:
    assert error_share(requests=None, target=None, balancer=None) == 0


counts = st.none() | st.integers(0, 10**9)


@given(requests=counts, target=counts, balancer=counts)
def test_the_error_share_is_a_share(
    error_share: Callable[..., Any], requests: float, target: float, balancer: float
) -> None:
    assert 0 <= error_share(requests=requests, target=target, balancer=balancer) <= 100


@pytest.mark.parametrize("metric", ["request_count", "server_error_percent"])
def test_fails_when_a_metric_needs_a_load_balancer(service: ecs.IBaseService, metric: str) -> None:
    with pytest.raises(
        ValueError, match=f"^load_balancer: got none, allowed: an application load balancer, for {metric}"
    ):
        getattr(ServiceMetrics(service=service), metric)()


def test_fails_when_the_response_time_needs_a_load_balancer(service: ecs.IBaseService) -> None:
    with pytest.raises(
        ValueError, match=r"^load_balancer: got none, allowed: an application load balancer, for response_time"
    ):
        ServiceMetrics(service=service).response_time(95)


def test_fails_when_unhealthy_hosts_need_a_target_group(service: ecs.IBaseService) -> None:
    with pytest.raises(
        ValueError, match=r"^target_group: got none, allowed: an application target group, for unhealthy_hosts"
    ):
        ServiceMetrics(service=service).unhealthy_hosts()


def test_the_response_time_is_a_percentile_of_the_minute(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    metric = ScaledFargateService(stack, "Api", vpc=vpc, image=image).metrics.response_time(99.9)

    assert (metric.metric_name, metric.statistic, metric.period.to_seconds()) == ("TargetResponseTime", "p99.9", 60)


@pytest.fixture
def metrics(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> ServiceMetrics:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image).metrics


def parts(metric: Any) -> list[Any]:
    if not isinstance(metric, cloudwatch.MathExpression):
        return [metric]
    return [leaf for part in metric.using_metrics.values() for leaf in parts(part)]


METHODS = {
    "cpu_average": {},
    "cpu_maximum": {},
    "memory_average": {},
    "running_tasks": {},
    "average_running_tasks": {},
    "request_count": {},
    "requests_per_minute": {},
    "requests_per_task": {},
    "cost_per_hour": {"task_hour": 0.05},
    "response_time": {"percentile": 95},
    "server_error_percent": {},
    "unhealthy_hosts": {},
}


def test_every_method_that_makes_a_metric_is_tried() -> None:
    makers = {name for name, value in vars(ServiceMetrics).items() if callable(value) and not name.startswith("_")}
    assert makers == set(METHODS)


@pytest.mark.parametrize(("method", "given"), METHODS.items())
def test_the_cdks_metric_options_are_taken(metrics: ServiceMetrics, method: str, given: dict[str, Any]) -> None:
    hour = cdk.Duration.hours(1)
    options = {"label": "mine", "color": "#123456", "region": "eu-west-1", "account": "444455556666", "period": hour}
    metric = getattr(metrics, method)(**given, **options)
    assert (metric.label, metric.color, metric.period.to_seconds()) == ("mine", "#123456", 3600)
    for part in parts(metric):
        assert (part.region, part.account, part.period.to_seconds()) == ("eu-west-1", "444455556666", 3600)


@pytest.mark.parametrize(("method", "given"), METHODS.items())
def test_an_option_that_there_is_not_is_refused(metrics: ServiceMetrics, method: str, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'peroid'"):
        getattr(metrics, method)(**given, peroid=cdk.Duration.hours(1))


def test_running_tasks_of_an_alarm_are_one_plain_metric(metrics: ServiceMetrics) -> None:
    tasks = metrics.running_tasks()
    assert isinstance(tasks, cloudwatch.Metric)
    assert (tasks.metric_name, tasks.statistic, tasks.period.to_seconds()) == ("CPUUtilization", "SampleCount", 60)
    each_minute = metrics.running_tasks(period=cdk.Duration.seconds(60))
    assert isinstance(each_minute, cloudwatch.Metric)
    assert each_minute.statistic == "SampleCount"


def test_running_tasks_of_a_longer_period_do_not_grow_with_it(metrics: ServiceMetrics) -> None:
    tasks = metrics.running_tasks(period=cdk.Duration.minutes(5))
    assert isinstance(tasks, cloudwatch.MathExpression)
    assert tasks.expression == "reports * 60 / PERIOD(reports)"
    (reports,) = parts(tasks)
    assert (reports.statistic, reports.period.to_seconds()) == ("SampleCount", 300)


def test_a_task_that_reports_three_times_a_minute_is_one_task_at_every_period(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    often = ScaledFargateService(stack, "Often", vpc=vpc, image=image, high_resolution=True).metrics
    mean = often.average_running_tasks()
    assert isinstance(mean, cloudwatch.MathExpression)
    assert mean.expression == "(reports / 3) * 60 / PERIOD(reports)"


def test_container_insights_count_tasks_by_their_mean_for_a_graph(service: ecs.IBaseService) -> None:
    metrics = ServiceMetrics(service=service, container_insights=True)
    most, mean = metrics.running_tasks(), metrics.average_running_tasks()
    assert isinstance(most, cloudwatch.Metric)
    assert isinstance(mean, cloudwatch.Metric)
    assert most.statistic == "Maximum"
    assert (mean.metric_name, mean.statistic) == ("RunningTaskCount", "Average")


def test_requests_a_minute_are_the_same_at_every_period(metrics: ServiceMetrics) -> None:
    assert metrics.requests_per_minute().expression == "requests * 60 / PERIOD(requests)"
    assert metrics.request_count().statistic == "Sum"
