import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from hypothesis import given
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceMetrics


@pytest.fixture
def service(stack):
    return ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )


@pytest.fixture(scope="module")
def error_share():
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


def test_the_error_share_counts_what_tasks_and_load_balancer_answer(error_share):
    assert error_share(requests=200, target=3, balancer=1) == 2


def test_the_error_share_is_all_when_every_task_is_gone(error_share):
    assert error_share(requests=None, target=None, balancer=50) == 100


def test_the_error_share_is_nothing_without_requests(error_share):
    assert error_share(requests=None, target=None, balancer=None) == 0


counts = st.none() | st.integers(0, 10**9)


@given(requests=counts, target=counts, balancer=counts)
def test_the_error_share_is_a_share(error_share, requests, target, balancer):
    assert 0 <= error_share(requests=requests, target=target, balancer=balancer) <= 100


@pytest.mark.parametrize("metric", ["request_count", "server_error_percent"])
def test_fails_when_a_metric_needs_a_load_balancer(service, metric):
    with pytest.raises(
        ValueError, match=f"^load_balancer: got none, allowed: an application load balancer, for {metric}"
    ):
        getattr(ServiceMetrics(service=service), metric)()


def test_fails_when_the_response_time_needs_a_load_balancer(service):
    with pytest.raises(
        ValueError, match=r"^load_balancer: got none, allowed: an application load balancer, for response_time"
    ):
        ServiceMetrics(service=service).response_time(95)


def test_fails_when_unhealthy_hosts_need_a_target_group(service):
    with pytest.raises(
        ValueError, match=r"^target_group: got none, allowed: an application target group, for unhealthy_hosts"
    ):
        ServiceMetrics(service=service).unhealthy_hosts()


def test_the_response_time_is_a_percentile_of_the_minute(stack, vpc, image):
    metric = ScaledFargateService(stack, "Api", vpc=vpc, image=image).metrics.response_time(99.9)

    assert (metric.metric_name, metric.statistic, metric.period.to_seconds()) == ("TargetResponseTime", "p99.9", 60)
