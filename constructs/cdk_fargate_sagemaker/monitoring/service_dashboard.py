"""One screen that shows a service's load, its CPU and its task count, with every threshold and every change."""

from pathlib import Path

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, ServiceMetrics, ServiceScaling, SpikeScaling

from .change_log import ChangeLog, in_utc

_WIDTH, _HEIGHT = 12, 7
_PERCENT_AXIS = cloudwatch.YAxisProps(min=0, max=100, label="%", show_units=False)
_COUNT_AXIS = cloudwatch.YAxisProps(min=0, show_units=False)
_DEFAULT_INTERVAL = Duration.days(1)


class ServiceDashboard(Construct):
    """Four widgets on one screen: requests, CPU average, CPU maximum, running tasks, minute by minute.

    Horizontal lines are what was declared: the tracked target on the average, the spike threshold on the maximum, the
    least and most tasks on the running tasks. Vertical lines are the changes of the change log, on every widget.

    Args:
        service: a `ScaledFargateService`, or any ECS service: an L2, one of `aws_ecs_patterns` (its `.service`), an
            imported one.
        load_balancer: the ALB in front of it. Default: that of a `ScaledFargateService`; for any other service none,
            and the requests have no widget.
        scalable_target: its task count, read for the target, the least and the most tasks that are declared on it in
            this app. Default: that of a `ScaledFargateService`; for any other service none, and these lines are
            not drawn.
        spike_scaling: its spike scaling, read for the threshold. Default: none, and this line is not drawn.
        change_log: a YAML or JSON file of dated changes, or the changes themselves. A relative path starts at the
            folder in which the CDK runs. Default: none, and no vertical lines.
        dashboard_name: its name in CloudWatch. Default: CloudFormation makes one.
        default_interval: the time that the dashboard shows when it is opened. Default: one day.

    Raises:
        ChangeLogError: the change log cannot be read.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: ScaledFargateService | ecs.IService,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        scalable_target: IScalableTargetRef | None = None,
        spike_scaling: SpikeScaling | None = None,
        change_log: ChangeLog | Path | str | None = None,
        dashboard_name: str | None = None,
        default_interval: Duration = _DEFAULT_INTERVAL,
    ) -> None:
        super().__init__(scope, id)
        if isinstance(service, ScaledFargateService):
            metrics, scaling = service.metrics, service.scaling
        else:
            metrics = ServiceMetrics(service=service, load_balancer=load_balancer)
            scaling = ServiceScaling.of(scalable_target) if scalable_target else ServiceScaling()
        self._changes = _vertical_annotations(change_log)
        requests = (
            [self._widget("Requests a minute", metrics.request_count(), _COUNT_AXIS)]
            if metrics.has_load_balancer
            else []
        )
        average = self._widget("CPU average, %", metrics.cpu_average(), _PERCENT_AXIS, _target_line(scaling))
        maximum = self._widget("CPU maximum, %", metrics.cpu_maximum(), _PERCENT_AXIS, _spike_line(spike_scaling))
        tasks = self._widget("Running tasks", metrics.running_tasks(), _COUNT_AXIS, _bound_lines(scaling))
        self._dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=dashboard_name,
            default_interval=default_interval,
            widgets=[[*requests, average], [maximum, tasks]],
        )

    @property
    def dashboard(self) -> cloudwatch.Dashboard:
        """The dashboard, to which further widgets can be added."""
        return self._dashboard

    def _widget(
        self,
        title: str,
        metric: cloudwatch.Metric | cloudwatch.MathExpression,
        axis: cloudwatch.YAxisProps,
        lines: list[cloudwatch.HorizontalAnnotation] | None = None,
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=[metric.with_(label=title)],
            left_annotations=lines,
            vertical_annotations=self._changes,
            left_y_axis=axis,
            legend_position=cloudwatch.LegendPosition.HIDDEN,
            period=Duration.minutes(1),
            width=_WIDTH,
            height=_HEIGHT,
        )


def _target_line(scaling: ServiceScaling) -> list[cloudwatch.HorizontalAnnotation]:
    return [_line(scaling.target_percent, "target", cloudwatch.Color.GREEN)] if scaling.target_percent else []


def _spike_line(spike_scaling: SpikeScaling | None) -> list[cloudwatch.HorizontalAnnotation]:
    steps = spike_scaling.steps if spike_scaling else ()
    return [
        _line(step.threshold_percent, f"adds {step.add_tasks} tasks", cloudwatch.Color.RED)
        for step in steps
        # A step on another metric is no share of the CPU.
        if isinstance(step, CpuStep)
    ]


def _bound_lines(scaling: ServiceScaling) -> list[cloudwatch.HorizontalAnnotation]:
    bounds = ((scaling.min_tasks, "least", cloudwatch.Color.GREY), (scaling.max_tasks, "most", cloudwatch.Color.RED))
    return [_line(value, label, color) for value, label, color in bounds if value is not None]


def _line(value: float, label: str, color: str) -> cloudwatch.HorizontalAnnotation:
    shown = label if Token.is_unresolved(value) else f"{label}: {value:g}"
    return cloudwatch.HorizontalAnnotation(value=value, label=shown, color=color)


def _vertical_annotations(change_log: ChangeLog | Path | str | None) -> list[cloudwatch.VerticalAnnotation] | None:
    if change_log is None:
        return None
    log = change_log if isinstance(change_log, ChangeLog) else ChangeLog.from_file(change_log)
    return [
        cloudwatch.VerticalAnnotation(
            date=in_utc(change.date), label=f"{change.label} ({change.author})" if change.author else change.label
        )
        for change in log.changes
    ]
