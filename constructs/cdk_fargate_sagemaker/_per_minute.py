"""Rates for graphs: CloudWatch draws a graph at a period that fits its time range, and a sum grows with the period.

With `PeriodOverride.AUTO`, the default of a dashboard, that is five minutes for a day and an hour for weeks.
`PERIOD(m)` is the period that is drawn, in seconds; it takes a metric, not an expression:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import re

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ._metric_options import AnyMetric

_MINUTE = Duration.minutes(1)
# Trimmed sums and counts match too, in the short and in the long form:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
_GROWS = re.compile(r"sum|samplecount|n|t[cs][\d(].*", flags=re.IGNORECASE)


def per_minute(metric: AnyMetric, id: str) -> cloudwatch.MathExpression:
    """The value of `metric`, a sum or a sample count over its period, per minute: the same at every drawn period.

    Args:
        metric: a metric, or an expression that is linear in metrics.
        id: the metric's id in the expression; each metric of a graph needs its own.
    """
    return per(metric, id, _MINUTE)


def per(metric: AnyMetric, id: str, unit: Duration) -> cloudwatch.MathExpression:
    """The same per `unit`."""
    if isinstance(metric, cloudwatch.MathExpression):
        parts, total = metric.using_metrics, f"({metric.expression})"
    else:
        parts, total = {id: metric}, id
    return cloudwatch.MathExpression(
        expression=f"{total} * {unit.to_seconds():g} / PERIOD({next(iter(parts))})",
        using_metrics=parts,
        period=metric.period,
        label=metric.label,
        color=metric.color,
    )


def grows_with_its_period(metric: object) -> bool:
    """Whether `metric` is a sum or a count, which grows with its period."""
    return isinstance(metric, cloudwatch.Metric) and _GROWS.fullmatch(metric.statistic) is not None
