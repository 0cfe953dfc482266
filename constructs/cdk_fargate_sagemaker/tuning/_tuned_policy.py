"""The policy that a tuner changes: how it is found, its tuner, and the limits of its target."""

from collections.abc import Sequence
from typing import Any

import jsii
from aws_cdk import Fn, IStableStringProducer, Stack
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, IValidation

from cdk_fargate_sagemaker.fargate import ServiceScaling, cpu_metric
from cdk_fargate_sagemaker.fargate._identity import claimant
from cdk_fargate_sagemaker.fargate._service_parts import ServiceParts
from cdk_fargate_sagemaker.monitoring import ServiceDashboard

from .._checks import check_interface, check_sequence, plain, refusal
from .._construct_tree import resources_below, stack_of
from ..errors import InvalidArgumentError
from .tuner_settings import check_ceiling

_TUNED_BY = "cdk-fargate-sagemaker:tuned-by"


def cpu_policy(scalable_target: IScalableTargetRef) -> tuple[applicationautoscaling.CfnScalingPolicy, float]:
    """The only policy that tracks the average CPU, and its declared target."""
    stack = stack_of(scalable_target)
    found: list[tuple[applicationautoscaling.CfnScalingPolicy, float]] = []
    for construct in resources_below(scalable_target, applicationautoscaling.CfnScalingPolicy):
        declared: dict[str, Any] = stack.resolve(construct.target_tracking_scaling_policy_configuration) or {}
        metric = declared.get("predefinedMetricSpecification", {}).get("predefinedMetricType")
        if metric not in cpu_metric.TRACKED_NAMES:
            continue
        target = declared["targetValue"]
        if not isinstance(target, int | float):
            given = plain(f"a tracked target on {construct.node.path} that is a token, known at deployment only")
            raise refusal("service", given, "a number known at synthesis", "tuning begins there")
        found.append((construct, float(target)))
    if len(found) != 1:
        given = plain(f"{len(found)} policies that track the average CPU on {scalable_target.node.path}")
        raise refusal("service", given, "exactly one", "it is the one that is tuned")
    return found[0]


def claim(parts: ServiceParts, tuner: Construct) -> None:
    """Claims the service for `tuner`: each of two tuners would stop at the other's steps."""
    other = claimant(tuner, _TUNED_BY, parts.identity)
    if other is not None:
        raise refusal("service", plain(f"one that {other} tunes"), "one tuner for a service", "remove one of the two")


def full_name(load_balancer: elbv2.IApplicationLoadBalancer) -> str:
    """The load balancer's dimension in CloudWatch: the ARN's part after `loadbalancer/`."""
    arn = load_balancer.load_balancer_arn
    return Fn.select(1, Fn.split("loadbalancer/", arn))


def checked_alarms(alarms: Sequence[cloudwatch.IAlarm]) -> Sequence[cloudwatch.IAlarm]:
    """Returns the alarms that stop the tuner.

    Raises:
        InvalidArgumentError: an empty list, or a value that is not a list of alarms.
    """
    allowed = "alarms, at least one; ServiceAlarms.degraded is meant for it"
    listed = check_sequence("guardrail_alarms", alarms, allowed, empty=False)
    for alarm in listed:
        remedy = "pass its degraded" if hasattr(alarm, "degraded") else None
        remedy = "import it with cloudwatch.Alarm.from_alarm_arn" if isinstance(alarm, str) else remedy
        check_interface("guardrail_alarms", alarm, "alarm_arn", allowed, remedy)
    return listed


def checked_board(dashboard: ServiceDashboard | cloudwatch.Dashboard | None) -> cloudwatch.Dashboard | None:
    """Returns the dashboard that shows the steps, if there is one.

    Raises:
        InvalidArgumentError: a value that is not a dashboard.
    """
    board = dashboard.dashboard if isinstance(dashboard, ServiceDashboard) else dashboard
    if board is not None:
        check_interface("dashboard", board, "dashboard_arn", "a ServiceDashboard or a dashboard of CloudWatch")
    return board


def spike_thresholds(scalable_target: IScalableTargetRef) -> list[float]:
    """The first threshold of each spike scaling on the CPU maximum."""
    spikes = ServiceScaling.of(scalable_target).spikes
    return [spike.bands[0].threshold for spike in spikes if (spike.metric, spike.statistic) == cpu_metric.MAXIMUM]


@jsii.implements(IStableStringProducer)
class SpikeThresholds:
    """The spike thresholds as text, read at synthesis."""

    def __init__(self, stack: Stack, scalable_target: IScalableTargetRef) -> None:
        self._stack = stack
        self._scalable_target = scalable_target

    def produce(self) -> str:
        """Returns the thresholds as JSON."""
        return self._stack.to_json_string(spike_thresholds(self._scalable_target))


@jsii.implements(IValidation)
class CeilingInBetween:
    """Checks the ceiling at synthesis, because a spike scaling may be declared after the tuner."""

    def __init__(self, ceiling: float, initial: float, skew: float, scalable_target: IScalableTargetRef) -> None:
        self._ceiling = ceiling
        self._initial = initial
        self._skew = skew
        self._scalable_target = scalable_target

    def validate(self) -> list[str]:
        """Returns an error if the ceiling is below the declared target or too close to a spike threshold."""
        thresholds = spike_thresholds(self._scalable_target)
        try:
            check_ceiling(
                "ceiling_percent",
                self._ceiling,
                target=self._initial,
                spike_thresholds=thresholds,
                skew=self._skew,
            )
        except InvalidArgumentError as error:
            return [str(error)]
        return []
