"""Rates for graphs: CloudWatch draws a graph at the period that fits the time it shows, and a sum grows with it.

With `PeriodOverride.AUTO`, the default of a dashboard, five minutes at a day and an hour at weeks. `PERIOD(m)` is the
period that is drawn, in seconds; it takes a metric and no expression:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import re

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ._metric_options import AnyMetric

_MINUTE = Duration.minutes(1)
# Trimmed sums and counts too, in the short form and the long one:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
_GROWS = re.compile(r"sum|samplecount|n|t[cs][\d(].*", flags=re.IGNORECASE)


def per_minute(metric: AnyMetric, id: str) -> cloudwatch.MathExpression:
    """What `metric`, a sum or a number of samples over its period, comes to in a minute, at whatever period is drawn.

    Args:
        metric: a metric, or an expression that is linear in metrics.
        id: what a metric is called in the expression: each one of a graph needs its own.
    """
    return per(metric, id, _MINUTE)


def per(metric: AnyMetric, id: str, unit: Duration) -> cloudwatch.MathExpression:
    """The same in `unit`."""
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
    """Whether it is a metric that sums or counts."""
    return isinstance(metric, cloudwatch.Metric) and _GROWS.fullmatch(metric.statistic) is not None
