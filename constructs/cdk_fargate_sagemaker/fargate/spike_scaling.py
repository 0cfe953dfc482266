"""Scaling for the minute in which the load jumps, faster than target tracking can see it."""

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_ecs as ecs
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef

from constructs import Construct

from .cpu_step import CpuStep
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics

_DEFAULT_STEP = CpuStep()


class SpikeScaling(Construct):
    """Adds tasks the minute the hottest task's CPU passes a threshold. It never removes any: target tracking does."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: ScaledFargateService | ecs.IService,
        scalable_target: IScalableTargetRef | None = None,
        step: CpuStep = _DEFAULT_STEP,
        cooldown: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        if isinstance(service, ScaledFargateService):
            metrics, scalable_target = service.metrics, scalable_target or service.scalable_target
        else:
            metrics = ServiceMetrics(service=service)
        if scalable_target is None:
            raise ValueError("scalable_target: got none, allowed: the service's; pass service.auto_scale_task_count(…)")
        self._step = step
        self._action = applicationautoscaling.StepScalingAction(
            self,
            "Policy",
            scaling_target=scalable_target,
            adjustment_type=applicationautoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
            metric_aggregation_type=applicationautoscaling.MetricAggregationType.MAXIMUM,
            cooldown=cooldown or Duration.minutes(2),
        )
        self._action.add_adjustment(adjustment=step.add_tasks, lower_bound=0)
        self._alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            metric=metrics.cpu_maximum(),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=step.threshold_percent,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._alarm.add_alarm_action(cloudwatch_actions.ApplicationScalingAction(self._action))

    @property
    def alarm(self) -> cloudwatch.Alarm:
        """The alarm that fires the step."""
        return self._alarm

    @property
    def step(self) -> CpuStep:
        """The threshold, and the tasks added when it is reached."""
        return self._step
