"""A dashboard of a service's load, CPU and task count, with every threshold and every change."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import jsii
from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, IValidation

from cdk_fargate_sagemaker.fargate import AnyService, CpuStep, ServiceMetrics, ServiceScaling, SpikeScaling, cpu_metric
from cdk_fargate_sagemaker.fargate._service_parts import ServiceParts

from .._checks import check_kind, check_number, refusal
from .._readable_help import CallSignature
from ._banded_graph import Band, BandedGraph, Levels
from ._board import board
from ._task_hour import task_hour
from ._team_metric import TeamMetric, team_metrics_of
from ._vertical_lines import vertical_annotations
from .change_log import ChangeLog
from .fargate_price import FargatePrice
from .service_alarms import ServiceAlarms

_SCREEN = 24
# At this height, four graphs of full width fit a screen of 1080 lines without scrolling.
_GLANCE_HEIGHT = 4
_HEIGHT = 7
_PERCENT_AXIS = cloudwatch.YAxisProps(min=0, max=100, label="%", show_units=False)
_FROM_ZERO = cloudwatch.YAxisProps(min=0, show_units=False)
_USUAL_INTERVAL = Duration.days(1)
_PERCENTILES = (50, 95, 99)
_MINUTE, _HOUR = Duration.minutes(1), Duration.hours(1)
# CloudWatch keeps hourly data for 455 days.
_LONG_VIEW = "-P15M"


class ServiceDashboard(Construct):
    """Draws four graphs on one time axis: requests, CPU maximum, running tasks, CPU average.

    Read them from top to bottom: requests rise, the hottest task's CPU rises, tasks are added, the average falls. Each
    has the same level at every period that CloudWatch draws; over five minutes or an hour, requests and tasks are means
    per minute.

    Horizontal lines are declared values: the tracked target on the average, the spike threshold on the maximum, the
    minimum and maximum on the running tasks, with a line for each bound that a schedule sets. The band on the maximum
    reaches from the target to the spike threshold: a hottest task above it starts spike scaling. Values are read when
    the template is synthesised, so those declared after the dashboard appear too. Vertical lines, on every widget, are
    the changes of the change log.

    Below are the team's own metrics, the guardrails (response time, server errors, unhealthy hosts) with the thresholds
    of their alarms, and the cost: requests per task, whose trend over 15 months is the service's efficiency, and the
    price.

    Example:
        ```python
        alarms = ServiceAlarms(self, "Alarms", service=web, alerts_topic=topic)
        answered = cloudwatch.Metric(namespace="Shop", metric_name="Answered", statistic="Average")
        ServiceDashboard(
            self,
            "Monitor",
            service=web,
            alarms=alarms,
            team_metrics=[answered.with_(label="Questions that are answered, %")],
            price=FargatePrice(vcpu_hour=0.04048, gib_hour=0.004445),
            requests_per_task_goal=900,
        )
        ```

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), any other ECS service
            of this app, or an imported one.
        load_balancer: the ALB in front of it. Default: the one that a service of this app was attached to before the
            dashboard was made; if there is none, requests, response time and server errors have no widget, and an
            annotation reports that.
        target_group: the target group with its tasks. Default: the first application target group that a service of
            this app was attached to; if there is none, unhealthy hosts have no widget, and an annotation reports that.
        scalable_target: its task count. The lines show the target, the spike thresholds, the minimum and the maximum
            that this app declares on it, schedules included. Default: what `service.auto_scale_task_count(…)` makes,
            before the dashboard or after; if there is none, these lines are not drawn, and an annotation reports that.
        spike_scaling: its spike scaling, whose thresholds are drawn if `scalable_target` is not known. Default: the
            spike scaling that is declared on the scalable target.
        alarms: its alarms, read for their thresholds. Default: none, and their lines are not drawn.
        team_metrics: the team's own metrics, such as the share of answered questions: one graph per metric, below the
            four. For an alarm, its metric and its threshold are drawn; give the same alarm to
            `TargetTuner(guardrail_alarms=…)` and to `ModelReleaseWorkflow.roll_back_on(…)`, and it guards tuning and
            releases. A sum is drawn per its own period; in an expression divide by `PERIOD(…)`. Default: none.
        change_log: a YAML or JSON file of dated changes, or the changes themselves. A relative path starts at the
            folder in which the CDK runs. Default: none, and no vertical lines.
        price: Fargate's on-demand price in the service's region and architecture. Default: none, and the cost has no
            widget.
        requests_per_task_goal: the goal for requests per minute and task, above 0: a line on the graph of 15 months.
            Default: none, and no line.
        dashboard: a dashboard that gets the widgets, below those that it has and under this construct's id, so that one
            can show several services. Default: one of its own.
        dashboard_name: its name in CloudWatch. Default: CloudFormation makes one.
        default_interval: the time that the dashboard shows when it is opened. Default: one day.

    Raises:
        ChangeLogError: the change log cannot be read.
        InvalidArgumentError: a service of another region; a load balancer, target group or task count that is another
            service's; a price for a service whose task size is not known in this app; a goal without a load balancer;
            or an argument of the wrong type.
    """

    __signature__ = CallSignature()

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
        team_metrics: Sequence[cloudwatch.IMetric | cloudwatch.Alarm] = (),
        change_log: ChangeLog | Path | str | None = None,
        price: FargatePrice | None = None,
        requests_per_task_goal: float | None = None,
        dashboard: cloudwatch.Dashboard | None = None,
        dashboard_name: str | None = None,
        default_interval: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        for name, given, kind in (
            ("spike_scaling", spike_scaling, SpikeScaling),
            ("alarms", alarms, ServiceAlarms),
            ("price", price, FargatePrice),
        ):
            if given is not None:
                check_kind(name, given, kind)
        own = team_metrics_of("team_metrics", team_metrics)
        find_parts = functools.partial(
            ServiceParts.of,
            self,
            service,
            scalable_target=scalable_target,
            load_balancer=load_balancer,
            target_group=target_group,
        )
        parts = find_parts()
        metrics = parts.metrics
        if requests_per_task_goal is not None:
            check_number("requests_per_task_goal", requests_per_task_goal, above=0)
            if not metrics.has_load_balancer:
                raise refusal(
                    "load_balancer", None, "an application load balancer, for requests_per_task_goal; pass it"
                )
        self._parts, self._find_parts = parts, find_parts
        self._scaling = ServiceScaling()
        self.node.add_validation(_SaysWhatIsNotKnown(self))
        self._changes = vertical_annotations(change_log)
        self._spike_scaling = spike_scaling
        self._dashboard = board(
            self,
            [
                *self._glance(metrics),
                *self._own(own),
                self._guardrails(metrics, alarms),
                *self._cost(metrics, price, parts.service, requests_per_task_goal),
            ],
            dashboard=dashboard,
            dashboard_name=dashboard_name,
            default_interval=default_interval,
            usual_interval=_USUAL_INTERVAL,
        )

    @property
    def dashboard(self) -> cloudwatch.Dashboard:
        """The dashboard, to which further widgets can be added."""
        return self._dashboard

    def draw_floor(self, floor: cloudwatch.IMetric) -> None:
        """Adds the minimum that a `ForecastFloor` keeps to the running tasks, as a line.

        Args:
            floor: the metric of the minimum, such as `ForecastFloor.metric_floor()`.

        Raises:
            InvalidArgumentError: a value that is not a metric.
        """
        kinds = (cloudwatch.Metric, cloudwatch.MathExpression)
        check_kind("floor", floor, kinds, "a metric of aws_cloudwatch", "give ForecastFloor.metric_floor()")
        self._tasks.add_left_metric(
            cloudwatch.MathExpression(
                expression="FILL(floor, REPEAT)",
                using_metrics={"floor": floor},
                label="floor",
                color=cloudwatch.Color.GREY,
                period=_MINUTE,
            )
        )

    def _glance(self, metrics: ServiceMetrics) -> list[list[cloudwatch.IWidget]]:
        self._tasks = self._graph(
            "Running tasks", [metrics.average_running_tasks()], self._bound_levels, height=_GLANCE_HEIGHT
        )
        graphs = [
            self._graph(
                "CPU maximum, %", [metrics.cpu_maximum()], self._spike_levels, axis=_PERCENT_AXIS, height=_GLANCE_HEIGHT
            ),
            self._tasks,
            self._graph(
                "CPU average, %",
                [metrics.cpu_average()],
                self._target_levels,
                axis=_PERCENT_AXIS,
                height=_GLANCE_HEIGHT,
            ),
        ]
        if metrics.has_load_balancer:
            requests = metrics.requests_per_minute()
            graphs.insert(0, self._graph("Requests a minute", [requests], height=_GLANCE_HEIGHT))
        return [[graph] for graph in graphs]

    def _own(self, metrics: Sequence[TeamMetric]) -> list[list[cloudwatch.IWidget]]:
        graphs = [self._graph(own.title, [own.metric], own.lines, width=_SCREEN // 2) for own in metrics]
        return [list(graphs[index : index + 2]) for index in range(0, len(graphs), 2)]

    def _guardrails(self, metrics: ServiceMetrics, alarms: ServiceAlarms | None) -> list[cloudwatch.IWidget]:
        row: list[cloudwatch.IWidget] = []
        width = _SCREEN // 3
        if metrics.has_load_balancer:
            times = [metrics.response_time(percentile).with_(label=f"p{percentile}") for percentile in _PERCENTILES]
            errors = metrics.server_error_percent()
            row.append(
                self._graph("Response time, s", times, _alarm_line(alarms.latency if alarms else None), width=width)
            )
            row.append(
                self._graph(
                    "Server errors, %", [errors], _alarm_line(alarms.server_errors if alarms else None), width=width
                )
            )
        if metrics.has_target_group:
            row.append(
                self._graph(
                    "Unhealthy hosts",
                    [metrics.unhealthy_hosts()],
                    _alarm_line(alarms.unhealthy_hosts if alarms else None),
                    width=width,
                )
            )
        return row

    def _cost(
        self, metrics: ServiceMetrics, price: FargatePrice | None, service: ecs.IService, goal: float | None
    ) -> list[list[cloudwatch.IWidget]]:
        row: list[cloudwatch.IWidget] = []
        long_view: list[cloudwatch.IWidget] = []
        half = _SCREEN // 2
        if metrics.has_load_balancer:
            row.append(self._graph("Requests a minute and task", [metrics.requests_per_task()], width=half))
            goal_line = [] if goal is None else [_line(goal, "goal", cloudwatch.Color.GREEN)]
            long_view.append(
                self._graph(
                    "Requests a minute and task, 15 months",
                    [metrics.requests_per_task(period=_HOUR)],
                    goal_line,
                    period=_HOUR,
                    start=_LONG_VIEW,
                )
            )
        if price:
            cost = metrics.cost_per_hour(task_hour=task_hour(price, service))
            row.append(self._graph(f"Cost an hour on demand, {price.currency}", [cost], width=half))
        return [row, long_view]

    def _graph(
        self,
        title: str,
        metrics: Sequence[cloudwatch.Metric | cloudwatch.MathExpression],
        lines: Sequence[cloudwatch.HorizontalAnnotation] | Callable[[], Levels] = (),
        *,
        axis: cloudwatch.YAxisProps = _FROM_ZERO,
        width: int = _SCREEN,
        height: int = _HEIGHT,
        period: Duration = _MINUTE,
        start: str | None = None,
    ) -> cloudwatch.GraphWidget:
        """A graph with the given lines, or with lines that a function returns when the template is made."""
        is_single = len(metrics) == 1
        left = [metrics[0].with_(label=title)] if is_single else metrics
        legend = cloudwatch.LegendPosition.HIDDEN if is_single else cloudwatch.LegendPosition.BOTTOM
        if callable(lines):
            return BandedGraph(
                title=title,
                left=left,
                levels=lines,
                vertical_annotations=self._changes,
                left_y_axis=axis,
                legend_position=legend,
                period=period,
                width=width,
                height=height,
            )
        return cloudwatch.GraphWidget(
            title=title,
            left=left,
            left_annotations=list(lines),
            vertical_annotations=self._changes,
            left_y_axis=axis,
            legend_position=legend,
            period=period,
            width=width,
            height=height,
            start=start,
        )

    def _parts_at_synthesis(self) -> ServiceParts:
        """The service's parts, including a task count that was made after the dashboard."""
        if self._parts.scalable_target is None:
            self._parts = dataclasses.replace(self._parts, scalable_target=self._find_parts().scalable_target)
        return self._parts

    def _spike_levels(self) -> Levels:
        # This graph is rendered before the other two with levels, so they use the scaling that it reads.
        self._scaling = self._parts_at_synthesis().scaling
        target = self._scaling.target_percent
        bands = _spike_bands(self._scaling, self._spike_scaling)
        lines = [_line(threshold, f"adds {tasks} tasks", cloudwatch.Color.RED) for threshold, tasks in bands]
        if not bands or target is None:
            return Levels(lines=lines)
        (threshold, _), *_ = bands
        return Levels(
            lines=lines, band=Band(low=target, high=threshold, label="headroom", color=cloudwatch.Color.ORANGE)
        )

    def _bound_levels(self) -> Levels:
        scaling = self._scaling
        return Levels(
            lines=[
                _line(bound, label if bound == declared else f"{label} by schedule", color)
                for bounds, declared, label, color in (
                    (scaling.least_bounds, scaling.min_tasks, "least", cloudwatch.Color.GREY),
                    (scaling.most_bounds, scaling.max_tasks, "most", cloudwatch.Color.RED),
                )
                for bound in bounds
            ]
        )

    def _target_levels(self) -> Levels:
        target = self._scaling.target_percent
        return Levels(lines=[] if target is None else [_line(target, "target", cloudwatch.Color.GREEN)])


@jsii.implements(IValidation)
class _SaysWhatIsNotKnown:
    """Adds the annotations at synthesis, because the task count may be made after the dashboard."""

    def __init__(self, dashboard: ServiceDashboard) -> None:
        self._dashboard = dashboard
        self._has_said = False

    def validate(self) -> list[str]:
        if not self._has_said:
            self._has_said = True
            self._dashboard._parts_at_synthesis().say_what_is_not_known(
                self._dashboard,
                load_balancer="requests, response time and server errors have no widget",
                target_group="unhealthy hosts have no widget",
                both="requests, response time, server errors and unhealthy hosts have no widget",
                scalable_target="the target, the least and the most tasks have no line",
            )
        return []


def _alarm_line(alarm: cloudwatch.Alarm | None) -> list[cloudwatch.HorizontalAnnotation]:
    if alarm is None:
        return []
    line = alarm.to_annotation()
    return [cloudwatch.HorizontalAnnotation(value=line.value, label=line.label, color=cloudwatch.Color.RED)]


def _spike_bands(scaling: ServiceScaling, spikes: SpikeScaling | None) -> list[tuple[float, float]]:
    """Thresholds on the hottest task's CPU, each with the tasks that it adds; steps on other metrics are left out."""
    declared = [
        (band.threshold, band.add_tasks)
        for policy in scaling.spikes
        if (policy.metric, policy.statistic) == cpu_metric.MAXIMUM
        for band in policy.bands
    ]
    steps = spikes.steps if spikes else ()
    return declared or [(step.threshold_percent, step.add_tasks) for step in steps if isinstance(step, CpuStep)]


def _line(value: float, label: str, color: str) -> cloudwatch.HorizontalAnnotation:
    shown = label if Token.is_unresolved(value) else f"{label}: {value:g}"
    return cloudwatch.HorizontalAnnotation(value=value, label=shown, color=color)
