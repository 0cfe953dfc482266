"""One screen that shows a service's load, its CPU and its task count, with every threshold and every change."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct

from cdk_fargate_sagemaker.fargate import AnyService, CpuStep, ServiceMetrics, ServiceScaling, SpikeScaling
from cdk_fargate_sagemaker.fargate._service_parts import ServiceParts

from ._banded_graph import Band, BandedGraph
from ._declared_before import DeclaredBefore
from ._vertical_lines import vertical_annotations
from .change_log import ChangeLog
from .fargate_price import FargatePrice
from .service_alarms import ServiceAlarms

_SCREEN = 24
_PERCENT_AXIS = cloudwatch.YAxisProps(min=0, max=100, label="%", show_units=False)
_FROM_ZERO = cloudwatch.YAxisProps(min=0, show_units=False)
_DEFAULT_INTERVAL = Duration.days(1)
_PERCENTILES = (50, 95, 99)


class ServiceDashboard(Construct):
    """Four widgets on one screen: requests, CPU average, CPU maximum, running tasks, minute by minute.

    Horizontal lines are what was declared: the tracked target on the average, the spike threshold on the maximum, the
    least and most tasks on the running tasks, with a line for each bound that a schedule sets. The band on the maximum
    reaches from the target to the spike threshold: a hottest task above it calls for help. Vertical lines are
    the changes of the change log, on every widget.

    Below the screen are the guardrails (response time, server errors, unhealthy hosts) with the thresholds of their
    alarms, and the cost: the requests that a task answers, whose long-term trend is the service's efficiency, and the
    price.

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), any other ECS service
            of this app, or an imported one.
        load_balancer: the ALB in front of it. Default: the one that a service of this app was attached to before the
            dashboard was made; where there is none, requests, response time and server errors have no widget, which
            an annotation says.
        target_group: its tasks as the ALB sees them. Default: the first application target group that a service of
            this app was attached to; where there is none, unhealthy hosts have no widget, which an annotation says.
        scalable_target: its task count, read for the target, the least and the most tasks that are declared on it in
            this app, schedules included: declare them before the dashboard. Default: what
            `service.auto_scale_task_count(…)` made; where there is none, these lines are not drawn, which an
            annotation says.
        spike_scaling: its spike scaling, read for the thresholds. Default: none, and their lines are not drawn.
        alarms: its alarms, read for their thresholds. Default: none, and their lines are not drawn.
        change_log: a YAML or JSON file of dated changes, or the changes themselves. A relative path starts at the
            folder in which the CDK runs. Default: none, and no vertical lines.
        price: what Fargate costs, on demand, in the service's region and architecture. Default: none, and the cost has
            no widget.
        dashboard_name: its name in CloudWatch. Default: CloudFormation makes one.
        default_interval: the time that the dashboard shows when it is opened. Default: one day.

    Raises:
        ChangeLogError: the change log cannot be read.
        ValueError: a service of another region, a load balancer, target group or task count that is another
            service's, or a price for a service whose task size is not known in this app.

    Synthesis fails when bounds are scheduled after the dashboard is made.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        target_group: elbv2.IApplicationTargetGroup | None = None,
        scalable_target: IScalableTargetRef | None = None,
        spike_scaling: SpikeScaling | None = None,
        alarms: ServiceAlarms | None = None,
        change_log: ChangeLog | Path | str | None = None,
        price: FargatePrice | None = None,
        dashboard_name: str | None = None,
        default_interval: Duration = _DEFAULT_INTERVAL,
    ) -> None:
        super().__init__(scope, id)
        parts = ServiceParts.of(
            self,
            service,
            scalable_target=scalable_target,
            load_balancer=load_balancer,
            target_group=target_group,
        )
        metrics, scaling = parts.metrics, parts.scaling
        parts.say_what_is_not_known(
            self,
            load_balancer="requests, response time and server errors have no widget",
            target_group="unhealthy hosts have no widget",
            both="requests, response time, server errors and unhealthy hosts have no widget",
            scalable_target="the target, the least and the most tasks have no line",
        )
        if parts.scalable_target is not None:
            self.node.add_validation(DeclaredBefore("ServiceDashboard", parts.scalable_target, scaling))
        self._changes = vertical_annotations(change_log)
        self._dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=dashboard_name,
            default_interval=default_interval,
            widgets=[
                *self._screen(metrics, scaling, spike_scaling),
                self._guardrails(metrics, alarms),
                self._cost(metrics, price, parts.service),
            ],
        )

    @property
    def dashboard(self) -> cloudwatch.Dashboard:
        """The dashboard, to which further widgets can be added."""
        return self._dashboard

    def _screen(
        self, metrics: ServiceMetrics, scaling: ServiceScaling, spikes: SpikeScaling | None
    ) -> list[list[cloudwatch.IWidget]]:
        requests: list[cloudwatch.IWidget] = []
        if metrics.has_load_balancer:
            requests.append(self._widget("Requests a minute", [metrics.request_count()]))
        return [
            [
                *requests,
                self._widget("CPU average, %", [metrics.cpu_average()], _target_line(scaling), axis=_PERCENT_AXIS),
            ],
            [
                self._widget(
                    "CPU maximum, %",
                    [metrics.cpu_maximum()],
                    _spike_lines(spikes),
                    axis=_PERCENT_AXIS,
                    band=_headroom(scaling, spikes),
                ),
                self._widget("Running tasks", [metrics.running_tasks()], _bound_lines(scaling)),
            ],
        ]

    def _guardrails(self, metrics: ServiceMetrics, alarms: ServiceAlarms | None) -> list[cloudwatch.IWidget]:
        row: list[cloudwatch.IWidget] = []
        width = _SCREEN // 3
        if metrics.has_load_balancer:
            times = [metrics.response_time(percentile).with_(label=f"p{percentile}") for percentile in _PERCENTILES]
            errors = metrics.server_error_percent()
            row.append(
                self._widget("Response time, s", times, _alarm_line(alarms.latency if alarms else None), width=width)
            )
            row.append(
                self._widget(
                    "Server errors, %", [errors], _alarm_line(alarms.server_errors if alarms else None), width=width
                )
            )
        if metrics.has_target_group:
            row.append(
                self._widget(
                    "Unhealthy hosts",
                    [metrics.unhealthy_hosts()],
                    _alarm_line(alarms.unhealthy_hosts if alarms else None),
                    width=width,
                )
            )
        return row

    def _cost(
        self, metrics: ServiceMetrics, price: FargatePrice | None, service: ecs.IService
    ) -> list[cloudwatch.IWidget]:
        row: list[cloudwatch.IWidget] = []
        if metrics.has_load_balancer:
            row.append(self._widget("Requests a minute and task", [metrics.requests_per_task()]))
        if price:
            cost = metrics.cost_per_hour(task_hour=_task_hour(price, service))
            row.append(self._widget(f"Cost an hour on demand, {price.currency}", [cost]))
        return row

    def _widget(
        self,
        title: str,
        metrics: Sequence[cloudwatch.Metric | cloudwatch.MathExpression],
        lines: list[cloudwatch.HorizontalAnnotation] | None = None,
        *,
        axis: cloudwatch.YAxisProps = _FROM_ZERO,
        band: Band | None = None,
        width: int = _SCREEN // 2,
    ) -> cloudwatch.IWidget:
        is_single = len(metrics) == 1
        return BandedGraph(
            title=title,
            left=[metrics[0].with_(label=title)] if is_single else metrics,
            left_annotations=lines or [],
            vertical_annotations=self._changes,
            left_y_axis=axis,
            legend_position=cloudwatch.LegendPosition.HIDDEN if is_single else cloudwatch.LegendPosition.BOTTOM,
            width=width,
            height=7,
            band=band,
        )


def _target_line(scaling: ServiceScaling) -> list[cloudwatch.HorizontalAnnotation]:
    return [_line(scaling.target_percent, "target", cloudwatch.Color.GREEN)] if scaling.target_percent else []


def _headroom(scaling: ServiceScaling, spikes: SpikeScaling | None) -> Band | None:
    lines = _spike_lines(spikes)
    if not lines or scaling.target_percent is None:
        return None
    return Band(low=scaling.target_percent, high=lines[0].value, label="headroom", color=cloudwatch.Color.ORANGE)


def _alarm_line(alarm: cloudwatch.Alarm | None) -> list[cloudwatch.HorizontalAnnotation]:
    if alarm is None:
        return []
    line = alarm.to_annotation()
    return [cloudwatch.HorizontalAnnotation(value=line.value, label=line.label, color=cloudwatch.Color.RED)]


def _task_hour(price: FargatePrice, service: ecs.IService) -> float:
    definition = getattr(service, "task_definition", None)
    if not isinstance(definition, ecs.FargateTaskDefinition):
        raise ValueError(
            "price: got one for a service whose task size is not known in this app, allowed: for a Fargate "
            "service that it makes; leave it out"
        )
    return price.task_hour(cpu=definition.cpu, memory_mib=definition.memory_mib)


def _spike_lines(spike_scaling: SpikeScaling | None) -> list[cloudwatch.HorizontalAnnotation]:
    steps = spike_scaling.steps if spike_scaling else ()
    return [
        _line(step.threshold_percent, f"adds {step.add_tasks} tasks", cloudwatch.Color.RED)
        for step in steps
        # A step on another metric is no share of the CPU.
        if isinstance(step, CpuStep)
    ]


def _bound_lines(scaling: ServiceScaling) -> list[cloudwatch.HorizontalAnnotation]:
    return [
        _line(bound, label if bound == declared else f"{label} by schedule", color)
        for bounds, declared, label, color in (
            (scaling.least_bounds, scaling.min_tasks, "least", cloudwatch.Color.GREY),
            (scaling.most_bounds, scaling.max_tasks, "most", cloudwatch.Color.RED),
        )
        for bound in bounds
    ]


def _line(value: float, label: str, color: str) -> cloudwatch.HorizontalAnnotation:
    shown = label if Token.is_unresolved(value) else f"{label}: {value:g}"
    return cloudwatch.HorizontalAnnotation(value=value, label=shown, color=color)
