"""Scaling for load that jumps within a minute, faster than target tracking reacts."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jsii
from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, IValidation

from .._checks import check_duration, check_kind, check_number, check_sequence, known_milliseconds, plain, refusal
from .._construct_tree import note_stack, path_of, stack_of
from .._number_token import is_token
from .._readable_help import CallSignature, readable
from ..errors import InvalidArgumentError
from . import cpu_metric
from ._scalable_target_reference import target_to_scale
from ._service_parts import AnyService, ServiceParts
from .cpu_step import CpuStep
from .metric_step import MetricStep
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import MINUTE
from .service_scaling import SpikeBand, SpikePolicy, declare_spike, publish_scaling, tracked_percent
from .task_count import check_above_target

DEFAULT_STEP = CpuStep()
# The CDK's metrics refuse a period of 20 seconds, which CloudWatch supports.
_REFUSED_BY_THE_CDK = 20
_HOUR, _DAY, _WEEK = 3_600, 86_400, 604_800
# A new task runs within a minute and is hot for up to six; its last hot minute reaches the alarm within three more.
DEFAULT_COOLDOWN = readable(Duration.minutes(10))


class SpikeScaling(Construct):
    """Adds tasks the minute the hottest task's CPU passes a threshold. It never removes any: target tracking does.

    Target tracking needs three minutes above its target before it acts, and uses only the average. This alarm acts on
    one minute of the *maximum*. It attaches to any ECS service that has a scalable target.

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), any other ECS service
            of this app, or an imported one.
        scalable_target: the task count to raise, as an `applicationautoscaling.ScalableTarget`, or one imported with
            `from_scalable_target_attributes`. Default: what `service.auto_scale_task_count(…)` made; required for a
            service on which it was not called, such as an imported one.
        steps: one step, or several bands by rising threshold, each of which adds more than the one below. Between a
            band's threshold and the next one only that band's tasks are added. Default: three tasks from 80 % CPU.
        metric: what is watched instead of the CPU maximum; its steps are `MetricStep`s. Default: the CPU maximum of
            the service, with `CpuStep`s.
        period: length of one period of the alarm: any that the metric is published for. Default: that of `metric`; for
            the CPU maximum one minute.
        evaluation_periods: how many periods in a row have to reach the threshold. Default: 1.
        cooldown: while it lasts, the tasks just added count toward the next step: a +3 step after a +3 step adds none,
            a +6 step adds three. A task that is hot while it starts passes the threshold itself. A cooldown that is too
            short would add tasks because of the step's own tasks. Give the minutes that a new task is hot, and four
            more for its launch and for its metric to reach the alarm. Default: 10 minutes, for tasks that are hot for
            up to six minutes. Target tracking handles a longer spike, three minutes after its start.

    Raises:
        InvalidArgumentError: a service of another region, no scalable target or that of another service, no step,
            bands that overlap or do not add more as they rise, steps of the wrong kind for the metric, a math
            expression as the metric, or a period that the metric is not published for.

    Synthesis fails when a CPU threshold is not above the average CPU that target tracking keeps: every task would then
    pass it in normal operation.

    Example:
        ```python
        SpikeScaling(
            self,
            "Spikes",
            service=web,
            steps=[CpuStep(threshold_percent=80, add_tasks=3), CpuStep(threshold_percent=95, add_tasks=6)],
        )
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        scalable_target: IScalableTargetRef | None = None,
        steps: CpuStep | MetricStep | Sequence[CpuStep | MetricStep] = DEFAULT_STEP,
        metric: cloudwatch.Metric | None = None,
        period: Duration | None = None,
        evaluation_periods: int = 1,
        cooldown: Duration = DEFAULT_COOLDOWN,
    ) -> None:
        super().__init__(scope, id)
        note_stack(scope, self)
        parts = ServiceParts.of(self, service, scalable_target=scalable_target)
        metrics, scalable_target = parts.metrics, parts.required_scalable_target()
        self._steps = checked_steps(steps, metric)
        check_times(period=period, evaluation_periods=evaluation_periods, cooldown=cooldown)
        watched = metric or metrics.cpu_maximum()
        resolution = _resolution_seconds(metric) if metric else _seconds(metrics.cpu_resolution)
        seconds = _checked_period(watched, period or (metric.period if metric else MINUTE), resolution=resolution)
        _check_evaluated_time(evaluation_periods, seconds)

        first = self._steps[0].threshold
        # The CDK's scale_on_metric refuses a single interval; this action takes the steps unchanged.
        self._policy = applicationautoscaling.StepScalingAction(
            self,
            "Policy",
            scaling_target=target_to_scale(scalable_target),
            adjustment_type=applicationautoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
            metric_aggregation_type=applicationautoscaling.MetricAggregationType.MAXIMUM,
            cooldown=cooldown,
        )
        for lower, upper, add_tasks in _bands(self._steps):
            self._policy.add_adjustment(adjustment=add_tasks, lower_bound=lower, upper_bound=upper)
        self._alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            metric=watched if period is None or seconds == _REFUSED_BY_THE_CDK else watched.with_(period=period),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=first,
            evaluation_periods=evaluation_periods,
            # A service without tasks publishes no CPU, and is not hot.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"scales out {path_of(scalable_target)}",
        )
        if seconds == _REFUSED_BY_THE_CDK:
            resource = self._alarm.node.default_child
            assert isinstance(resource, cloudwatch.CfnAlarm)
            resource.period = seconds
        self._alarm.add_alarm_action(cloudwatch_actions.ApplicationScalingAction(self._policy))
        name, statistic = (
            (f"{metric.namespace}/{metric.metric_name}", metric.statistic) if metric else cpu_metric.MAXIMUM
        )
        declare_spike(
            self,
            scalable_target,
            SpikePolicy(
                metric=name,
                statistic=statistic,
                period_seconds=seconds,
                evaluation_periods=evaluation_periods,
                cooldown_seconds=_seconds(cooldown),
                bands=tuple(SpikeBand(threshold=step.threshold, add_tasks=step.add_tasks) for step in self._steps),
            ),
        )
        # A service of this library writes its scaling into the template of its own stack.
        if not isinstance(service, ScaledFargateService) or stack_of(service) is not stack_of(self):
            publish_scaling(self, scalable_target)
        if metric is None:
            self.node.add_validation(_ThresholdAboveTarget(first, scalable_target))

    @property
    def alarm(self) -> cloudwatch.Alarm:
        """The alarm that starts the scaling policy; its threshold is that of the first step."""
        return self._alarm

    @property
    def policy(self) -> applicationautoscaling.StepScalingAction:
        """The scaling policy that adds the tasks."""
        return self._policy

    @property
    def steps(self) -> tuple[CpuStep | MetricStep, ...]:
        """The steps, by rising threshold."""
        return self._steps


def check_times(*, period: Duration | None, evaluation_periods: int, cooldown: Duration) -> None:
    """Checks the arguments that can be checked before the service is known.

    Raises:
        InvalidArgumentError: an invalid period, number of periods or cooldown.
    """
    if period is not None:
        check_duration("period", period, above_zero=True, token=False)
    check_number("evaluation_periods", evaluation_periods, at_least=1, whole=True)
    check_duration("cooldown", cooldown, whole="seconds")


def checked_steps(given: Any, metric: Any) -> tuple[CpuStep | MetricStep, ...]:
    """Returns the steps as a tuple, checked for `metric`; None is the CPU maximum.

    Raises:
        InvalidArgumentError: an expression as the metric, steps of the wrong kind, or steps in another order.
    """
    if metric is not None:
        check_kind(
            "metric", metric, cloudwatch.Metric, "a cloudwatch.Metric", "publish an expression's result as a metric"
        )
    kind = CpuStep if metric is None else MetricStep
    allowed = f"one {kind.__name__}, or several by rising threshold"
    if isinstance(given, CpuStep | MetricStep):
        steps: tuple[Any, ...] = (given,)
    else:
        steps = tuple(check_sequence("steps", given, allowed, empty=False))
    for step in steps:
        why = "with a metric of your own" if kind is MetricStep else "on the CPU maximum"
        check_kind("steps", step, kind, f"{kind.__name__} only {why}", f"give {kind.__name__}(…)")
    if len(steps) > 1 and any(is_token(number) for step in steps for number in (step.threshold, step.add_tasks)):
        raise refusal("steps", plain("several with a token"), "several of numbers known at synthesis, or one")
    for below, above in pairwise(steps):
        if above.threshold <= below.threshold:
            raise refusal(
                "steps",
                plain(f"{above.threshold:g} after {below.threshold:g}"),
                "bands by rising threshold that do not overlap",
                "sort them and name each threshold once",
            )
        if above.add_tasks <= below.add_tasks:
            raise refusal(
                "steps",
                plain(
                    f"{above.add_tasks} tasks from {above.threshold:g} on and {below.add_tasks} from "
                    f"{below.threshold:g} on"
                ),
                "more tasks in a higher band",
            )
    return steps


def _bands(steps: Sequence[CpuStep | MetricStep]) -> list[tuple[float, float | None, float]]:
    """Each step as (lower bound, upper bound, tasks); the bounds are relative to the alarm's threshold."""
    first = steps[0].threshold
    lower = [0 if step is steps[0] else step.threshold - first for step in steps]
    return [(bound, upper, step.add_tasks) for bound, upper, step in zip(lower, [*lower[1:], None], steps, strict=True)]


def _resolution_seconds(metric: cloudwatch.Metric) -> float:
    # AWS services publish per minute; a custom metric may have a high resolution.
    return 60 if metric.namespace.startswith("AWS/") else 10


def _checked_period(metric: cloudwatch.Metric, period: Duration, *, resolution: float) -> float:
    """The period in seconds; refused where `metric` is not published that often."""
    seconds = _seconds(period)
    short = [second for second in (10, 20, 30) if second >= resolution]
    if not is_token(seconds) and seconds not in short and (seconds == 0 or seconds % 60 != 0):
        raise refusal(
            "period",
            plain(f"{seconds:g} s"),
            f"{''.join(f'{second} s, ' for second in short)}a number of minutes",
            f"{metric.namespace}/{metric.metric_name} is published every {resolution:g} s at most",
        )
    return seconds


def _check_evaluated_time(periods: int, seconds: float) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, Period
    longest = _WEEK if seconds >= _HOUR else _DAY
    if not is_token(periods) and not is_token(seconds) and periods * seconds > longest:
        raise refusal(
            "evaluation_periods",
            periods,
            f"at most {longest // seconds:g} with periods of {seconds:g} s",
            "CloudWatch evaluates a day at most, a week with periods of an hour or more",
        )


def _seconds(duration: Duration) -> float:
    milliseconds = known_milliseconds(duration)
    return duration.to_seconds() if milliseconds is None else milliseconds / 1_000


@jsii.implements(IValidation)
class _ThresholdAboveTarget:
    """Checks the threshold at synthesis, because a tracking policy may be declared after the spike scaling."""

    def __init__(self, threshold: float, scalable_target: IScalableTargetRef) -> None:
        self._threshold = threshold
        self._scalable_target = scalable_target

    def validate(self) -> list[str]:
        target = tracked_percent(self._scalable_target)
        if target is not None:
            try:
                check_above_target(self._threshold, target)
            except InvalidArgumentError as error:
                return [str(error)]
        return []
