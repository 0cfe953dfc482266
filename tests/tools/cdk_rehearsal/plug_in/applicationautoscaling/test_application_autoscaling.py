import datetime
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.plug_in.applicationautoscaling.predictive_policy import check_predictive
from cdk_rehearsal.plug_in.applicationautoscaling.step_adjustment import stepped_capacity
from cdk_rehearsal.plug_in.aws_error import AwsError

Eventually = Callable[..., Any]


class Service:
    """An ECS service with a scalable target of 2 to 10 tasks."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.cluster = f"cluster-{uuid.uuid4().hex[:6]}"
        ecs = aws.client("ecs")
        ecs.create_cluster(clusterName=self.cluster)
        definition = ecs.register_task_definition(
            family=self.cluster, containerDefinitions=[{"name": "web", "image": "program:1", "memory": 128}]
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(cluster=self.cluster, serviceName="web", taskDefinition=definition, desiredCount=1)
        self.scaling = aws.client("application-autoscaling")
        self.target = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{self.cluster}/web",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self.scaling.register_scalable_target(**self.target, MinCapacity=2, MaxCapacity=10)

    @property
    def desired(self) -> int:
        found = self.aws.client("ecs").describe_services(cluster=self.cluster, services=["web"])["services"]
        count: int = found[0]["desiredCount"]
        return count

    def spike_policy(self, *, cooldown: int = 300, adds: int = 3) -> str:
        arn: str = self.scaling.put_scaling_policy(
            **self.target,
            PolicyName=f"spike-{adds}",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "Cooldown": cooldown,
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": adds}],
            },
        )["PolicyARN"]
        self.aws.client("cloudwatch").put_metric_alarm(
            AlarmName=f"{self.cluster}-{adds}",
            Namespace="AWS/ECS",
            MetricName="CPUUtilization",
            Dimensions=self.dimensions,
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=80,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            AlarmActions=[arn],
        )
        return arn

    @property
    def dimensions(self) -> list[dict[str, str]]:
        return [{"Name": "ClusterName", "Value": self.cluster}, {"Name": "ServiceName", "Value": "web"}]

    def put_cpu(self, *, maximum: float, average: float, minutes_ago: int = 0) -> None:
        when = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes_ago)
        statistics = {"SampleCount": 10, "Sum": average * 10, "Minimum": 0, "Maximum": maximum}
        datum = {"MetricName": "CPUUtilization", "Dimensions": self.dimensions, "Timestamp": when}
        self.aws.client("cloudwatch").put_metric_data(
            Namespace="AWS/ECS", MetricData=[{**datum, "StatisticValues": statistics}]
        )


@pytest.fixture
def service(embedded_aws: EmbeddedAws) -> Iterator[Service]:
    service = Service(embedded_aws)
    yield service
    service.scaling.deregister_scalable_target(**service.target)


def test_the_minimum_raises_the_service(service: Service) -> None:
    assert service.desired == 2
    service.scaling.register_scalable_target(**service.target, MinCapacity=4)
    assert service.desired == 4


def test_one_hot_task_adds_three_tasks_once(service: Service, eventually: Eventually) -> None:
    service.spike_policy()
    service.put_cpu(maximum=95, average=30)
    eventually(lambda: service.desired == 5)
    activity = service.scaling.describe_scaling_activities(
        ServiceNamespace="ecs", ResourceId=service.target["ResourceId"]
    )
    newest = activity["ScalingActivities"][0]
    assert newest["Description"] == "Setting desired count to 5."
    assert "triggered policy spike-3" in newest["Cause"]
    service.put_cpu(maximum=95, average=30)
    service.put_cpu(maximum=10, average=10)
    assert service.desired == 5


def test_a_cooler_maximum_adds_none(service: Service) -> None:
    service.spike_policy()
    service.put_cpu(maximum=79, average=79)
    state = service.aws.client("cloudwatch").describe_alarms(AlarmNames=[f"{service.cluster}-3"])["MetricAlarms"][0]
    assert state["StateValue"] == "OK"
    assert service.desired == 2


def test_a_larger_step_in_the_cooldown_adds_what_exceeds_the_first(service: Service, eventually: Eventually) -> None:
    small, large = service.spike_policy(), service.spike_policy(adds=5)
    assert small != large
    service.put_cpu(maximum=95, average=30)
    eventually(lambda: service.desired == 7)


def test_the_maximum_holds(service: Service, eventually: Eventually) -> None:
    service.spike_policy(adds=50)
    service.put_cpu(maximum=95, average=30)
    eventually(lambda: service.desired == 10)


def test_target_tracking_takes_three_minutes_and_keeps_the_ratio(service: Service, eventually: Eventually) -> None:
    policy = service.scaling.put_scaling_policy(
        **service.target,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 50,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    )
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    alarms = service.aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    seen = {alarm["ComparisonOperator"]: (alarm["Threshold"], alarm["EvaluationPeriods"]) for alarm in alarms}
    assert seen == {"GreaterThanThreshold": (50, 3), "LessThanThreshold": (45, 15)}
    service.put_cpu(maximum=99, average=90, minutes_ago=2)
    service.put_cpu(maximum=99, average=90, minutes_ago=1)
    assert service.desired == 2
    service.put_cpu(maximum=99, average=90)
    eventually(lambda: service.desired == 4)  # 2 × 90 / 50, rounded up
    service.scaling.delete_scaling_policy(**service.target, PolicyName="cpu")
    assert service.aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == []


def test_what_is_not_there_is_said(service: Service) -> None:
    nowhere = {**service.target, "ResourceId": "service/none/none"}
    errors = service.scaling.exceptions
    with pytest.raises(errors.ObjectNotFoundException, match="No scalable target found"):
        service.scaling.deregister_scalable_target(**nowhere)
    with pytest.raises(errors.ValidationException, match="ECS service doesn't exist"):
        service.scaling.register_scalable_target(**nowhere, MinCapacity=1, MaxCapacity=2)


_STEPS = [
    {"MetricIntervalUpperBound": -10, "ScalingAdjustment": -2},
    {"MetricIntervalLowerBound": -10, "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 15, "ScalingAdjustment": 10},
    {"MetricIntervalLowerBound": 15, "ScalingAdjustment": 25},
]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("ChangeInCapacity", 80, 14),
        ("ChangeInCapacity", 94.9, 14),
        ("ChangeInCapacity", 95, 29),
        ("ChangeInCapacity", 79, 3),
        ("ChangeInCapacity", 70, 2),
        ("ExactCapacity", 80, 10),
        ("PercentChangeInCapacity", 80, 5),  # 10 % of 4 is less than a task
        ("PercentChangeInCapacity", 95, 5),
    ],
)
def test_steps_are_relative_to_the_threshold(kind: str, value: float, expected: int) -> None:
    configuration = {"AdjustmentType": kind, "StepAdjustments": _STEPS}
    assert stepped_capacity(configuration, current=4, value=value, threshold=80) == expected


def test_a_percentage_adds_its_least_magnitude() -> None:
    configuration = {
        "AdjustmentType": "PercentChangeInCapacity",
        "StepAdjustments": _STEPS,
        "MinAdjustmentMagnitude": 3,
    }
    assert stepped_capacity(configuration, current=4, value=80, threshold=80) == 7


PAIR = {"TargetValue": 50.0, "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ECSServiceCPUUtilization"}}


def test_a_predictive_policy_is_deployed_and_forecasts_nothing(service: Service, eventually: Eventually) -> None:
    configuration = {"MetricSpecifications": [PAIR], "Mode": "ForecastAndScale", "SchedulingBufferTime": 600}
    properties = {
        "PolicyName": "ahead",
        "PolicyType": "PredictiveScaling",
        "ScalingTargetId": f"{service.target['ResourceId']}|ecs:service:DesiredCount|ecs",
        "PredictiveScalingPolicyConfiguration": {**configuration, "SchedulingBufferTime": "600"},
    }
    resource = {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": properties}
    stacks, name = service.aws.client("cloudformation"), f"ahead-{service.cluster}"
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Ahead": resource}}))

    def policies() -> list[Any]:
        found = service.scaling.describe_scaling_policies(
            ServiceNamespace="ecs", ResourceId=service.target["ResourceId"]
        )
        return list(found["ScalingPolicies"])

    eventually(policies)
    (kept,) = policies()
    assert (kept["PredictiveScalingPolicyConfiguration"], kept["Alarms"]) == (configuration, [])
    now = datetime.datetime.now(datetime.UTC)
    with pytest.raises(service.scaling.exceptions.ValidationException, match="does not forecast"):
        service.scaling.get_predictive_scaling_forecast(
            **service.target, PolicyName="ahead", StartTime=now, EndTime=now + datetime.timedelta(hours=48)
        )
    stacks.delete_stack(StackName=name)
    eventually(lambda: not policies())


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"MetricSpecifications": [PAIR, PAIR]}, "Exactly one metric specification"),
        ({"MetricSpecifications": [{"TargetValue": 50.0}]}, "Either a metric pair, or one load metric"),
        (
            {"MetricSpecifications": [{**PAIR, "PredefinedLoadMetricSpecification": {"PredefinedMetricType": "X"}}]},
            "Either a metric pair, or one load metric",
        ),
        (
            {
                "MetricSpecifications": [
                    {
                        "TargetValue": 600.0,
                        "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ALBRequestCount"},
                    }
                ]
            },
            "A ResourceLabel is required for ALBRequestCount",
        ),
        ({"SchedulingBufferTime": 3600}, "SchedulingBufferTime must be less than 3600"),
        ({"MaxCapacityBreachBehavior": "IncreaseMaxCapacity"}, "MaxCapacityBuffer is required"),
        ({"MaxCapacityBuffer": 10}, "MaxCapacityBuffer cannot be used without"),
    ],
)
def test_a_predictive_policy_is_refused_as_documented(changed: dict[str, Any], refused: str) -> None:
    policy = {
        "ScalableDimension": "ecs:service:DesiredCount",
        "PredictiveScalingPolicyConfiguration": {"MetricSpecifications": [PAIR]},
    }
    check_predictive(policy)
    policy["PredictiveScalingPolicyConfiguration"] = {"MetricSpecifications": [PAIR], **changed}
    with pytest.raises(AwsError, match=refused):
        check_predictive(policy)


def test_predictive_scaling_is_for_services_alone() -> None:
    with pytest.raises(AwsError, match="not supported for sagemaker:variant:DesiredInstanceCount"):
        check_predictive({"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"})
