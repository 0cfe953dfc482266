from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.fargate import (
    MaxCapacityBreachBehavior,
    PredictiveScaling,
    PredictiveScalingMetric,
    PredictiveScalingMode,
    ScaledFargateService,
)
from cdk_fargate_sagemaker.tuning import ForecastFloor
from tests.constructs.construct_tree import logical_id

ARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333"
BY_REQUESTS = PredictiveScalingMetric.ALB_REQUEST_COUNT


@pytest.fixture
def service(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> ScaledFargateService:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image)


def policy(stack: cdk.Stack) -> Any:
    found = Template.from_stack(stack).find_resources(
        "AWS::ApplicationAutoScaling::ScalingPolicy", {"Properties": {"PolicyType": "PredictiveScaling"}}
    )
    (only,) = found.values()
    return only["Properties"]


def test_forecasts_only_by_the_cpu_unless_it_is_given_more(stack: cdk.Stack, service: ScaledFargateService) -> None:
    made = PredictiveScaling(stack, "Predictive", service=service, target_value=50)

    (target,) = Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalableTarget")
    assert policy(stack) == {
        "PolicyName": "StackPredictive7C4F1C0C",
        "PolicyType": "PredictiveScaling",
        "ScalingTargetId": {"Ref": target},
        "PredictiveScalingPolicyConfiguration": {
            "MetricSpecifications": [
                {
                    "TargetValue": 50,
                    "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ECSServiceCPUUtilization"},
                }
            ],
            "Mode": "ForecastOnly",
        },
    }
    assert made.mode is PredictiveScalingMode.FORECAST_ONLY
    assert made.cfn_policy.policy_type == "PredictiveScaling"


def test_scales_ahead_of_the_hour_and_may_raise_the_maximum(stack: cdk.Stack, service: ScaledFargateService) -> None:
    PredictiveScaling(
        stack,
        "Predictive",
        service=service,
        metric=PredictiveScalingMetric.ECS_SERVICE_MEMORY_UTILIZATION,
        target_value=60.5,
        mode=PredictiveScalingMode.FORECAST_AND_SCALE,
        scheduling_buffer_time=cdk.Duration.minutes(10),
        max_capacity_breach_behavior=MaxCapacityBreachBehavior.INCREASE_MAX_CAPACITY,
        max_capacity_buffer=20,
    )

    assert policy(stack)["PredictiveScalingPolicyConfiguration"] == {
        "MetricSpecifications": [
            {
                "TargetValue": 60.5,
                "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ECSServiceMemoryUtilization"},
            }
        ],
        "Mode": "ForecastAndScale",
        "SchedulingBufferTime": 600,
        "MaxCapacityBreachBehavior": "IncreaseMaxCapacity",
        "MaxCapacityBuffer": 20,
    }


def label(stack: cdk.Stack) -> Any:
    (specification,) = policy(stack)["PredictiveScalingPolicyConfiguration"]["MetricSpecifications"]
    return specification["PredefinedMetricPairSpecification"]["ResourceLabel"]


def test_counts_the_requests_of_a_patterns_target_group(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    shop = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack, "Shop", vpc=vpc, task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    )
    shop.service.auto_scale_task_count(max_capacity=4)
    PredictiveScaling(stack, "Predictive", service=shop, metric=BY_REQUESTS, target_value=600)

    balancer = logical_id(shop.load_balancer)
    group = logical_id(shop.target_group)
    assert label(stack) == {
        "Fn::Join": [
            "",
            [
                {"Fn::Select": [1, {"Fn::Split": [":loadbalancer/", {"Ref": balancer}]}]},
                "/",
                {"Fn::Select": [5, {"Fn::Split": [":", {"Ref": group}]}]},
            ],
        ]
    }


def test_counts_the_requests_of_an_imported_service(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Web", "arn:aws:ecs:us-east-1:111122223333:service/shop/web"
    )
    PredictiveScaling(
        stack,
        "Predictive",
        service=service,
        scalable_target=applicationautoscaling.ScalableTarget.from_scalable_target_attributes(
            stack,
            "Target",
            scalable_target_id="service/shop/web|ecs:service:DesiredCount|ecs",
            scalable_dimension="ecs:service:DesiredCount",
            service_namespace="ecs",
        ),
        metric=BY_REQUESTS,
        target_value=600,
        load_balancer=elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
            stack, "Balancer", load_balancer_arn=f"{ARN}:loadbalancer/app/shop/1f", security_group_id="sg-11111111"
        ),
        target_group=elbv2.ApplicationTargetGroup.from_target_group_attributes(
            stack, "Group", target_group_arn=f"{ARN}:targetgroup/web/2e"
        ),
    )

    assert label(stack) == "app/shop/1f/targetgroup/web/2e"
    assert policy(stack)["ScalingTargetId"] == "service/shop/web|ecs:service:DesiredCount|ecs"


def test_fails_when_requests_have_no_load_balancer(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    task = ecs.FargateTaskDefinition(stack, "Task")
    task.add_container("web", image=image)
    service = ecs.FargateService(
        stack, "Bare", cluster=ecs.Cluster(stack, "Cluster", vpc=vpc), task_definition=task, min_healthy_percent=100
    )
    service.auto_scale_task_count(max_capacity=4)
    with pytest.raises(InvalidArgumentError, match=r"^load_balancer: got none, allowed: the application load balancer"):
        PredictiveScaling(stack, "Predictive", service=service, metric=BY_REQUESTS, target_value=600)


def test_fails_when_requests_move_from_one_target_group_to_the_other(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = ScaledFargateService(
        stack, "Api", vpc=vpc, image=image, deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN
    )
    with pytest.raises(
        InvalidArgumentError,
        match=r"^metric: got 'ALBRequestCount', allowed: CPU or memory for a service with BLUE_GREEN deployments; AWS",
    ):
        PredictiveScaling(stack, "Predictive", service=service, metric=BY_REQUESTS, target_value=600)


def test_fails_when_the_service_has_no_task_count(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Web", "arn:aws:ecs:us-east-1:111122223333:service/shop/web"
    )
    with pytest.raises(InvalidArgumentError, match=r"^scalable_target: got none, allowed: the task count of the serv"):
        PredictiveScaling(stack, "Predictive", service=service, target_value=50)


@pytest.mark.parametrize("is_first", [True, False])
def test_fails_when_a_floor_would_yield_to_a_raised_maximum(
    stack: cdk.Stack, service: ScaledFargateService, is_first: bool
) -> None:
    def predict() -> None:
        PredictiveScaling(
            stack,
            "Predictive",
            service=service,
            target_value=50,
            max_capacity_breach_behavior=MaxCapacityBreachBehavior.INCREASE_MAX_CAPACITY,
            max_capacity_buffer=10,
        )

    if is_first:
        predict()
    floor = ForecastFloor(stack, "Floor", service=service, alerts_topic=sns.Topic(stack, "Alerts"))
    if not is_first:
        predict()
    assert floor.node.validate() == [
        "max_capacity_breach_behavior: got IncreaseMaxCapacity of Stack/Predictive beside a forecast floor, allowed: "
        "HonorMaxCapacity; the floor yields to whoever changes the maximum"
    ]


def test_goes_with_a_floor_where_the_maximum_is_kept(stack: cdk.Stack, service: ScaledFargateService) -> None:
    PredictiveScaling(stack, "Predictive", service=service, target_value=50)
    assert ForecastFloor(stack, "Floor", service=service, alerts_topic=sns.Topic(stack, "Alerts")).node.validate() == []
