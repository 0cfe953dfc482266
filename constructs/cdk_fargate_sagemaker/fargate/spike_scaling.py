"""Scaling for the minute in which the load jumps, faster than target tracking can see it."""

import jsii
from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_ecs as ecs
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, IValidation

from .cpu_step import CpuStep
from .number_token import is_token
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ServiceScaling

_DEFAULT_STEP = CpuStep()
_DEFAULT_COOLDOWN = Duration.minutes(2)


class SpikeScaling(Construct):
    """Adds tasks the minute the hottest task's CPU passes a threshold. It never removes any: target tracking does.

    Target tracking needs three minutes above its target before it acts, and sees the average only. This alarm acts on
    one minute of the *maximum*. It attaches to any ECS service that has a scalable target.

    Args:
        service: a `ScaledFargateService`, or any ECS service: an L2, one of `aws_ecs_patterns` (its `.service`), an
            imported one.
        scalable_target: the task count to raise: what `service.auto_scale_task_count(…)` returned, an
            `applicationautoscaling.ScalableTarget`, or one imported with `from_scalable_target_attributes`. Default:
            that of a `ScaledFargateService`; required for any other service.
        step: from which CPU on how many tasks are added. Default: from 80 % on, three.
        cooldown: while it lasts a further step counts only the tasks beyond those just added. Default: two minutes, in
            which three new tasks start and take their share of the load.

    Raises:
        ValueError: no scalable target.

    Synthesis fails when the threshold is not above the average CPU that target tracking keeps: every task would then
    pass it in normal operation.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: ScaledFargateService | ecs.IService,
        scalable_target: IScalableTargetRef | None = None,
        step: CpuStep = _DEFAULT_STEP,
        cooldown: Duration = _DEFAULT_COOLDOWN,
    ) -> None:
        super().__init__(scope, id)
        if isinstance(service, ScaledFargateService):
            metrics, scalable_target = service.metrics, scalable_target or service.scalable_target
        else:
            metrics = ServiceMetrics(service=service)
        if scalable_target is None:
            raise ValueError(
                "scalable_target: got none, allowed: the task count of the service; "
                "pass what service.auto_scale_task_count() returned"
            )
        self._step = step
        # The CDK's scale_on_metric refuses a single interval. This action takes the one step as it is.
        self._policy = applicationautoscaling.StepScalingAction(
            self,
            "Policy",
            scaling_target=scalable_target,
            adjustment_type=applicationautoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
            metric_aggregation_type=applicationautoscaling.MetricAggregationType.MAXIMUM,
            cooldown=cooldown,
        )
        self._policy.add_adjustment(adjustment=step.add_tasks, lower_bound=0)
        self._alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            metric=metrics.cpu_maximum(),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=step.threshold_percent,
            evaluation_periods=1,
            # A service without tasks reports nothing, and is not hot.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"adds {step.add_tasks} tasks: the hottest task's CPU reached {step.threshold_percent} %",
        )
        self._alarm.add_alarm_action(cloudwatch_actions.ApplicationScalingAction(self._policy))
        self.node.add_validation(_ThresholdAboveTarget(step, scalable_target))

    @property
    def alarm(self) -> cloudwatch.Alarm:
        """The alarm that fires the step."""
        return self._alarm

    @property
    def policy(self) -> applicationautoscaling.StepScalingAction:
        """The scaling policy that adds the tasks."""
        return self._policy

    @property
    def step(self) -> CpuStep:
        """The threshold, and the tasks added when it is reached."""
        return self._step


@jsii.implements(IValidation)
class _ThresholdAboveTarget:
    """Checked at synthesis, because a tracking policy may be declared after the spike scaling."""

    def __init__(self, step: CpuStep, scalable_target: IScalableTargetRef) -> None:
        self._step = step
        self._scalable_target = scalable_target

    def validate(self) -> list[str]:
        threshold, target = self._step.threshold_percent, ServiceScaling.of(self._scalable_target).target_percent
        if target is None or threshold > target or is_token(threshold) or is_token(target):
            return []
        return [
            f"threshold_percent: got {threshold}, allowed: above the tracked average CPU of {target} %; "
            "raise the threshold or lower the target"
        ]
