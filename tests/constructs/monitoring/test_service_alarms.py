import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ScheduledBounds, ServiceScaling
from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from tests.constructs.known_at_deployment import whole
from tests.constructs.monitoring.template_alarms import alarms

GUARDRAIL = ["Latency", "ServerErrors", "UnhealthyHosts", "CpuSaturated", "TaskFailures"]


@pytest.fixture
def service(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> ScaledFargateService:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image, max_tasks=12)


@pytest.fixture
def imported(stack: cdk.Stack) -> ecs.IBaseService:
    return ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )


def pick(alarm: Any, *names: Any) -> Any:
    return tuple(alarm.get(name) for name in names)


SHAPE = ("ComparisonOperator", "Threshold", "DatapointsToAlarm", "EvaluationPeriods", "TreatMissingData")


def test_latency(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, response_time=cdk.Duration.millis(300), response_time_percentile=99)

    alarm = alarms(stack)["Latency"]
    assert pick(alarm, *SHAPE) == ("GreaterThanThreshold", 0.3, 3, 5, "notBreaching")
    assert pick(alarm, "MetricName", "ExtendedStatistic", "Period") == ("TargetResponseTime", "p99", 60)


def test_server_errors(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, server_error_percent=0.5)

    assert pick(alarms(stack)["ServerErrors"], *SHAPE) == ("GreaterThanThreshold", 0.5, 3, 5, "notBreaching")


def test_unhealthy_hosts(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service)

    alarm = alarms(stack)["UnhealthyHosts"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 1, 3, 3, "notBreaching")
    assert pick(alarm, "MetricName", "Statistic") == ("UnHealthyHostCount", "Maximum")


def test_saturated_cpu(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, cpu_maximum_percent=98)

    alarm = alarms(stack)["CpuSaturated"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 98, 10, 10, "notBreaching")
    assert pick(alarm, "MetricName", "Statistic") == ("CPUUtilization", "Maximum")


def test_how_long_the_cpu_is_saturated_is_a_setting(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, cpu_saturated_for=cdk.Duration.minutes(15))

    assert pick(alarms(stack)["CpuSaturated"], "DatapointsToAlarm", "EvaluationPeriods") == (15, 15)


def said(stack: cdk.Stack) -> list[Any]:
    """The information that synthesis prints."""
    entries = Annotations.from_stack(stack).find_info("*", Match.any_value())
    return [entry.entry.data for entry in entries]


def schedule(service: Any, id: str, *, hour: str = "8", **bounds: Any) -> None:
    cron = applicationautoscaling.Schedule.cron(hour=hour, minute="0")
    service.schedule_tasks(id, schedule=cron, time_zone=cdk.TimeZone.ASIA_TOKYO, **bounds)


def test_a_service_at_its_maximum_of_any_time(stack: cdk.Stack, service: ScaledFargateService) -> None:
    schedule(service, "Morning", min_tasks=6, max_tasks=30)
    schedule(service, "Night", hour="1", min_tasks=2, max_tasks=5)
    made = ServiceAlarms(stack, "Alarms", service=service)

    assert alarms(stack)["AtMaximum"]["Threshold"] == 30
    assert made.at_maximum is not None
    assert said(stack) == []


def test_a_maximum_that_is_lowered_for_a_while_is_no_alarm(stack: cdk.Stack, service: ScaledFargateService) -> None:
    schedule(service, "Night", max_tasks=5)
    ServiceAlarms(stack, "Alarms", service=service)

    assert alarms(stack)["AtMaximum"]["Threshold"] == 12


@pytest.mark.parametrize(
    "schedules",
    [
        {},
        {"Lower": {"min_tasks": 8, "max_tasks": 8}},
        {"Sale": {"min_tasks": 12}},
        {"Both": {"min_tasks": 20, "max_tasks": 20}},
    ],
)
def test_a_service_that_is_at_its_maximum_without_load_has_no_such_alarm(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, schedules: dict[str, Any]
) -> None:
    least = 12 if not schedules or "Lower" in schedules else 2
    service = ScaledFargateService(stack, "Fixed", vpc=vpc, image=image, min_tasks=least, max_tasks=12)
    for id, bounds in schedules.items():
        schedule(service, id, **bounds)
    made = ServiceAlarms(stack, "Alarms", service=service)

    assert made.at_maximum is None
    assert set(alarms(stack)) == set(GUARDRAIL)
    (reason,) = said(stack)
    number = 20 if "Both" in schedules else 12
    assert reason.startswith(f"no AtMaximum alarm: min_tasks and max_tasks are {number} at some time")


def test_a_maximum_that_is_known_at_deployment_only_is_the_threshold(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    most = whole(cdk.CfnParameter(stack, "Most", type="Number").value_as_number)
    service = ScaledFargateService(stack, "Api", vpc=vpc, image=image, max_tasks=most)
    ServiceAlarms(stack, "Alarms", service=service)

    assert alarms(stack)["AtMaximum"]["Threshold"] == {"Ref": "Most"}


def test_one_number_for_both_bounds_is_seen_even_where_it_is_known_at_deployment_only(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    tasks = whole(cdk.CfnParameter(stack, "Tasks", type="Number").value_as_number)
    service = ScaledFargateService(stack, "Api", vpc=vpc, image=image, min_tasks=tasks, max_tasks=tasks)

    assert ServiceAlarms(stack, "Alarms", service=service).at_maximum is None
    assert said(stack)[0].startswith("no AtMaximum alarm: min_tasks and max_tasks are the same at some time")


def test_it_is_said_where_nobody_knows_yet_which_maximum_is_the_most(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    schedule(service, "Sale", max_tasks=cdk.CfnParameter(stack, "Sale", type="Number").value_as_number)

    assert ServiceAlarms(stack, "Alarms", service=service).at_maximum is None
    assert said(stack) == [
        "no AtMaximum alarm: which of several max_tasks is the most is known at deployment only [ack: "
        "cdk-fargate-sagemaker:atMaximum]"
    ]


def test_fails_when_bounds_are_scheduled_after_the_alarms(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service)
    schedule(service, "Sale", max_tasks=30)

    with pytest.raises(RuntimeError, match=r"got bounds declared after ServiceAlarms, allowed: before it"):
        Template.from_stack(stack)


def test_a_schedule_after_the_alarms_that_sets_no_other_bounds_is_fine(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    ServiceAlarms(stack, "Alarms", service=service)
    schedule(service, "Same", min_tasks=2, max_tasks=12)

    assert alarms(stack)["AtMaximum"]["Threshold"] == 12


@settings(deadline=None, max_examples=25)
@given(
    declared=st.tuples(st.integers(1, 9), st.integers(0, 9)),
    scheduled=st.lists(st.tuples(st.none() | st.integers(1, 20), st.none() | st.integers(1, 20)), max_size=3),
)
def test_the_alarm_at_the_maximum_never_fires_for_the_least_tasks(declared: Any, scheduled: Any) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    least, more = declared
    scaling = ServiceScaling(
        min_tasks=least,
        max_tasks=least + more,
        schedules=tuple(ScheduledBounds(schedule="at(…)", min_tasks=low, max_tasks=high) for low, high in scheduled),
    )
    imported = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )
    threshold = ServiceAlarms(stack, "Alarms", service=imported)._most_tasks(scaling)

    every_least = [least, *(low for low, _ in scheduled if low is not None)]
    every_most = [least + more, *(high for _, high in scheduled if high is not None)]
    assert threshold == (max(every_most) if max(every_least) < max(every_most) else None)


def test_a_service_at_its_maximum(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, at_maximum_for=cdk.Duration.minutes(20))

    alarm = alarms(stack)["AtMaximum"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 12, 20, 20, "notBreaching")
    assert pick(alarm, "MetricName", "Statistic") == ("CPUUtilization", "SampleCount")


def test_failing_tasks_are_counted_from_what_ecs_tells(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, task_failures=4)

    template = Template.from_stack(stack)
    ((rule_id, rule),) = template.find_resources("AWS::Events::Rule").items()
    detail = rule["Properties"]["EventPattern"]["detail"]
    assert detail["stopCode"] == ["TaskFailedToStart", "EssentialContainerExited"]
    assert detail["group"] == [{"Fn::Join": ["", ["service:", stack.resolve(service.service.service_name)]]}]
    assert stack.resolve(service.cluster.cluster_name) in detail["clusterArn"][0]["Fn::Join"][1]
    alarm = alarms(stack)["TaskFailures"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 4, 1, 1, "notBreaching")
    assert pick(alarm, "Namespace", "MetricName", "Statistic", "Period", "Dimensions") == (
        "AWS/Events",
        "TriggeredRules",
        "Sum",
        300,
        [{"Name": "RuleName", "Value": {"Ref": rule_id}}],
    )


def test_degraded_is_any_of_the_guardrail(stack: cdk.Stack, service: ScaledFargateService) -> None:
    made = ServiceAlarms(stack, "Alarms", service=service)

    (composite,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::CompositeAlarm").values()
    rule = json.dumps(composite["Properties"]["AlarmRule"])
    assert rule.count("ALARM(") == len(made.guardrail_alarms) == 5
    assert rule.count(" OR ") == 4
    for alarm in made.guardrail_alarms:
        assert json.dumps(stack.resolve(alarm.alarm_arn)) in rule
    assert made.at_maximum is not None
    assert json.dumps(stack.resolve(made.at_maximum.alarm_arn)) not in rule


def test_the_guardrail_rolls_a_deployment_back(stack: cdk.Stack, service: ScaledFargateService) -> None:
    made = ServiceAlarms(stack, "Alarms", service=service)

    names = [alarms(stack)[name]["AlarmName"] for name in GUARDRAIL]
    assert len(made.guardrail_alarms) == len(names)
    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service",
        {"DeploymentConfiguration": {"Alarms": {"AlarmNames": names, "Enable": True, "Rollback": True}}},
    )


def test_alarm_names_are_known_at_synthesis_so_that_nothing_depends_in_a_circle(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    ServiceAlarms(stack, "Alarms", service=service)

    assert all(isinstance(alarm["AlarmName"], str) for alarm in alarms(stack).values())


def test_deployments_are_left_alone_where_that_was_asked_for(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service, stop_deployments=False)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service", {"DeploymentConfiguration": {"Alarms": {"AlarmNames": [], "Enable": False}}}
    )


def test_every_alarm_tells_the_topic_when_it_fires_and_when_it_is_over(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    topic = sns.Topic(stack, "Topic")
    ServiceAlarms(stack, "Alarms", service=service, alerts_topic=topic, anomaly_bands=True)

    template = Template.from_stack(stack)
    found = [
        *template.find_resources("AWS::CloudWatch::Alarm").values(),
        *template.find_resources("AWS::CloudWatch::CompositeAlarm").values(),
    ]
    assert len(found) == 9
    for alarm in found:
        assert alarm["Properties"]["AlarmActions"] == [stack.resolve(topic.topic_arn)]
        assert alarm["Properties"]["OKActions"] == [stack.resolve(topic.topic_arn)]
    template.has_resource_properties(
        "AWS::Events::Rule", {"Targets": [Match.object_like({"Arn": stack.resolve(topic.topic_arn)})]}
    )


def test_without_a_topic_nobody_is_told(stack: cdk.Stack, service: ScaledFargateService) -> None:
    ServiceAlarms(stack, "Alarms", service=service)

    assert all("AlarmActions" not in alarm for alarm in alarms(stack).values())


def test_anomaly_bands_are_an_option_and_no_part_of_the_guardrail(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    made = ServiceAlarms(stack, "Alarms", service=service, anomaly_bands=True)

    assert alarms(stack)["LatencyAnomaly"]["ComparisonOperator"] == "GreaterThanUpperThreshold"
    assert alarms(stack)["RequestsAnomaly"]["ComparisonOperator"] == "LessThanLowerOrGreaterThanUpperThreshold"
    assert len(made.guardrail_alarms) == 5


def test_watches_a_pattern_from_the_cdk(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    tasks = pattern.service.auto_scale_task_count(max_capacity=20)
    ServiceAlarms(
        stack,
        "Alarms",
        service=pattern.service,
        load_balancer=pattern.load_balancer,
        target_group=pattern.target_group,
        scalable_target=tasks,
    )

    assert set(alarms(stack)) == {*GUARDRAIL, "AtMaximum"}
    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service", {"DeploymentConfiguration": {"Alarms": {"Enable": True, "Rollback": True}}}
    )


def test_watches_of_an_imported_service_what_is_known(stack: cdk.Stack, imported: ecs.IBaseService) -> None:
    made = ServiceAlarms(stack, "Alarms", service=imported)

    assert set(alarms(stack)) == {"CpuSaturated", "TaskFailures"}
    assert (made.latency, made.server_errors, made.unhealthy_hosts, made.at_maximum) == (None, None, None, None)
    assert made.guardrail_alarms == (made.cpu_saturated, made.task_failures)


def test_a_target_group_that_is_given_is_watched(stack: cdk.Stack, imported: ecs.IBaseService) -> None:
    balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/1f"
    group = elbv2.ApplicationTargetGroup.from_target_group_attributes(
        stack,
        "Group",
        target_group_arn="arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/2e",
        load_balancer_arns=balancer,
    )
    ServiceAlarms(stack, "Alarms", service=imported, target_group=group)

    assert {"Name": "TargetGroup", "Value": "targetgroup/web/2e"} in alarms(stack)["UnhealthyHosts"]["Dimensions"]


def test_fails_when_an_imported_services_deployments_are_to_be_stopped(
    stack: cdk.Stack, imported: ecs.IBaseService
) -> None:
    with pytest.raises(ValueError, match=r"^stop_deployments: got True for an imported service"):
        ServiceAlarms(stack, "Alarms", service=imported, stop_deployments=True)


def test_fails_when_the_cdk_would_drop_the_guardrail(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container("app", image=image)
    service = ecs.FargateService(
        stack,
        "Service",
        cluster=ecs.Cluster(stack, "Cluster", vpc=vpc),
        task_definition=definition,
        deployment_alarms=ecs.DeploymentAlarmConfig(alarm_names=["mine"]),
    )

    with pytest.raises(ValueError, match=r"^stop_deployments: got a service made with deployment_alarms mine"):
        ServiceAlarms(stack, "Alarms", service=service)


def service_of_the_cdk(stack: cdk.Stack, vpc: ec2.IVpc, image: Any, **props: Any) -> ecs.FargateService:
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container("app", image=image)
    cluster = ecs.Cluster(stack, "Cluster", vpc=vpc)
    return ecs.FargateService(stack, "Service", cluster=cluster, task_definition=definition, **props)


CONTROLLERS = [ecs.DeploymentControllerType.CODE_DEPLOY, ecs.DeploymentControllerType.EXTERNAL]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_deployments_that_ecs_does_not_make_are_not_stopped_and_that_is_said(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, controller: Any
) -> None:
    service = service_of_the_cdk(
        stack, vpc, image, deployment_controller=ecs.DeploymentController(type=controller), min_healthy_percent=100
    )
    ServiceAlarms(stack, "Alarms", service=service)

    (rendered,) = Template.from_stack(stack).find_resources("AWS::ECS::Service").values()
    assert "Alarms" not in rendered["Properties"]["DeploymentConfiguration"]
    assert [text.partition(";")[0] for text in said(stack)] == [
        "no load balancer known: latency, 5xx and unhealthy hosts have no alarm",
        "no task count known: a service at its maximum has no alarm",
        "the guardrail stops no deployment: ECS takes alarms with its own deployment controller, not with "
        + controller.name,
    ]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_fails_when_deployments_that_ecs_does_not_make_are_to_be_stopped(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, controller: Any
) -> None:
    service = service_of_the_cdk(
        stack, vpc, image, deployment_controller=ecs.DeploymentController(type=controller), min_healthy_percent=100
    )

    with pytest.raises(ValueError, match=f"^stop_deployments: got True for .* controller {controller.name}, allowed: "):
        ServiceAlarms(stack, "Alarms", service=service, stop_deployments=True)


@pytest.mark.parametrize(
    "props",
    [
        {},
        {"deployment_controller": ecs.DeploymentController(type=ecs.DeploymentControllerType.ECS)},
        *({"deployment_strategy": strategy} for strategy in ecs.DeploymentStrategy),
    ],
)
def test_every_strategy_of_ecs_takes_the_guardrail(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, props: Any
) -> None:
    """Rolling, blue/green, linear, canary: docs.aws.amazon.com/AmazonECS/latest/developerguide has alarms for each."""
    ServiceAlarms(stack, "Alarms", service=service_of_the_cdk(stack, vpc, image, **props), stop_deployments=True)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service", {"DeploymentConfiguration": {"Alarms": {"Enable": True, "Rollback": True}}}
    )


def test_fails_when_anomalies_need_a_load_balancer(stack: cdk.Stack, imported: ecs.IBaseService) -> None:
    with pytest.raises(ValueError, match=r"^anomaly_bands: got True for a service without a load balancer"):
        ServiceAlarms(stack, "Alarms", service=imported, anomaly_bands=True)


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"response_time_percentile": 0}, "response_time_percentile: got 0, allowed: a number, 1 to 100"),
        ({"server_error_percent": 101}, "server_error_percent: got 101, allowed: a number, above 0, at most 100"),
        ({"cpu_maximum_percent": float("nan")}, "cpu_maximum_percent: got nan, allowed: a number, 1 to 100"),
        (
            {"cpu_saturated_for": cdk.Duration.minutes(0)},
            "cpu_saturated_for: got 0 minutes, allowed: a Duration of whole",
        ),
        ({"task_failures": 0}, "task_failures: got 0, allowed: a whole number, at least 1"),
        ({"at_maximum_for": cdk.Duration.minutes(0)}, "at_maximum_for: got 0 minutes, allowed: a Duration of whole"),
    ],
)
def test_fails_when_a_threshold_is_impossible(
    stack: cdk.Stack, service: ScaledFargateService, props: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        ServiceAlarms(stack, "Alarms", service=service, **props)
