"""What is declared about a service's scaling, read back from its scalable target."""

from dataclasses import dataclass
from typing import Self

from aws_cdk.aws_applicationautoscaling import CfnScalableTarget, CfnScalingPolicy
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef

_CPU_AVERAGE = "ECSServiceAverageCPUUtilization"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScaling:
    """The bounds of a service's task count, and the average CPU that target tracking keeps.

    Args:
        min_tasks: the count is never below it. Default: None, it is declared outside this app.
        max_tasks: the count is never above it. Default: None, it is declared outside this app.
        target_percent: average CPU, in percent, that target tracking keeps; of several policies the lowest, which
            is the first to ask for more tasks. Default: None, no policy of this app tracks it.
    """

    min_tasks: float | None = None
    max_tasks: float | None = None
    target_percent: float | None = None

    @classmethod
    def of(cls, scalable_target: IScalableTargetRef) -> Self:
        """Reads the bounds and policies that were declared on `scalable_target` until now, whoever declared them."""
        bounds = None
        targets = []
        for construct in scalable_target.node.find_all():
            if isinstance(construct, CfnScalableTarget):
                bounds = construct
            elif isinstance(construct, CfnScalingPolicy):
                targets += _cpu_targets(construct)
        return cls(
            min_tasks=bounds.min_capacity if bounds else None,
            max_tasks=bounds.max_capacity if bounds else None,
            target_percent=min(targets, default=None),
        )


def _cpu_targets(policy: CfnScalingPolicy) -> list[float]:
    tracking = policy.target_tracking_scaling_policy_configuration
    if not isinstance(tracking, CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty):
        return []
    metric = tracking.predefined_metric_specification
    if not isinstance(metric, CfnScalingPolicy.PredefinedMetricSpecificationProperty):
        return []
    return [tracking.target_value] if metric.predefined_metric_type == _CPU_AVERAGE else []
