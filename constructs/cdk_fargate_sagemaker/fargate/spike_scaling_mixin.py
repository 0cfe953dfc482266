"""Spike scaling as a CDK mixin, for services that are declared already."""

from collections.abc import Sequence

import jsii
from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from constructs import Construct, IConstruct, IMixin

from .._checks import plain, refusal
from .cpu_step import CpuStep
from .metric_step import MetricStep
from .spike_scaling import DEFAULT_COOLDOWN, DEFAULT_STEP, SpikeScaling, check_times, checked_steps

_ID = "SpikeScaling"


@jsii.implements(IMixin)
class SpikeScalingMixin:
    """Adds `SpikeScaling` as a child to each ECS service that it is applied to, or that is inside the construct.

    `web.with_(SpikeScalingMixin())` works for a `ScaledFargateService`, a service or construct of `aws_ecs_patterns`, a
    service of `aws_ecs`, and for a stack, whose services all get it. Each needs a task count: call
    `service.auto_scale_task_count()` before.

    Needs `constructs` 10.5 or later, and is imported only where it is used.

    Args:
        steps: those of `SpikeScaling`. Default: three tasks from 80 % CPU.
        metric: that of `SpikeScaling`. Default: the CPU maximum of each service.
        period: that of `SpikeScaling`. Default: that of the metric; for the CPU maximum one minute.
        evaluation_periods: those of `SpikeScaling`. Default: 1.
        cooldown: that of `SpikeScaling`. Default: 10 minutes.

    Raises:
        InvalidArgumentError: invalid steps, or an invalid metric, period, number of periods or cooldown.

    Applying it raises the errors of `SpikeScaling`, and refuses a service that already has the mixin's spike scaling.

    Example:
        ```python
        web.with_(SpikeScalingMixin(steps=CpuStep(threshold_percent=85, add_tasks=4)))
        ```
    """

    def __init__(
        self,
        *,
        steps: CpuStep | MetricStep | Sequence[CpuStep | MetricStep] = DEFAULT_STEP,
        metric: cloudwatch.Metric | None = None,
        period: Duration | None = None,
        evaluation_periods: int = 1,
        cooldown: Duration = DEFAULT_COOLDOWN,
    ) -> None:
        # An error raised while the mixin is applied passes through the JavaScript process, and becomes another type of
        # error.
        check_times(period=period, evaluation_periods=evaluation_periods, cooldown=cooldown)
        self._steps = checked_steps(steps, metric)
        self._metric = metric
        self._period = period
        self._evaluation_periods = evaluation_periods
        self._cooldown = cooldown

    def supports(self, construct: IConstruct) -> bool:
        """Whether `construct` is an ECS service. A pattern that makes a service is not one, or its service would get
        spike scaling twice.
        """
        return isinstance(construct, ecs.BaseService)

    def apply_to(self, construct: IConstruct) -> None:
        """Adds spike scaling to a service.

        Args:
            construct: a service.

        Raises:
            InvalidArgumentError: the service already has the mixin's spike scaling, or an error of `SpikeScaling`.
        """
        if not isinstance(construct, ecs.BaseService):
            raise refusal("construct", construct, "a service of aws_ecs", "apply it with construct.with_(…)")
        if construct.node.try_find_child(_ID) is not None:
            raise refusal(
                "with_",
                plain(f"{construct.node.path}, which has spike scaling"),
                "one SpikeScalingMixin for a service",
                "give all its steps to one",
            )
        scope: Construct = construct
        SpikeScaling(
            scope,
            _ID,
            service=construct,
            steps=self._steps,
            metric=self._metric,
            period=self._period,
            evaluation_periods=self._evaluation_periods,
            cooldown=self._cooldown,
        )
