"""The two alarms that AWS creates for a target tracking policy, and that trigger it."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from cdk_rehearsal.plug_in.applicationautoscaling import variant_capacity
from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.aws_error import validation_error

_SCALE_IN_FRACTION = 0.9
_SECONDS = 60
_HIGH_PERIODS = 3
_LOW_PERIODS = 15


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    namespace: str
    name: str
    statistic: str
    dimensions: list[dict[str, str]]


def put_alarms(policy: dict[str, Any]) -> list[dict[str, str]]:
    """Replaces the policy's alarms; returns `Alarms` as in the API's response."""
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    metric = _metric(configuration, policy["ResourceId"])
    target = float(configuration["TargetValue"])
    wanted = [("AlarmHigh", "GreaterThanThreshold", target, _HIGH_PERIODS)]
    if not configuration.get("DisableScaleIn", False):
        wanted.append(("AlarmLow", "LessThanThreshold", target * _SCALE_IN_FRACTION, _LOW_PERIODS))
    cloudwatch = own_client("cloudwatch")
    alarms = []
    for kind, comparison, threshold, periods in wanted:
        name = f"TargetTracking-{policy['ResourceId']}-{kind}-{uuid.uuid4()}"
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
            ActionsEnabled=True,
            AlarmActions=[policy["PolicyARN"]],
            Namespace=metric.namespace,
            MetricName=metric.name,
            Statistic=metric.statistic,
            Dimensions=metric.dimensions,
            Period=_SECONDS,
            EvaluationPeriods=periods,
            Threshold=threshold,
            ComparisonOperator=comparison,
        )
        arn = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]
        alarms.append({"AlarmName": name, "AlarmARN": arn})
    delete_alarms(policy)
    return alarms


def delete_alarms(policy: dict[str, Any]) -> None:
    names = [alarm["AlarmName"] for alarm in policy.get("Alarms", [])]
    if names:
        own_client("cloudwatch").delete_alarms(AlarmNames=names)


def _metric(configuration: dict[str, Any], resource_id: str) -> _Metric:
    if custom := configuration.get("CustomizedMetricSpecification"):
        if "MetricName" not in custom:
            raise validation_error("the embedded AWS tracks a single metric, not metric math")
        return _Metric(
            namespace=custom["Namespace"],
            name=custom["MetricName"],
            statistic=custom["Statistic"],
            dimensions=custom.get("Dimensions", []),
        )
    predefined = configuration["PredefinedMetricSpecification"]
    kind = predefined["PredefinedMetricType"]
    if kind == "SageMakerVariantInvocationsPerInstance":
        endpoint, variant = variant_capacity.split(resource_id)
        return _Metric(
            namespace="AWS/SageMaker",
            name="InvocationsPerInstance",
            statistic="Sum",
            dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        )
    _, cluster, service = resource_id.split("/")
    of_service = [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}]
    match kind.removesuffix("HighResolution"):
        case "ECSServiceAverageCPUUtilization":
            return _Metric(namespace="AWS/ECS", name="CPUUtilization", statistic="Average", dimensions=of_service)
        case "ECSServiceAverageMemoryUtilization":
            return _Metric(namespace="AWS/ECS", name="MemoryUtilization", statistic="Average", dimensions=of_service)
        case "ALBRequestCountPerTarget":
            load_balancer, _, group = predefined["ResourceLabel"].partition("/targetgroup/")
            return _Metric(
                namespace="AWS/ApplicationELB",
                name="RequestCountPerTarget",
                statistic="Sum",
                dimensions=[
                    {"Name": "LoadBalancer", "Value": load_balancer},
                    {"Name": "TargetGroup", "Value": f"targetgroup/{group}"},
                ],
            )
    raise validation_error(f"the embedded AWS does not track {kind}")
