"""A dashboard of the review queue, the reviewers' work, and the model's precision and recall."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_fargate_sagemaker.review import IReviewQueue

from .._checks import check_kind
from .._readable_help import CallSignature
from ._board import board

_SCREEN = 24
_HEIGHT = 7
_DAY = Duration.days(1)
_HOUR = Duration.hours(1)
_FIVE_MINUTES = Duration.minutes(5)
_SECONDS_AN_HOUR = 3600
_FROM_ZERO = cloudwatch.YAxisProps(min=0, show_units=False)
_PERCENT_AXIS = cloudwatch.YAxisProps(min=0, max=100, label="%", show_units=False)
_KAPPA_AXIS = cloudwatch.YAxisProps(min=-1, max=1, show_units=False)
_USUAL_INTERVAL = Duration.days(28)


class ReviewDashboard(Construct):
    """Draws queue length, age of the oldest post, decisions, reviewers' burden, precision, recall, agreement, faults.

    The burden is decisions, seconds per decision and share of severe posts per reviewer and day. It is shown as the
    median, the 90th percentile and the maximum over all reviewers: no reviewer is named.

    Precision and recall are those of the flags that were set, at the threshold that was in use, each with the two ends
    of its 95 % interval. They and the agreement cover the posts received in the queue's `measured_window`; no line is
    drawn until there is data. Beside them is the upper bound of each over the last seven days, which `ReviewAlarms`
    watches.

    Decisions are those of the day so far: the line rises through a UTC day and starts again at 0. If a value is the
    total per period, the graph's title says so, because CloudWatch uses longer periods for longer time ranges.

    Example:
        ```python
        ReviewDashboard(self, "ReviewMonitor", reviews=reviews)
        ```

    Args:
        reviews: the review queue, made here or imported.
        dashboard: a dashboard that gets the widgets, below those that it has and under this construct's id. Default:
            one of its own.
        dashboard_name: its name in CloudWatch. Default: CloudFormation makes one.
        default_interval: the time that the dashboard shows when it is opened. Default: four weeks.

    Raises:
        InvalidArgumentError: a value that is not a review queue, or a name or interval beside `dashboard`.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        reviews: IReviewQueue,
        dashboard: cloudwatch.Dashboard | None = None,
        dashboard_name: str | None = None,
        default_interval: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_kind("reviews", reviews, IReviewQueue, "a ReviewQueue, made here or imported")
        self._dashboard = board(
            self,
            [
                [
                    _graph("Posts that wait", [reviews.metric_waiting()], _FROM_ZERO, width=8),
                    _graph("Age of the oldest, hours", [_hours(reviews.metric_oldest_age())], _FROM_ZERO, width=8),
                    _graph(
                        "Decisions of the day so far",
                        [reviews.metric_decisions_a_day()],
                        _FROM_ZERO,
                        width=8,
                        period=_DAY,
                    ),
                ],
                [
                    _graph(
                        "Reviewers of the day so far", [reviews.metric_reviewers()], _FROM_ZERO, width=6, period=_DAY
                    ),
                    _graph(
                        "Decisions per reviewer and day",
                        _spread(reviews.metric_reviewer_decisions()),
                        _FROM_ZERO,
                        width=6,
                        period=_DAY,
                    ),
                    _graph(
                        "Seconds per decision, by reviewer",
                        _spread(reviews.metric_decision_seconds()),
                        _FROM_ZERO,
                        width=6,
                        period=_HOUR,
                    ),
                    _graph(
                        "Severe posts, % of a reviewer's decisions",
                        _spread(reviews.metric_severe_percent()),
                        _PERCENT_AXIS,
                        width=6,
                        period=_HOUR,
                    ),
                ],
                [
                    _graph(
                        "Precision of what is flagged, %",
                        [
                            *_with_interval(
                                "precision", reviews.metric_precision(), reviews.metric_precision_interval()
                            ),
                            _at_most(reviews.metric_precision_at_most()),
                        ],
                        _PERCENT_AXIS,
                        period=_HOUR,
                    ),
                    _graph(
                        "Violations that are flagged (recall), %",
                        [
                            *_with_interval("recall", reviews.metric_recall(), reviews.metric_recall_interval()),
                            _at_most(reviews.metric_recall_at_most()),
                        ],
                        _PERCENT_AXIS,
                        period=_HOUR,
                    ),
                ],
                [
                    _graph(
                        "Agreement of two reviewers, Cohen's kappa",
                        [reviews.metric_agreement()],
                        _KAPPA_AXIS,
                        lines=[cloudwatch.HorizontalAnnotation(value=0, label="chance", color=cloudwatch.Color.GREY)],
                        period=_HOUR,
                    ),
                    _graph(
                        "Calls put off by the table, measurements that failed; total in each period",
                        [_put_off(reviews.metric_throttled()), *_measuring_failed(reviews)],
                        _FROM_ZERO,
                    ),
                ],
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


def _graph(
    title: str,
    metrics: Sequence[cloudwatch.IMetric],
    axis: cloudwatch.YAxisProps,
    *,
    lines: Sequence[cloudwatch.HorizontalAnnotation] = (),
    width: int = _SCREEN // 2,
    period: Duration = _FIVE_MINUTES,
) -> cloudwatch.GraphWidget:
    is_single = len(metrics) == 1
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_annotations=list(lines),
        left_y_axis=axis,
        legend_position=cloudwatch.LegendPosition.HIDDEN if is_single else cloudwatch.LegendPosition.BOTTOM,
        period=period,
        width=width,
        height=_HEIGHT,
    )


def _hours(seconds: cloudwatch.Metric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=f"age / {_SECONDS_AN_HOUR}", using_metrics={"age": seconds}, period=_FIVE_MINUTES, label="age"
    )


def _measuring_failed(reviews: IReviewQueue) -> list[cloudwatch.IMetric]:
    return [] if reviews.measuring_function is None else [reviews.metric_measuring_failed()]


def _put_off(throttled: cloudwatch.IMetric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression="throttled", using_metrics={"throttled": throttled}, period=_FIVE_MINUTES, label="put off"
    )


def _spread(metrics: Sequence[cloudwatch.Metric]) -> list[cloudwatch.Metric]:
    median, high, most = metrics
    return [
        most.with_(label="highest", color=cloudwatch.Color.RED),
        high.with_(label="90th percentile", color=cloudwatch.Color.GREY),
        median.with_(label="median", color=cloudwatch.Color.BLUE),
    ]


def _at_most(metric: cloudwatch.Metric) -> cloudwatch.Metric:
    return metric.with_(label="at most, last 7 days (99.9 %)", color=cloudwatch.Color.RED)


def _with_interval(
    label: str, metric: cloudwatch.Metric, interval: tuple[cloudwatch.Metric, cloudwatch.Metric]
) -> list[cloudwatch.Metric]:
    low, high = interval
    return [
        high.with_(label="at most (95 %)", color=cloudwatch.Color.GREY),
        metric.with_(label=label, color=cloudwatch.Color.BLUE),
        low.with_(label="at least (95 %)", color=cloudwatch.Color.GREY),
    ]
