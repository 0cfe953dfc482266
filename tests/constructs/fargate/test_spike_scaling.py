import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, SpikeScaling


@pytest.fixture
def service(stack, vpc, image):
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image)


def imported_target(stack):
    return applicationautoscaling.ScalableTarget.from_scalable_target_attributes(
        stack,
        "Target",
        scalable_target_id="service/shop/web|ecs:service:DesiredCount|ecs",
        scalable_dimension="ecs:service:DesiredCount",
        service_namespace="ecs",
    )


def step_policies(stack):
    policies = Template.from_stack(stack).find_resources(
        "AWS::ApplicationAutoScaling::ScalingPolicy", {"Properties": {"PolicyType": "StepScaling"}}
    )
    return list(policies.items())


def test_renders_exactly_one_step_of_three_tasks(stack, service):
    SpikeScaling(stack, "Spikes", service=service)

    ((_, policy),) = step_policies(stack)
    assert policy["Properties"]["StepScalingPolicyConfiguration"] == {
        "AdjustmentType": "ChangeInCapacity",
        "Cooldown": 120,
        "MetricAggregationType": "Maximum",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}],
    }


def test_one_minute_of_the_hottest_task_fires_the_step(stack, service):
    SpikeScaling(stack, "Spikes", service=service)

    ((policy_id, _),) = step_policies(stack)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::CloudWatch::Alarm", 1)
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": Match.absent(),
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 80,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": policy_id}],
            "OKActions": Match.absent(),
            "Dimensions": Match.array_with(
                [
                    {"Name": "ClusterName", "Value": stack.resolve(service.cluster.cluster_name)},
                    {"Name": "ServiceName", "Value": stack.resolve(service.service.service_name)},
                ]
            ),
        },
    )


def test_the_step_acts_on_the_services_own_task_count(stack, service):
    SpikeScaling(stack, "Spikes", service=service)

    targets = Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalableTarget")
    ((_, policy),) = step_policies(stack)
    assert [policy["Properties"]["ScalingTargetId"]] == [{"Ref": target} for target in targets]


def test_threshold_tasks_and_cooldown_are_settings(stack, service):
    SpikeScaling(
        stack,
        "Spikes",
        service=service,
        step=CpuStep(threshold_percent=90, add_tasks=5),
        cooldown=cdk.Duration.minutes(4),
    )

    ((_, policy),) = step_policies(stack)
    configuration = policy["Properties"]["StepScalingPolicyConfiguration"]
    assert configuration["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 5}]
    assert configuration["Cooldown"] == 240
    Template.from_stack(stack).has_resource_properties("AWS::CloudWatch::Alarm", {"Threshold": 90})


def test_attaches_to_a_load_balanced_pattern(stack, vpc, image):
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    tasks = pattern.service.auto_scale_task_count(max_capacity=10)

    SpikeScaling(stack, "Spikes", service=pattern.service, scalable_target=tasks)

    ((_, policy),) = step_policies(stack)
    (target_id,) = Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalableTarget")
    assert policy["Properties"]["ScalingTargetId"] == {"Ref": target_id}
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "Dimensions": [
                {"Name": "ClusterName", "Value": stack.resolve(pattern.cluster.cluster_name)},
                {"Name": "ServiceName", "Value": stack.resolve(pattern.service.service_name)},
            ]
        },
    )


def test_attaches_to_a_service_imported_by_its_arn(stack):
    service = ecs.FargateService.from_fargate_service_arn(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )

    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))

    ((_, policy),) = step_policies(stack)
    assert policy["Properties"]["ScalingTargetId"] == "service/shop/web|ecs:service:DesiredCount|ecs"
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"Dimensions": [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]},
    )


def test_attaches_to_a_service_imported_by_an_arn_known_at_deployment(stack):
    arn = cdk.CfnParameter(stack, "Arn").value_as_string
    service = ecs.FargateService.from_fargate_service_arn(stack, "Imported", arn)

    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))

    cluster = {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Arn"}]}]}
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm", {"Dimensions": Match.array_with([{"Name": "ClusterName", "Value": cluster}])}
    )


def test_attaches_to_a_service_imported_with_its_cluster(stack):
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )

    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))

    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"Dimensions": [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]},
    )


def test_exposes_its_alarm_its_policy_and_its_steps(stack, service):
    spikes = SpikeScaling(stack, "Spikes", service=service, step=CpuStep(threshold_percent=85))

    ((policy_id, _),) = step_policies(stack)
    assert stack.resolve(spikes.policy.scaling_policy_arn) == {"Ref": policy_id}
    (alarm_id,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    assert stack.resolve(spikes.alarm.alarm_name) == {"Ref": alarm_id}
    assert spikes.steps == (CpuStep(threshold_percent=85),)


def test_fails_when_an_imported_arn_names_no_cluster(stack):
    service = ecs.FargateService.from_fargate_service_arn(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/web"
    )

    with pytest.raises(
        ValueError, match=r"^service: got arn:aws:ecs:us-east-1:123456789012:service/web, which names no"
    ):
        SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))


def test_fails_when_another_service_comes_without_its_task_count(stack):
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )

    with pytest.raises(ValueError, match=r"^scalable_target: got none, allowed: the task count of the service"):
        SpikeScaling(stack, "Spikes", service=service)


@pytest.mark.parametrize("threshold", [50, 49.5])
def test_fails_when_the_threshold_is_not_above_the_tracked_target(stack, service, threshold):
    SpikeScaling(stack, "Spikes", service=service, step=CpuStep(threshold_percent=threshold))

    with pytest.raises(
        RuntimeError, match=f"threshold_percent: got {threshold}, allowed: above the tracked average CPU"
    ):
        Template.from_stack(stack)


def test_fails_when_a_target_declared_afterwards_reaches_the_threshold(stack, vpc, image):
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    tasks = pattern.service.auto_scale_task_count(max_capacity=10)
    SpikeScaling(stack, "Spikes", service=pattern.service, scalable_target=tasks)
    tasks.scale_on_cpu_utilization("Cpu", target_utilization_percent=80)

    with pytest.raises(RuntimeError, match="threshold_percent: got 80, allowed: above the tracked average CPU of 80 %"):
        Template.from_stack(stack)


def test_a_target_on_anything_but_the_cpu_sets_no_limit(stack, vpc, image):
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Pattern",
        vpc=vpc,
        task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    tasks = pattern.service.auto_scale_task_count(max_capacity=10)
    tasks.scale_on_memory_utilization("Memory", target_utilization_percent=90)
    tasks.scale_on_request_count("Requests", requests_per_target=1000, target_group=pattern.target_group)
    SpikeScaling(stack, "Spikes", service=pattern.service, scalable_target=tasks)

    assert len(step_policies(stack)) == 1
