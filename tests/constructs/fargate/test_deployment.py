from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Match, Template
from aws_cdk.aws_elasticloadbalancingv2 import TargetGroupLoadBalancingAlgorithmType
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.fargate._entrance import TargetSettings, target_group


@pytest.fixture
def make(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> Callable[..., Any]:
    def make_service(**props: Any) -> ScaledFargateService:
        if "cluster" not in props:
            props["vpc"] = vpc
        return ScaledFargateService(stack, "Api", image=image, **props)

    return make_service


def attributes(stack: cdk.Stack) -> dict[str, Any]:
    (group,) = Template.from_stack(stack).find_resources("AWS::ElasticLoadBalancingV2::TargetGroup").values()
    return {a["Key"]: a["Value"] for a in group["Properties"]["TargetGroupAttributes"]}


def test_blue_green_shifts_all_requests_and_bakes(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make(deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN, bake_time=cdk.Duration.minutes(15))

    template = Template.from_stack(stack)
    ((rule_id, rule),) = template.find_resources("AWS::ElasticLoadBalancingV2::ListenerRule").items()
    blue = stack.resolve(service.target_group.target_group_arn)
    green = stack.resolve(service.alternate_target_group.target_group_arn)
    template.has_resource_properties(
        "AWS::ECS::Service",
        {
            "DeploymentConfiguration": {"Strategy": "BLUE_GREEN", "BakeTimeInMinutes": 15},
            "LoadBalancers": [
                {
                    "TargetGroupArn": blue,
                    "AdvancedConfiguration": {
                        "AlternateTargetGroupArn": green,
                        "ProductionListenerRule": {"Ref": rule_id},
                    },
                }
            ],
        },
    )
    (action,) = rule["Properties"]["Actions"]
    assert action["ForwardConfig"]["TargetGroups"] == [
        {"TargetGroupArn": blue, "Weight": 100},
        {"TargetGroupArn": green, "Weight": 0},
    ]
    assert rule["Properties"]["Conditions"] == [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["*"]}}]


def test_unhealthy_hosts_are_counted_in_both_sets_of_a_blue_green_service(make: Callable[..., Any]) -> None:
    service = make(deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN)

    assert service.metrics.unhealthy_hosts().expression == "FILL(one, 0) + FILL(other, 0)"


def test_rolling_deployments_have_one_target_group(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()

    assert service.alternate_target_group is None
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::ElasticLoadBalancingV2::TargetGroup", 1)
    template.has_resource_properties(
        "AWS::ECS::Service",
        {"DeploymentConfiguration": {"Strategy": Match.absent(), "BakeTimeInMinutes": Match.absent()}},
    )


def test_a_container_has_a_minute_to_end(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"StopTimeout": 60}]}
    )


def test_commands_in_the_container_are_logged_and_encrypted(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(enable_execute_command=True)

    template = Template.from_stack(stack)
    (key_id,) = template.find_resources("AWS::KMS::Key")
    template.has_resource_properties("AWS::ECS::Service", {"EnableExecuteCommand": True})
    template.has_resource_properties(
        "AWS::ECS::Cluster",
        {
            "Configuration": {
                "ExecuteCommandConfiguration": {
                    "KmsKeyId": {"Fn::GetAtt": [key_id, "Arn"]},
                    "Logging": "OVERRIDE",
                    "LogConfiguration": {
                        "CloudWatchEncryptionEnabled": True,
                        "CloudWatchLogGroupName": {"Ref": Match.string_like_regexp("^ApiExecLogs")},
                    },
                }
            }
        },
    )


def test_the_agent_of_ecs_exec_may_write_where_the_container_may_not(
    stack: cdk.Stack, make: Callable[..., Any]
) -> None:
    make(enable_execute_command=True)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {
            "ContainerDefinitions": [
                {
                    "ReadonlyRootFilesystem": True,
                    "MountPoints": [
                        Match.object_like({"ContainerPath": "/managed-agents", "ReadOnly": False}),
                        Match.object_like({"ContainerPath": "/var/lib/amazon/ssm", "ReadOnly": False}),
                        Match.object_like({"ContainerPath": "/var/log/amazon/ssm", "ReadOnly": False}),
                    ],
                }
            ]
        },
    )


def test_nobody_can_run_commands_unless_that_was_asked_for(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    Template.from_stack(stack).has_resource_properties("AWS::ECS::Service", {"EnableExecuteCommand": False})


@pytest.mark.parametrize(
    ("algorithm", "rendered"),
    [
        (TargetGroupLoadBalancingAlgorithmType.ROUND_ROBIN, {"load_balancing.algorithm.type": "round_robin"}),
        (
            TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
            {"load_balancing.algorithm.type": "least_outstanding_requests"},
        ),
        (
            TargetGroupLoadBalancingAlgorithmType.WEIGHTED_RANDOM,
            {
                "load_balancing.algorithm.type": "weighted_random",
                "load_balancing.algorithm.anomaly_mitigation": "on",
            },
        ),
    ],
)
def test_the_load_balancers_algorithm_is_a_setting(
    stack: cdk.Stack,
    make: Callable[..., Any],
    algorithm: TargetGroupLoadBalancingAlgorithmType,
    rendered: dict[str, Any],
) -> None:
    make(load_balancing_algorithm=algorithm)

    assert rendered == {key: value for key, value in attributes(stack).items() if key.startswith("load_balancing")}


def health_check(stack: cdk.Stack) -> dict[str, Any]:
    (group,) = Template.from_stack(stack).find_resources("AWS::ElasticLoadBalancingV2::TargetGroup").values()
    return {name: value for name, value in group["Properties"].items() if "ealth" in name}


def test_the_defaults_of_the_health_check_are_elbs(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    assert health_check(stack) == {"HealthCheckPath": "/", "HealthCheckIntervalSeconds": 10}


@pytest.mark.parametrize(("interval", "timeout"), [(5, 4), (6, 5), (7, None), (300, None)])
def test_a_short_interval_gets_a_timeout_below_it(
    stack: cdk.Stack, make: Callable[..., Any], interval: int, timeout: int | None
) -> None:
    make(health_check_interval=cdk.Duration.seconds(interval))

    assert health_check(stack).get("HealthCheckTimeoutSeconds") == timeout


def test_the_health_check_is_a_setting(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(
        health_check_path="/health",
        health_check_interval=cdk.Duration.seconds(20),
        health_check_timeout=cdk.Duration.seconds(15),
        healthy_threshold_count=2,
        unhealthy_threshold_count=3,
    )

    assert health_check(stack) == {
        "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": 20,
        "HealthCheckTimeoutSeconds": 15,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
    }


def test_an_interval_that_is_known_at_deployment_only_passes(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    interval = cdk.CfnParameter(stack, "Interval", type="Number").value_as_number
    make(health_check_interval=cdk.Duration.seconds(interval))

    assert health_check(stack)["HealthCheckIntervalSeconds"] == {"Ref": "Interval"}


@settings(deadline=None, max_examples=30)
@given(interval=st.integers(0, 400), timeout=st.none() | st.integers(0, 200))
def test_whatever_is_accepted_is_what_elb_takes(interval: Any, timeout: Any) -> None:
    def make_settings() -> TargetSettings:
        return TargetSettings(
            port=8080,
            health_check_path="/",
            health_check_interval=cdk.Duration.seconds(interval),
            health_check_timeout=None if timeout is None else cdk.Duration.seconds(timeout),
            healthy_threshold_count=None,
            unhealthy_threshold_count=None,
            deregistration_delay=cdk.Duration.seconds(30),
            algorithm=TargetGroupLoadBalancingAlgorithmType.ROUND_ROBIN,
            slow_start=None,
        )

    if not (5 <= interval <= 300 and (timeout is None or 2 <= timeout < min(interval, 121))):
        with pytest.raises(ValueError, match=r"^health_check_[a-z]+: got .*, allowed: [^\n]*$"):
            make_settings()
        return
    stack = cdk.Stack(cdk.App(), "Stack")
    network = ec2.Vpc.from_vpc_attributes(stack, "Vpc", vpc_id="vpc-1", availability_zones=["a"])
    target_group(stack, "Targets", vpc=network, settings=make_settings())
    rendered = health_check(stack)
    assert 5 <= rendered["HealthCheckIntervalSeconds"] <= 300
    # ELB's own default is 5 or 6 seconds.
    assert 2 <= rendered.get("HealthCheckTimeoutSeconds", 6) < rendered["HealthCheckIntervalSeconds"]


def test_a_new_task_can_start_slowly(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(slow_start=cdk.Duration.seconds(90))

    assert attributes(stack)["slow_start.duration_seconds"] == "90"


BLUE_GREEN = {"deployment_strategy": ecs.DeploymentStrategy.BLUE_GREEN}


@pytest.mark.parametrize(
    ("props", "message"),
    [
        (
            {"deployment_strategy": ecs.DeploymentStrategy.CANARY},
            "deployment_strategy: got CANARY, allowed: ecs.DeploymentStrategy.ROLLING or BLUE_GREEN",
        ),
        (
            {**BLUE_GREEN, "bake_time": cdk.Duration.seconds(90)},
            "bake_time: got 1 minute 30 seconds, allowed: a Duration of whole minutes, at most 1 day",
        ),
        (
            {**BLUE_GREEN, "bake_time": cdk.Duration.days(2)},
            "bake_time: got 2 days, allowed: a Duration of whole minutes, at most 1 day",
        ),
        ({"bake_time": cdk.Duration.minutes(5)}, "bake_time: got 5 minutes, allowed: with BLUE_GREEN only"),
        (
            {"stop_timeout": cdk.Duration.seconds(121)},
            "stop_timeout: got 2 minutes 1 second, allowed: a Duration of whole seconds, at most 2 minutes",
        ),
        (
            {"slow_start": cdk.Duration.seconds(10)},
            "slow_start: got 10 seconds, allowed: a Duration of whole seconds, 30 seconds to 15 minutes",
        ),
        (
            {"health_check_interval": cdk.Duration.seconds(4)},
            "health_check_interval: got 4 seconds, allowed: a Duration of whole seconds, 5 seconds to 5 minutes",
        ),
        (
            {"health_check_interval": cdk.Duration.millis(7500)},
            "health_check_interval: got 7 seconds 500 millis, allowed: a Duration of whole seconds, 5 seconds to",
        ),
        (
            {"health_check_interval": cdk.Duration.seconds(301)},
            "health_check_interval: got 5 minutes 1 second, allowed: a Duration of whole seconds, 5 seconds to",
        ),
        (
            {"health_check_timeout": cdk.Duration.seconds(1)},
            "health_check_timeout: got 1 second, allowed: a Duration of whole seconds, 2 seconds to 2 minutes",
        ),
        (
            {"health_check_timeout": cdk.Duration.seconds(10)},
            r"health_check_timeout: got 10 seconds, allowed: less than health_check_interval \(10 seconds\)",
        ),
        (
            {"healthy_threshold_count": 1},
            "healthy_threshold_count: got 1, allowed: a whole number, 2 to 10; it counts checks in a row",
        ),
        (
            {"unhealthy_threshold_count": 11},
            "unhealthy_threshold_count: got 11, allowed: a whole number, 2 to 10; it counts checks in a row",
        ),
        ({"health_check_path": "health"}, "health_check_path: got 'health', allowed: a path that begins with /"),
        (
            {"deregistration_delay": cdk.Duration.hours(2)},
            "deregistration_delay: got 2 hours, allowed: a Duration of whole seconds, at most 1 hour",
        ),
        (
            {
                "slow_start": cdk.Duration.seconds(60),
                "load_balancing_algorithm": TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
            },
            "slow_start: got one with LEAST_OUTSTANDING_REQUESTS, allowed: with ROUND_ROBIN only",
        ),
    ],
)
def test_fails_when_a_setting_is_impossible(make: Callable[..., Any], props: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make(**props)


def test_fails_when_commands_would_run_in_a_cluster_that_does_not_log_them(
    stack: cdk.Stack, vpc: ec2.IVpc, make: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=r"^enable_execute_command: got a cluster that does not log commands"):
        make(cluster=ecs.Cluster(stack, "Shared", vpc=vpc), enable_execute_command=True)
