"""Scaling for the minute in which the load jumps, faster than target tracking can see it."""

from collections.abc import Sequence
from itertools import pairwise

import jsii
from aws_cdk import Duration, Stack
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, IValidation

from .._number_token import is_token
from ._service_parts import AnyService, ServiceParts
from .cpu_step import CpuStep
from .metric_step import MetricStep
from .scaled_fargate_service import ScaledFargateService
from .service_scaling import SpikeBand, SpikePolicy, declare_spike, publish_scaling, tracked_percent

_DEFAULT_STEP = CpuStep()
# A metric of the CDK refuses a period of 20 seconds, which CloudWatch takes.
_REFUSED_BY_THE_CDK = 20
# A new task runs within a minute, is hot for six, and its last hot minute reaches the alarm within three more.
_DEFAULT_COOLDOWN = Duration.minutes(10)


class SpikeScaling(Construct):
    """Adds tasks the minute the hottest task's CPU passes a threshold. It never removes any: target tracking does.

    Target tracking needs three minutes above its target before it acts, and sees the average only. This alarm acts on
    one minute of the *maximum*. It attaches to any ECS service that has a scalable target.

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), any other ECS service
            of this app, or an imported one.
        scalable_target: the task count to raise, as an `applicationautoscaling.ScalableTarget`, or one imported with
            `from_scalable_target_attributes`. Default: what `service.auto_scale_task_count(…)` made; required for a
            service on which it was not called, as an imported one.
        step: one step, or several bands by rising threshold, each of which adds more than the one below: from the
            threshold of a band up to the next its tasks are added, not those of the bands below as well.
            Default: from 80 % CPU on, three tasks.
        metric: what is watched instead of the CPU maximum; its steps are `MetricStep`s. Default: the CPU maximum of
            the service, with `CpuStep`s.
        period: length of the period that is looked at: any that the metric is published for. Default: that of
            `metric`; for the CPU maximum one minute.
        evaluation_periods: how many periods in a row have to reach the threshold. Default: 1.
        cooldown: while it lasts, the tasks just added count toward the next step: a +3 step after a +3 step adds none,
            a +6 step adds three. A task that is hot while it starts passes the threshold itself, so the cooldown has to
            outlast it, or the step asks for tasks because of its own tasks: the minutes that a new task is hot, and
            four, for its launch and for its metric to reach the alarm. Default: 10 minutes, for tasks that are hot for
            up to six minutes. A spike that goes on is target tracking's, three minutes after it began.

    Raises:
        ValueError: a service of another region, no scalable target or that of another service, no step, bands that
            overlap or do not add more as they rise, steps of the wrong kind for the metric, or a period that the metric
            is not published for.

    Synthesis fails when a CPU threshold is not above the average CPU that target tracking keeps: every task would then
    pass it in normal operation.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        scalable_target: IScalableTargetRef | None = None,
        step: CpuStep | MetricStep | Sequence[CpuStep | MetricStep] = _DEFAULT_STEP,
        metric: cloudwatch.Metric | None = None,
        period: Duration | None = None,
        evaluation_periods: int = 1,
        cooldown: Duration = _DEFAULT_COOLDOWN,
    ) -> None:
        super().__init__(scope, id)
        parts = ServiceParts.of(self, service, scalable_target=scalable_target)
        metrics, scalable_target = parts.metrics, parts.required_scalable_target()
        self._steps = (step,) if isinstance(step, CpuStep | MetricStep) else tuple(step)
        _check_steps(self._steps, CpuStep if metric is None else MetricStep)
        if evaluation_periods < 1:
            raise ValueError(f"evaluation_periods: got {evaluation_periods}, allowed: at least 1")
        watched = metric or metrics.cpu_maximum()
        seconds = (period or watched.period).to_seconds()
        _check_period(watched, seconds, _resolution_seconds(metric) if metric else metrics.cpu_resolution.to_seconds())

        bands = _bands(self._steps)
        first = self._steps[0].threshold
        # The CDK's scale_on_metric refuses a single interval. This action takes the steps as they are.
        self._policy = applicationautoscaling.StepScalingAction(
            self,
            "Policy",
            scaling_target=scalable_target,
            adjustment_type=applicationautoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
            metric_aggregation_type=applicationautoscaling.MetricAggregationType.MAXIMUM,
            cooldown=cooldown,
        )
        for lower, upper, add_tasks in bands:
            self._policy.add_adjustment(adjustment=add_tasks, lower_bound=lower, upper_bound=upper)
        self._alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            metric=watched if seconds == _REFUSED_BY_THE_CDK else watched.with_(period=Duration.seconds(seconds)),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=first,
            evaluation_periods=evaluation_periods,
            # A service without tasks reports nothing, and is not hot.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"scales out {scalable_target.node.path}",
        )
        if seconds == _REFUSED_BY_THE_CDK:
            resource = self._alarm.node.default_child
            assert isinstance(resource, cloudwatch.CfnAlarm)
            resource.period = seconds
        self._alarm.add_alarm_action(cloudwatch_actions.ApplicationScalingAction(self._policy))
        declare_spike(
            self,
            scalable_target,
            SpikePolicy(
                metric=f"{watched.namespace}/{watched.metric_name}",
                statistic=watched.statistic,
                period_seconds=seconds,
                evaluation_periods=evaluation_periods,
                cooldown_seconds=cooldown.to_seconds(),
                bands=tuple(SpikeBand(threshold=step.threshold, add_tasks=step.add_tasks) for step in self._steps),
            ),
        )
        # A service of this library has put its own into the template of its stack.
        if not isinstance(service, ScaledFargateService) or Stack.of(service) is not Stack.of(self):
            publish_scaling(self, scalable_target)
        if metric is None:
            self.node.add_validation(_ThresholdAboveTarget(first, scalable_target))

    @property
    def alarm(self) -> cloudwatch.Alarm:
        """The alarm that fires the steps; its threshold is the first step's."""
        return self._alarm

    @property
    def policy(self) -> applicationautoscaling.StepScalingAction:
        """The scaling policy that adds the tasks."""
        return self._policy

    @property
    def steps(self) -> tuple[CpuStep | MetricStep, ...]:
        """The thresholds, and the tasks added from each on, by rising threshold."""
        return self._steps


def _check_steps(steps: Sequence[CpuStep | MetricStep], kind: type[CpuStep] | type[MetricStep]) -> None:
    if not steps:
        raise ValueError("step: got none, allowed: one step or several bands; pass CpuStep() for the default")
    for step in steps:
        if not isinstance(step, kind):
            raise ValueError(
                f"step: got a {type(step).__name__}, allowed: {kind.__name__} only "
                f"{'with a metric of your own' if kind is MetricStep else 'on the CPU maximum'}; do not mix the two"
            )
    if len(steps) > 1 and any(is_token(number) for step in steps for number in (step.threshold, step.add_tasks)):
        raise ValueError("step: got several with a value known at deployment only, allowed: numbers known now")
    for below, above in pairwise(steps):
        if above.threshold <= below.threshold:
            raise ValueError(
                f"step: got {above.threshold:g} after {below.threshold:g}, allowed: bands by rising threshold that do "
                "not overlap; sort them and name each threshold once"
            )
        if above.add_tasks <= below.add_tasks:
            raise ValueError(
                f"step: got {above.add_tasks} tasks from {above.threshold:g} on and {below.add_tasks} from "
                f"{below.threshold:g} on, allowed: more tasks in a higher band"
            )


def _bands(steps: Sequence[CpuStep | MetricStep]) -> list[tuple[float, float | None, float]]:
    """Each step as (lower bound, upper bound, tasks), its bounds relative to the alarm's threshold."""
    first = steps[0].threshold
    lower = [0 if step is steps[0] else step.threshold - first for step in steps]
    return [(bound, upper, step.add_tasks) for bound, upper, step in zip(lower, [*lower[1:], None], steps, strict=True)]


def _resolution_seconds(metric: cloudwatch.Metric) -> float:
    # Services of AWS publish by the minute; a metric of one's own may be of high resolution.
    return 60 if metric.namespace.startswith("AWS/") else 10


def _check_period(metric: cloudwatch.Metric, seconds: float, resolution_seconds: float) -> None:
    short = [second for second in (10, 20, 30) if second >= resolution_seconds]
    if seconds not in short and (seconds == 0 or seconds % 60 != 0):
        raise ValueError(
            f"period: got {seconds:g} s, allowed: {''.join(f'{second} s, ' for second in short)}a number of minutes; "
            f"{metric.namespace}/{metric.metric_name} is published every {resolution_seconds:g} s at most"
        )


@jsii.implements(IValidation)
class _ThresholdAboveTarget:
    """Checked at synthesis, because a tracking policy may be declared after the spike scaling."""

    def __init__(self, threshold: float, scalable_target: IScalableTargetRef) -> None:
        self._threshold = threshold
        self._scalable_target = scalable_target

    def validate(self) -> list[str]:
        threshold, target = self._threshold, tracked_percent(self._scalable_target)
        if target is None or threshold > target or is_token(threshold) or is_token(target):
            return []
        return [
            f"threshold_percent: got {threshold}, allowed: above the tracked average CPU of {target} %; "
            "raise the threshold or lower the target"
        ]
