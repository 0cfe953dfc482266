"""The properties that a plan understands: those that it reads, and those that have no effect on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ECS.html, AWS_ApplicationAutoScaling.html,
# AWS_CloudWatch.html. Any other property, for example a newer one, is reported as left out.
_UNDERSTOOD: Mapping[str, str] = {
    "AWS::ECS::Service": (
        "AvailabilityZoneRebalancing CapacityProviderStrategy Cluster DeploymentConfiguration "
        "DeploymentController DesiredCount EnableECSManagedTags EnableExecuteCommand ForceNewDeployment "
        "HealthCheckGracePeriodSeconds LaunchType LoadBalancers NetworkConfiguration PlacementConstraints "
        "PlacementStrategies PlatformVersion PropagateTags Role SchedulingStrategy "
        "ServiceConnectConfiguration ServiceName ServiceRegistries Tags TaskDefinition "
        "VpcLatticeConfigurations"
    ),
    "AWS::ECS::TaskDefinition": (
        "ContainerDefinitions Cpu EnableFaultInjection EphemeralStorage ExecutionRoleArn Family IpcMode "
        "Memory NetworkMode PidMode PlacementConstraints ProxyConfiguration RequiresCompatibilities "
        "RuntimePlatform Tags TaskRoleArn Volumes"
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "HealthCheckEnabled HealthCheckIntervalSeconds HealthCheckPath HealthCheckPort HealthCheckProtocol "
        "HealthCheckTimeoutSeconds HealthyThresholdCount IpAddressType Matcher Name Port Protocol "
        "ProtocolVersion Tags TargetGroupAttributes TargetType Targets UnhealthyThresholdCount VpcId"
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        "MaxCapacity MinCapacity ResourceId RoleARN ScalableDimension ScheduledActions ServiceNamespace SuspendedState"
    ),
    "ScheduledAction": "EndTime ScalableTargetAction Schedule ScheduledActionName StartTime Timezone",
    "ScalableTargetAction": "MaxCapacity MinCapacity",
    "AWS::ApplicationAutoScaling::ScalingPolicy": (
        "PolicyName PolicyType PredictiveScalingPolicyConfiguration ResourceId ScalableDimension "
        "ScalingTargetId ServiceNamespace StepScalingPolicyConfiguration "
        "TargetTrackingScalingPolicyConfiguration"
    ),
    "TargetTrackingScalingPolicyConfiguration": (
        "CustomizedMetricSpecification DisableScaleIn PredefinedMetricSpecification ScaleInCooldown "
        "ScaleOutCooldown TargetValue"
    ),
    "PredictiveScalingPolicyConfiguration": (
        "MaxCapacityBreachBehavior MaxCapacityBuffer MetricSpecifications Mode SchedulingBufferTime"
    ),
    "StepScalingPolicyConfiguration": (
        "AdjustmentType Cooldown MetricAggregationType MinAdjustmentMagnitude StepAdjustments"
    ),
    "StepAdjustment": "MetricIntervalLowerBound MetricIntervalUpperBound ScalingAdjustment",
    "AWS::CloudWatch::Alarm": (
        "ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm "
        "Dimensions EvaluateLowSampleCountPercentile EvaluationPeriods ExtendedStatistic "
        "InsufficientDataActions MetricName Metrics Namespace OKActions Period Statistic Tags Threshold "
        "ThresholdMetricId TreatMissingData Unit"
    ),
}


def not_understood(kind: str, given: Iterable[str]) -> Iterator[str]:
    """The given property names of a resource type, or of a part of one, that a plan does not understand."""
    understood = _UNDERSTOOD[kind].split()
    return (name for name in given if name not in understood)
