import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceAlarms

GUARDRAIL = ["Latency", "ServerErrors", "UnhealthyHosts", "CpuSaturated", "TaskFailures"]


@pytest.fixture
def service(stack, vpc, image):
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image, max_tasks=12)


@pytest.fixture
def imported(stack):
    return ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )


def alarms(stack):
    """Every metric alarm's properties, by the end of its name."""
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    return {alarm["Properties"]["AlarmName"].rpartition("-")[2]: alarm["Properties"] for alarm in found}


def pick(alarm, *names):
    return tuple(alarm.get(name) for name in names)


SHAPE = ("ComparisonOperator", "Threshold", "DatapointsToAlarm", "EvaluationPeriods", "TreatMissingData")


def test_latency(stack, service):
    ServiceAlarms(stack, "Alarms", service=service, response_time=cdk.Duration.millis(300), response_time_percentile=99)

    alarm = alarms(stack)["Latency"]
    assert pick(alarm, *SHAPE) == ("GreaterThanThreshold", 0.3, 3, 5, "notBreaching")
    assert pick(alarm, "MetricName", "ExtendedStatistic", "Period") == ("TargetResponseTime", "p99", 60)


def test_server_errors(stack, service):
    ServiceAlarms(stack, "Alarms", service=service, server_error_percent=0.5)

    assert pick(alarms(stack)["ServerErrors"], *SHAPE) == ("GreaterThanThreshold", 0.5, 3, 5, "notBreaching")


def test_unhealthy_hosts(stack, service):
    ServiceAlarms(stack, "Alarms", service=service)

    alarm = alarms(stack)["UnhealthyHosts"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 1, 3, 3, "notBreaching")
    assert pick(alarm, "MetricName", "Statistic") == ("UnHealthyHostCount", "Maximum")


def test_saturated_cpu(stack, service):
    ServiceAlarms(stack, "Alarms", service=service, cpu_maximum_percent=98)

    alarm = alarms(stack)["CpuSaturated"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 98, 5, 5, "notBreaching")
    assert pick(alarm, "MetricName", "Statistic") == ("CPUUtilization", "Maximum")


def test_a_service_at_its_maximum(stack, service):
    ServiceAlarms(stack, "Alarms", service=service, minutes_at_maximum=20)

    alarm = alarms(stack)["AtMaximum"]
    assert pick(alarm, *SHAPE) == ("GreaterThanOrEqualToThreshold", 12, 20, 20, "notBreaching")
    assert pick(alarm, "MetricName", "Statistic") == ("CPUUtilization", "SampleCount")


def test_failing_tasks_are_counted_from_what_ecs_tells(stack, service):
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


def test_degraded_is_any_of_the_guardrail(stack, service):
    made = ServiceAlarms(stack, "Alarms", service=service)

    (composite,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::CompositeAlarm").values()
    rule = json.dumps(composite["Properties"]["AlarmRule"])
    assert rule.count("ALARM(") == len(made.guardrail) == 5
    assert rule.count(" OR ") == 4
    for alarm in made.guardrail:
        assert json.dumps(stack.resolve(alarm.alarm_arn)) in rule
    assert json.dumps(stack.resolve(made.at_maximum.alarm_arn)) not in rule


def test_the_guardrail_rolls_a_deployment_back(stack, service):
    made = ServiceAlarms(stack, "Alarms", service=service)

    names = [alarms(stack)[name]["AlarmName"] for name in GUARDRAIL]
    assert len(made.guardrail) == len(names)
    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service",
        {"DeploymentConfiguration": {"Alarms": {"AlarmNames": names, "Enable": True, "Rollback": True}}},
    )


def test_alarm_names_are_known_at_synthesis_so_that_nothing_depends_in_a_circle(stack, service):
    ServiceAlarms(stack, "Alarms", service=service)

    assert all(isinstance(alarm["AlarmName"], str) for alarm in alarms(stack).values())


def test_deployments_are_left_alone_where_that_was_asked_for(stack, service):
    ServiceAlarms(stack, "Alarms", service=service, stop_deployments=False)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service", {"DeploymentConfiguration": {"Alarms": {"AlarmNames": [], "Enable": False}}}
    )


def test_every_alarm_tells_the_topic_when_it_fires_and_when_it_is_over(stack, service):
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


def test_without_a_topic_nobody_is_told(stack, service):
    ServiceAlarms(stack, "Alarms", service=service)

    assert all("AlarmActions" not in alarm for alarm in alarms(stack).values())


def test_anomaly_bands_are_an_option_and_no_part_of_the_guardrail(stack, service):
    made = ServiceAlarms(stack, "Alarms", service=service, anomaly_bands=True)

    assert alarms(stack)["LatencyAnomaly"]["ComparisonOperator"] == "GreaterThanUpperThreshold"
    assert alarms(stack)["RequestsAnomaly"]["ComparisonOperator"] == "LessThanLowerOrGreaterThanUpperThreshold"
    assert len(made.guardrail) == 5


def test_watches_a_pattern_from_the_cdk(stack, vpc, image):
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


def test_watches_of_an_imported_service_what_is_known(stack, imported):
    made = ServiceAlarms(stack, "Alarms", service=imported)

    assert set(alarms(stack)) == {"CpuSaturated", "TaskFailures"}
    assert (made.latency, made.server_errors, made.unhealthy_hosts, made.at_maximum) == (None, None, None, None)
    assert made.guardrail == (made.cpu_saturated, made.task_failures)


def test_fails_when_an_imported_services_deployments_are_to_be_stopped(stack, imported):
    with pytest.raises(ValueError, match=r"^stop_deployments: got True for an imported service"):
        ServiceAlarms(stack, "Alarms", service=imported, stop_deployments=True)


def test_fails_when_the_cdk_would_drop_the_guardrail(stack, vpc, image):
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


def test_fails_when_anomalies_need_a_load_balancer(stack, imported):
    with pytest.raises(ValueError, match=r"^anomaly_bands: got a service without load_balancer"):
        ServiceAlarms(stack, "Alarms", service=imported, anomaly_bands=True)


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"response_time_percentile": 0}, "response_time_percentile: got 0, allowed: above 0, at most 100"),
        ({"server_error_percent": 101}, "server_error_percent: got 101, allowed: above 0, at most 100"),
        ({"cpu_maximum_percent": float("nan")}, "cpu_maximum_percent: got nan, allowed: above 0, at most 100"),
        ({"task_failures": 0}, "task_failures: got 0, allowed: at least 1"),
        ({"minutes_at_maximum": 0}, "minutes_at_maximum: got 0, allowed: at least 1"),
    ],
)
def test_fails_when_a_threshold_is_impossible(stack, service, props, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        ServiceAlarms(stack, "Alarms", service=service, **props)
