from itertools import pairwise
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk.assertions import Match, Template
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate import (
    CpuStep,
    MetricStep,
    ScaledFargateService,
    SpikeBand,
    SpikePolicy,
    SpikeScaling,
)


@pytest.fixture
def service(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> ScaledFargateService:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image)


def imported_target(stack: cdk.Stack) -> applicationautoscaling.IScalableTarget:
    return applicationautoscaling.ScalableTarget.from_scalable_target_attributes(
        stack,
        "Target",
        scalable_target_id="service/shop/web|ecs:service:DesiredCount|ecs",
        scalable_dimension="ecs:service:DesiredCount",
        service_namespace="ecs",
    )


def step_policies(stack: cdk.Stack) -> list[Any]:
    policies = Template.from_stack(stack).find_resources(
        "AWS::ApplicationAutoScaling::ScalingPolicy", {"Properties": {"PolicyType": "StepScaling"}}
    )
    return list(policies.items())


def test_renders_exactly_one_step_of_three_tasks(stack: cdk.Stack, service: ScaledFargateService) -> None:
    SpikeScaling(stack, "Spikes", service=service)

    ((_, policy),) = step_policies(stack)
    assert policy["Properties"]["StepScalingPolicyConfiguration"] == {
        "AdjustmentType": "ChangeInCapacity",
        "Cooldown": 600,
        "MetricAggregationType": "Maximum",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}],
    }


def test_one_minute_of_the_hottest_task_fires_the_step(stack: cdk.Stack, service: ScaledFargateService) -> None:
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


def test_the_step_acts_on_the_services_own_task_count(stack: cdk.Stack, service: ScaledFargateService) -> None:
    SpikeScaling(stack, "Spikes", service=service)

    targets = Template.from_stack(stack).find_resources("AWS::ApplicationAutoScaling::ScalableTarget")
    ((_, policy),) = step_policies(stack)
    assert [policy["Properties"]["ScalingTargetId"]] == [{"Ref": target} for target in targets]


def test_threshold_tasks_and_cooldown_are_settings(stack: cdk.Stack, service: ScaledFargateService) -> None:
    SpikeScaling(
        stack,
        "Spikes",
        service=service,
        steps=CpuStep(threshold_percent=90, add_tasks=5),
        cooldown=cdk.Duration.minutes(4),
    )

    ((_, policy),) = step_policies(stack)
    configuration = policy["Properties"]["StepScalingPolicyConfiguration"]
    assert configuration["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 5}]
    assert configuration["Cooldown"] == 240
    Template.from_stack(stack).has_resource_properties("AWS::CloudWatch::Alarm", {"Threshold": 90})


def test_attaches_to_a_load_balanced_pattern(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
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


def test_attaches_to_a_service_imported_by_its_arn(stack: cdk.Stack) -> None:
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


def test_attaches_to_a_service_imported_by_an_arn_known_at_deployment(stack: cdk.Stack) -> None:
    arn = cdk.CfnParameter(stack, "Arn").value_as_string
    service = ecs.FargateService.from_fargate_service_arn(stack, "Imported", arn)

    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))

    cluster = {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Arn"}]}]}
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm", {"Dimensions": Match.array_with([{"Name": "ClusterName", "Value": cluster}])}
    )


def test_attaches_to_a_service_imported_with_its_cluster(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )

    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))

    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"Dimensions": [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]},
    )


def test_exposes_its_alarm_its_policy_and_its_steps(stack: cdk.Stack, service: ScaledFargateService) -> None:
    spikes = SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=85))

    ((policy_id, _),) = step_policies(stack)
    assert stack.resolve(spikes.policy.scaling_policy_arn) == {"Ref": policy_id}
    (alarm_id,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    assert stack.resolve(spikes.alarm.alarm_name) == {"Ref": alarm_id}
    assert spikes.steps == (CpuStep(threshold_percent=85),)


def test_fails_when_an_imported_arn_names_no_cluster(stack: cdk.Stack) -> None:
    service = ecs.FargateService.from_fargate_service_arn(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/web"
    )

    with pytest.raises(
        ValueError, match=r"^service: got arn:aws:ecs:us-east-1:123456789012:service/web, which names no"
    ):
        SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))


def test_fails_when_another_service_comes_without_its_task_count(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )

    with pytest.raises(ValueError, match=r"^scalable_target: got none, allowed: the task count of the service"):
        SpikeScaling(stack, "Spikes", service=service)


@pytest.mark.parametrize("threshold", [50, 49.5])
def test_fails_when_the_threshold_is_not_above_the_tracked_target(
    stack: cdk.Stack, service: ScaledFargateService, threshold: float
) -> None:
    SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=threshold))

    with pytest.raises(
        RuntimeError, match=f"threshold_percent: got {threshold}, allowed: above the tracked average CPU"
    ):
        Template.from_stack(stack)


def test_fails_when_a_target_declared_afterwards_reaches_the_threshold(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
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


def test_a_target_on_anything_but_the_cpu_sets_no_limit(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
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


def test_bands_are_one_policy_with_one_alarm_at_the_lowest_threshold(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    SpikeScaling(
        stack,
        "Spikes",
        service=service,
        steps=[CpuStep(), CpuStep(threshold_percent=95, add_tasks=6)],
    )

    ((_, policy),) = step_policies(stack)
    assert policy["Properties"]["StepScalingPolicyConfiguration"]["StepAdjustments"] == [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 15, "ScalingAdjustment": 3},
        {"MetricIntervalLowerBound": 15, "ScalingAdjustment": 6},
    ]
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::CloudWatch::Alarm", 1)
    template.has_resource_properties("AWS::CloudWatch::Alarm", {"Threshold": 80})


def test_a_further_band_replaces_no_resource() -> None:
    def ids(step: Any) -> set[Any]:
        stack = cdk.Stack(cdk.App(), "Stack")
        service = ecs.BaseService.from_service_arn_with_cluster(
            stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
        )
        SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack), steps=step)
        return set(Template.from_stack(stack).to_json()["Resources"])

    assert ids(CpuStep()) == ids([CpuStep(), CpuStep(threshold_percent=95, add_tasks=6)])


def test_watches_any_metric(stack: cdk.Stack, service: ScaledFargateService) -> None:
    queue = cloudwatch.Metric(
        namespace="Shop", metric_name="Waiting", statistic="Maximum", period=cdk.Duration.seconds(10)
    )
    SpikeScaling(
        stack,
        "Spikes",
        service=service,
        metric=queue,
        steps=MetricStep(threshold=1000, add_tasks=2),
        evaluation_periods=3,
    )

    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"Namespace": "Shop", "MetricName": "Waiting", "Period": 10, "Threshold": 1000, "EvaluationPeriods": 3},
    )


def test_a_step_on_another_metric_is_not_held_against_the_cpu_target(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    metric = cloudwatch.Metric(namespace="Shop", metric_name="Waiting", period=cdk.Duration.minutes(1))
    SpikeScaling(stack, "Spikes", service=service, metric=metric, steps=MetricStep(threshold=5))

    assert len(step_policies(stack)) == 1


def test_the_cpu_of_a_service_that_publishes_it_every_20_seconds_may_be_watched_as_often(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = ScaledFargateService(stack, "Fast", vpc=vpc, image=image, high_resolution=True)
    SpikeScaling(stack, "Spikes", service=service, period=cdk.Duration.seconds(20))

    Template.from_stack(stack).has_resource_properties("AWS::CloudWatch::Alarm", {"Period": 20})


def test_what_is_declared_is_read_back(stack: cdk.Stack, service: ScaledFargateService) -> None:
    SpikeScaling(stack, "Spikes", service=service, steps=[CpuStep(), CpuStep(threshold_percent=95, add_tasks=6)])

    assert service.scaling.spikes == (
        SpikePolicy(
            metric="AWS/ECS/CPUUtilization",
            statistic="Maximum",
            period_seconds=60,
            evaluation_periods=1,
            cooldown_seconds=600,
            bands=(SpikeBand(threshold=80, add_tasks=3), SpikeBand(threshold=95, add_tasks=6)),
        ),
    )


def test_the_template_tells_what_is_declared_on_any_scalable_target(stack: cdk.Stack) -> None:
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )
    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack))

    assert Template.from_stack(stack).to_json()["Metadata"] == {
        "cdk-fargate-sagemaker:scaling:Stack/Target": {
            "scalable_target_id": "service/shop/web|ecs:service:DesiredCount|ecs",
            "tracking": [],
            "spikes": [
                {
                    "metric": "AWS/ECS/CPUUtilization",
                    "statistic": "Maximum",
                    "period_seconds": 60,
                    "evaluation_periods": 1,
                    "cooldown_seconds": 600,
                    "bands": [{"threshold": 80, "add_tasks": 3}],
                }
            ],
            "schedules": [],
        }
    }


def spikes_of(stack: cdk.Stack) -> dict[str, Any]:
    """What a stack's template tells, by the path of the scalable target: the first threshold of each spike."""
    told = Template.from_stack(stack).to_json().get("Metadata", {})
    return {
        key.rpartition(":")[2]: [spike["bands"][0]["threshold"] for spike in entry["spikes"]]
        for key, entry in told.items()
    }


def test_each_template_tells_the_spikes_that_it_declares_itself(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    other = cdk.Stack(cdk.Stage.of(stack), "Other")
    SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=70))
    SpikeScaling(other, "Spikes", service=service, steps=CpuStep(threshold_percent=90))

    path = service.scalable_target.node.path
    assert spikes_of(stack) == {path: [70]}
    assert spikes_of(other) == {path: [90]}
    # Who asks in the app gets both.
    assert [spike.bands[0].threshold for spike in service.scaling.spikes] == [70, 90]


def test_a_spike_in_another_stack_changes_nothing_but_exports_in_the_services_stack(image: ecs.ContainerImage) -> None:
    def template(*, with_spikes: Any) -> dict[str, Any]:
        app = cdk.App()
        stack, other = cdk.Stack(app, "Stack"), cdk.Stack(app, "Other")
        network = ec2.Vpc(stack, "Vpc")
        service = ScaledFargateService(stack, "Api", vpc=network, image=image)
        if with_spikes:
            SpikeScaling(other, "Spikes", service=service)
        rendered = Template.from_stack(stack).to_json()
        return {section: part for section, part in rendered.items() if section != "Outputs"}

    assert template(with_spikes=True) == template(with_spikes=False)


QUEUE = {"metric": cloudwatch.Metric(namespace="Shop", metric_name="Waiting")}


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"steps": []}, "steps: got an empty list, allowed: one CpuStep, or several by rising threshold"),
        (
            {"steps": [CpuStep(threshold_percent=90), CpuStep(threshold_percent=80, add_tasks=6)]},
            "steps: got 80 after 90, allowed: bands by rising threshold that do not overlap",
        ),
        (
            {"steps": [CpuStep(), CpuStep(add_tasks=6)]},
            "steps: got 80 after 80, allowed: bands by rising threshold that do not overlap",
        ),
        (
            {"steps": [CpuStep(add_tasks=6), CpuStep(threshold_percent=95, add_tasks=6)]},
            "steps: got 6 tasks from 95 on and 6 from 80 on, allowed: more tasks in a higher band",
        ),
        ({"steps": MetricStep(threshold=80)}, "steps: got a MetricStep, allowed: CpuStep only on the CPU maximum"),
        (
            {"steps": [CpuStep(), MetricStep(threshold=95, add_tasks=6)]},
            "steps: got a MetricStep, allowed: CpuStep only on the CPU maximum; give CpuStep\\(",
        ),
        ({**QUEUE, "steps": CpuStep()}, "steps: got a CpuStep, allowed: MetricStep only with a metric of your own"),
        (
            {"period": cdk.Duration.seconds(20)},
            "period: got 20 s, allowed: a number of minutes; AWS/ECS/CPUUtilization",
        ),
        ({"period": cdk.Duration.seconds(90)}, "period: got 90 s, allowed: a number of minutes"),
        (
            {**QUEUE, "steps": MetricStep(threshold=5), "period": cdk.Duration.seconds(15)},
            "period: got 15 s, allowed: 10 s, 20 s, 30 s, a number of minutes; Shop/Waiting is published every 10 s",
        ),
        ({"evaluation_periods": 0}, "evaluation_periods: got 0, allowed: a whole number, at least 1"),
    ],
)
def test_fails_when_the_steps_or_the_period_are_impossible(
    stack: cdk.Stack, service: ScaledFargateService, props: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        SpikeScaling(stack, "Spikes", service=service, **props)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(1, 100), st.integers(1, 50)), min_size=1, max_size=6, unique_by=lambda band: band[0]
    ).map(sorted)
)
def test_accepted_bands_cover_everything_from_the_first_threshold_on_once(bands: Any) -> None:
    steps = [CpuStep(threshold_percent=threshold, add_tasks=add_tasks) for threshold, add_tasks in bands]
    stack = cdk.Stack(cdk.App(), "Stack")
    service = ecs.BaseService.from_service_arn_with_cluster(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )
    rises = all(above > below for (_, below), (_, above) in pairwise(bands))
    if not rises:
        with pytest.raises(ValueError, match="allowed: more tasks in a higher band"):
            SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack), steps=steps)
        return
    SpikeScaling(stack, "Spikes", service=service, scalable_target=imported_target(stack), steps=steps)

    ((_, policy),) = step_policies(stack)
    adjustments = policy["Properties"]["StepScalingPolicyConfiguration"]["StepAdjustments"]
    assert [adjustment["ScalingAdjustment"] for adjustment in adjustments] == [add_tasks for _, add_tasks in bands]
    assert adjustments[0]["MetricIntervalLowerBound"] == 0
    assert "MetricIntervalUpperBound" not in adjustments[-1]
    for below, above in pairwise(adjustments):
        assert below["MetricIntervalUpperBound"] == above["MetricIntervalLowerBound"]
    assert [bands[0][0] + adjustment["MetricIntervalLowerBound"] for adjustment in adjustments] == [
        threshold for threshold, _ in bands
    ]
