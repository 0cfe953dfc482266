"""A dashboard of an endpoint's requests, answers and releases."""

import re
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_fargate_sagemaker.sagemaker import (
    EndpointMetrics,
    EndpointVariant,
    InferenceEndpoint,
    ModelReleaseWorkflow,
)

from .. import _statistics as statistics
from .._checks import check_kind, plain, refusal
from .._metric_options import AnyMetric
from .._number_token import is_token
from .._per_minute import per_minute
from .._readable_help import CallSignature
from ._board import board
from ._vertical_lines import vertical_annotations
from .change_log import ChangeLog
from .endpoint_alarms import MICROSECONDS_A_MILLISECOND, PERCENT, EndpointAlarms
from .model_drift import ModelDrift

_SCREEN = 24
_HEIGHT = 7
_MINUTE = Duration.minutes(1)
_DAY = Duration.days(1)
_FOUR_WEEKS_BACK = "-P28D"
_USUAL_INTERVAL = Duration.days(1)
_FROM_ZERO = cloudwatch.YAxisProps(min=0, show_units=False)
_PERCENT_AXIS = cloudwatch.YAxisProps(min=0, max=100, show_units=False)
_RELEASE_AXIS = cloudwatch.YAxisProps(min=0, max=1, show_units=False)
_GPU_FAMILIES = re.compile(r"ml\.[gp]\d")


class EndpointDashboard(Construct):
    """Draws invocations, instances, model and overhead latency, errors, and the load of the instances.

    Each graph has the same level at every period that CloudWatch draws; over five minutes or an hour, requests and
    errors are means per minute.

    Horizontal lines are declared values: alarm thresholds, and the minimum and maximum instances of the scaling.
    Releases and rollbacks appear without a deployment: a successful execution is a spike over the full height of each
    graph of requests, from Step Functions' own metric. The change log adds vertical lines for other changes, such as a
    changed setting.

    Example:
        ```python
        alarms = EndpointAlarms(self, "Alarms", endpoint=workflow, alerts_topic=topic)
        EndpointDashboard(self, "Monitor", endpoint=workflow, alarms=alarms, workflow=workflow)
        ```

    Args:
        endpoint: the endpoint, the workflow that releases to it, or its metrics.
        alarms: its alarms, read for their thresholds. Default: none, and their lines are not drawn.
        workflow: the workflow that releases to it. Default: none, and only releases in the change log are drawn.
        drift: draws the drift of served posts from the validation posts, with intervals, lower bounds and the alarms'
            maxima, over four weeks. Default: none, and no such graphs.
        change_log: a YAML or JSON file of dated changes, or the changes themselves. A relative path starts at the
            folder in which the CDK runs. Default: none, and no vertical lines.
        dashboard: a dashboard that gets the widgets, below those that it has and under this construct's id. Default:
            one of its own.
        dashboard_name: its name in CloudWatch. Default: CloudFormation makes one.
        default_interval: the time that the dashboard shows when it is opened. Default: one day.

    Raises:
        ChangeLogError: the change log cannot be read.
        InvalidArgumentError: an argument of the wrong type, or a name or interval beside `dashboard`.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: EndpointMetrics | InferenceEndpoint | ModelReleaseWorkflow,
        alarms: EndpointAlarms | None = None,
        workflow: ModelReleaseWorkflow | None = None,
        drift: ModelDrift | None = None,
        change_log: ChangeLog | Path | str | None = None,
        dashboard: cloudwatch.Dashboard | None = None,
        dashboard_name: str | None = None,
        default_interval: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        metrics = endpoint if isinstance(endpoint, EndpointMetrics) else getattr(endpoint, "metrics", None)
        if not isinstance(metrics, EndpointMetrics):
            raise refusal(
                "endpoint",
                endpoint if metrics is None else plain(f"{type(endpoint).__name__} without the endpoint's metrics"),
                "an InferenceEndpoint, a ModelReleaseWorkflow or EndpointMetrics",
                "give EndpointMetrics the name of an endpoint that was made elsewhere",
            )
        if alarms is not None:
            check_kind("alarms", alarms, EndpointAlarms)
        if workflow is not None:
            check_kind("workflow", workflow, ModelReleaseWorkflow)
        if drift is not None:
            check_kind("drift", drift, ModelDrift)
        self._changes = vertical_annotations(change_log)
        self._releases = _release_spikes(workflow) if workflow else []
        self._dashboard = board(
            self,
            [
                self._requests(metrics),
                self._latency(metrics, alarms),
                self._errors(metrics, alarms),
                self._load(metrics),
                *([self._drift(drift)] if drift else []),
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

    def _requests(self, metrics: EndpointMetrics) -> list[cloudwatch.IWidget]:
        row: list[cloudwatch.IWidget] = [
            self._graph("Invocations a minute", [_rate(metrics.invocations(), "requests")])
        ]
        instances = [variant for variant in metrics.configuration.variants if variant.serverless is None]
        if instances:
            row.append(
                self._graph(
                    "Instances",
                    [metrics.instances(variant).with_(label=variant.name) for variant in instances],
                    [line for variant in instances for line in _scaling_lines(variant)],
                )
            )
        return row

    def _latency(self, metrics: EndpointMetrics, alarms: EndpointAlarms | None) -> list[cloudwatch.IWidget]:
        return [
            self._graph(
                "Model latency, ms",
                [metrics.model_latency(percentile).with_(label=f"p{percentile}") for percentile in (50, 99)],
                _alarm_lines(alarms.model_latency if alarms else (), "alarm", 1 / MICROSECONDS_A_MILLISECOND),
            ),
            self._graph(
                "Overhead latency, ms",
                [metrics.overhead_latency(percentile).with_(label=f"p{percentile}") for percentile in (50, 99)],
            ),
        ]

    def _errors(self, metrics: EndpointMetrics, alarms: EndpointAlarms | None) -> list[cloudwatch.IWidget]:
        return [
            self._graph(
                "Errors, % of the requests",
                [metrics.server_error_percent(), metrics.model_error_percent()],
                [
                    *_alarm_lines(alarms.server_errors if alarms else (), "alarm, 5xx", PERCENT),
                    *_alarm_lines(alarms.model_errors if alarms else (), "alarm, model errors", PERCENT),
                ],
            ),
            self._graph(
                "Errors a minute",
                [
                    _rate(metrics.client_errors(), "4xx"),
                    _rate(metrics.server_errors(), "5xx"),
                    _rate(metrics.model_errors(), "model"),
                ],
            ),
        ]

    def _load(self, metrics: EndpointMetrics) -> list[cloudwatch.IWidget]:
        variants = metrics.configuration.all_variants
        instances = [variant for variant in variants if variant.instance_type is not None]
        graphs: dict[str, list[cloudwatch.Metric]] = {
            "CPU, % of a core": [metrics.cpu(variant).with_(label=variant.name) for variant in instances],
            "Memory, %": [metrics.memory(variant).with_(label=variant.name) for variant in variants],
            "GPU, %": [
                metric.with_(label=f"{variant.name} {part}")
                for variant in instances
                if _has_gpu(variant)
                for part, metric in (("busy", metrics.gpu(variant)), ("memory", metrics.gpu_memory(variant)))
            ],
        }
        drawn = {title: lines for title, lines in graphs.items() if lines}
        return [
            self._graph(title, lines, releases=False, width=_SCREEN // len(drawn)) for title, lines in drawn.items()
        ]

    def _drift(self, drift: ModelDrift) -> list[cloudwatch.IWidget]:
        graphs = [
            (
                "Drift of scores, %",
                drift.metric_score_drift(),
                drift.metric_score_drift_interval(),
                drift.metric_score_drift_at_least(),
                drift.score_drift,
            ),
            (
                "Drift of lengths, %",
                drift.metric_length_drift(),
                drift.metric_length_drift_interval(),
                drift.metric_length_drift_at_least(),
                drift.length_drift,
            ),
            (
                "Drift of vocabulary, %",
                drift.metric_vocabulary_drift(),
                drift.metric_vocabulary_drift_interval(),
                drift.metric_vocabulary_drift_at_least(),
                drift.vocabulary_drift,
            ),
        ]
        # Without the alarm, the model has no first stage, and there is nothing to draw.
        if drift.first_stage_drift is not None:
            graphs.append(
                (
                    "Drift of the first stage's share, %",
                    drift.metric_first_stage_drift(),
                    drift.metric_first_stage_drift_interval(),
                    drift.metric_first_stage_drift_at_least(),
                    drift.first_stage_drift,
                )
            )
        return [
            cloudwatch.GraphWidget(
                title=title,
                left=[
                    high.with_(label="at most (95 %)", color=cloudwatch.Color.GREY),
                    metric.with_(label="drift", color=cloudwatch.Color.BLUE),
                    low.with_(label="at least (95 %)", color=cloudwatch.Color.GREY),
                    at_least.with_(label="at least (99.9 %)", color=cloudwatch.Color.RED),
                ],
                left_annotations=_alarm_lines([alarm] if alarm else (), "alarm", 1),
                left_y_axis=_PERCENT_AXIS,
                vertical_annotations=self._changes,
                period=_DAY,
                # One data point per day makes no line in the other graphs' interval.
                start=_FOUR_WEEKS_BACK,
                width=_SCREEN // len(graphs),
                height=_HEIGHT,
            )
            for title, metric, (low, high), at_least, alarm in graphs
        ]

    def _graph(
        self,
        title: str,
        metrics: Sequence[cloudwatch.IMetric],
        lines: Sequence[cloudwatch.HorizontalAnnotation] = (),
        *,
        releases: bool = True,
        width: int = _SCREEN // 2,
    ) -> cloudwatch.GraphWidget:
        spikes = self._releases if releases else []
        return cloudwatch.GraphWidget(
            title=title,
            left=list(metrics),
            left_annotations=list(lines),
            left_y_axis=_FROM_ZERO,
            right=spikes or None,
            right_y_axis=_RELEASE_AXIS if spikes else None,
            vertical_annotations=self._changes,
            period=_MINUTE,
            width=width,
            height=_HEIGHT,
        )


def _rate(total: AnyMetric, label: str) -> cloudwatch.MathExpression:
    return per_minute(total, f"total_{label}").with_(label=label)


def _release_spikes(workflow: ModelReleaseWorkflow) -> list[cloudwatch.IMetric]:
    """1 where a release or rollback succeeded, else 0, at every period: a full-height line on an axis from 0 to 1."""
    return [
        cloudwatch.MathExpression(
            expression=f"IF(FILL({name}, 0) > 0, 1, 0)",
            using_metrics={name: machine.metric_succeeded(statistic=statistics.SUM, period=_MINUTE)},
            period=_MINUTE,
            label=label,
            color=color,
        )
        for name, label, machine, color in (
            ("released", "release", workflow.state_machine, cloudwatch.Color.PURPLE),
            ("rolled_back", "rollback", workflow.rollback.state_machine, cloudwatch.Color.BROWN),
        )
    ]


def _scaling_lines(variant: EndpointVariant) -> list[cloudwatch.HorizontalAnnotation]:
    if variant.scaling is None:
        return []
    bounds = (
        (variant.scaling.min_instances, "least", cloudwatch.Color.GREY),
        (variant.scaling.max_instances, "most", cloudwatch.Color.RED),
    )
    return [
        cloudwatch.HorizontalAnnotation(value=value, label=f"{variant.name}: {label}", color=color)
        for value, label, color in bounds
    ]


def _alarm_lines(alarms: Sequence[cloudwatch.Alarm], label: str, scale: float) -> list[cloudwatch.HorizontalAnnotation]:
    """The alarms' common threshold times `scale`, which converts it to the unit of the graph."""
    # A threshold that is known at deployment only cannot be converted to another unit.
    if not alarms or is_token(alarms[0].to_annotation().value):
        return []
    value = round(alarms[0].to_annotation().value * scale, 6)
    return [cloudwatch.HorizontalAnnotation(value=value, label=f"{label}: {value:g}", color=cloudwatch.Color.RED)]


def _has_gpu(variant: EndpointVariant) -> bool:
    return variant.instance_type is not None and _GPU_FAMILIES.match(variant.instance_type) is not None
