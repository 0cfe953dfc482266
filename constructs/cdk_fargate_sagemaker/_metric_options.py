"""The options of every `metric_*` method, the same as those of the CDK's methods."""

from typing import Any, TypeAlias, TypedDict, TypeVar, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ._checks import check_duration, check_kind, known_milliseconds, refusal


class ExpressionOptions(TypedDict, total=False):
    """The options of a math expression. Period, region and account apply to the metrics in it too."""

    account: str | None
    color: str | None
    label: str | None
    period: Duration | None
    region: str | None


class MetricOptions(ExpressionOptions, total=False):
    """The options of a metric. For an expression of several metrics, statistic and unit apply to each of them."""

    statistic: str | None
    unit: cloudwatch.Unit | None


AnyMetric: TypeAlias = cloudwatch.Metric | cloudwatch.MathExpression
_Metric = TypeVar("_Metric", cloudwatch.Metric, cloudwatch.MathExpression, AnyMetric)

_EXPRESSION = ExpressionOptions.__optional_keys__
_METRIC = MetricOptions.__optional_keys__
_TEXTS = {"account", "color", "label", "region", "statistic"}
# The periods that the CDK accepts; CloudWatch has 20 seconds too.
_SHORT_PERIODS = (1_000, 5_000, 10_000, 30_000)
# Color and label apply to the expression's line, not to the metrics that it is computed from.
_LOOKS = ("color", "label")


def with_options(metric: _Metric, options: ExpressionOptions) -> _Metric:
    """Returns `metric` with `options` instead of its own: `MetricOptions` for a metric that has a statistic.

    Raises:
        TypeError: an unknown option.
    """
    return cast(_Metric, _applied(metric, given_options(options)))


def with_expression_options(metric: cloudwatch.MathExpression, options: ExpressionOptions) -> cloudwatch.MathExpression:
    """The same for an expression whose metrics work with one statistic only, so that statistic and unit are refused.

    Raises:
        TypeError: an unknown option, or one of a metric.
    """
    return cast(cloudwatch.MathExpression, _applied(metric, given_options(options, _EXPRESSION)))


def given_options(options: ExpressionOptions, known: frozenset[str] = _METRIC) -> dict[str, Any]:
    """Returns the options that are not None.

    Raises:
        TypeError: an option that is not in `known`.
        InvalidArgumentError: an option of another type, a period that CloudWatch does not have, or one that is known at
            deployment only, since the CDK computes with it.
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
