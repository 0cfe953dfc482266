"""A team's own metric, as a graph of a dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch

from .._checks import check_sequence, refusal
from .._metric_options import AnyMetric
from .._per_minute import grows_with_its_period, per

_ALLOWED = "metrics and alarms of aws_cloudwatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMetric:
    """The graph's title, metric and lines."""

    title: str
    metric: AnyMetric
    lines: Sequence[cloudwatch.HorizontalAnnotation] = ()


def team_metrics_of(name: str, given: Sequence[cloudwatch.IMetric | cloudwatch.Alarm]) -> list[TeamMetric]:
    """Returns a graph per metric or alarm: an alarm's graph shows its metric and threshold.

    Raises:
        InvalidArgumentError: a value that is not a list of metrics and alarms.
    """
    return [_team_metric(name, one) for one in check_sequence(name, given, _ALLOWED)]


def _team_metric(name: str, given: object) -> TeamMetric:
    if isinstance(given, cloudwatch.Alarm):
        line = given.to_annotation()
        red = cloudwatch.HorizontalAnnotation(value=line.value, label=line.label, color=cloudwatch.Color.RED)
        return TeamMetric(title=_title(given.metric), metric=_drawn(name, given.metric), lines=[red])
    return TeamMetric(title=_title(given), metric=_drawn(name, given))


def _title(metric: object) -> str:
    for attribute in ("label", "metric_name", "expression"):
        title = getattr(metric, attribute, None)
        if title:
            return str(title)
    return "metric"


def _drawn(name: str, metric: object) -> AnyMetric:
    if not isinstance(metric, cloudwatch.Metric | cloudwatch.MathExpression):
        raise refusal(name, metric, _ALLOWED)
    return per(metric, "own", metric.period) if grows_with_its_period(metric) else metric
