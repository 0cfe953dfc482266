"""The options that every `metric_*` takes, as those of the CDK do."""

from typing import Any, TypeAlias, TypedDict, TypeVar, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ._checks import check_duration, check_kind, known_milliseconds, refusal


class ExpressionOptions(TypedDict, total=False):
    """What a math expression takes. Period, region and account are those of the metrics in it too."""

    account: str | None
    color: str | None
    label: str | None
    period: Duration | None
    region: str | None


class MetricOptions(ExpressionOptions, total=False):
    """What a metric takes; where it is computed of several, statistic and unit are those of each."""

    statistic: str | None
    unit: cloudwatch.Unit | None


AnyMetric: TypeAlias = cloudwatch.Metric | cloudwatch.MathExpression
_Metric = TypeVar("_Metric", cloudwatch.Metric, cloudwatch.MathExpression, AnyMetric)

_EXPRESSION = ExpressionOptions.__optional_keys__
_METRIC = MetricOptions.__optional_keys__
_TEXTS = {"account", "color", "label", "region", "statistic"}
# As the CDK takes them; CloudWatch knows 20 seconds too.
_SHORT_PERIODS = (1_000, 5_000, 10_000, 30_000)
# What a line looks like is for the expression, and not for the metrics that it is computed of.
_LOOKS = ("color", "label")


def with_options(metric: _Metric, options: ExpressionOptions) -> _Metric:
    """`metric` with what is in `options`, a `MetricOptions` for a metric that has a statistic, in place of its own.

    Raises:
        TypeError: an option that there is not.
    """
    return cast(_Metric, _applied(metric, given_options(options)))


def with_expression_options(metric: cloudwatch.MathExpression, options: ExpressionOptions) -> cloudwatch.MathExpression:
    """The same for an expression whose metrics have the only statistic that makes sense of it.

    Raises:
        TypeError: an option that it does not take.
    """
    return cast(cloudwatch.MathExpression, _applied(metric, given_options(options, _EXPRESSION)))


def given_options(options: ExpressionOptions, known: frozenset[str] = _METRIC) -> dict[str, Any]:
    """Those that are not None.

    Raises:
        TypeError: one that is not `known`.
        InvalidArgumentError: an option of another type, or a period that CloudWatch does not have, or that is known at
            deployment only: the CDK computes with it.
    """
    for name in options:
        if name not in known:
            raise TypeError(f"got an unexpected keyword argument {name!r}, allowed: {', '.join(sorted(known))}")
    given = {name: value for name, value in options.items() if value is not None}
    period = options.get("period")
    if period is not None:
        check_duration("period", period, above_zero=True, token=False)
        milliseconds = known_milliseconds(period) or 0
        if milliseconds not in _SHORT_PERIODS and milliseconds % 60_000:
            raise refusal("period", period, "1, 5, 10 or 30 seconds, or whole minutes")
    for name in _TEXTS & given.keys():
        check_kind(name, given[name], str, "text")
    if "unit" in given:
        check_kind("unit", given["unit"], cloudwatch.Unit, "a cloudwatch.Unit")
    return given


def _applied(metric: Any, options: dict[str, Any]) -> Any:
    if not options:
        return metric
    if isinstance(metric, cloudwatch.Metric):
        return metric.with_(**options)
    of_parts = {name: value for name, value in options.items() if name not in _LOOKS}
    return cloudwatch.MathExpression(
        expression=metric.expression,
        using_metrics={name: _applied(part, of_parts) for name, part in metric.using_metrics.items()},
        period=options.get("period", metric.period),
        label=options.get("label", metric.label),
        color=options.get("color", metric.color),
    )
