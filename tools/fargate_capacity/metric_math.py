"""CloudWatch metric math: evaluates an expression on series of one grid, with the common functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.metric_expression import (
    QUERIES,
    Array,
    Call,
    MetricMathError,
    Negation,
    Node,
    Number,
    Operation,
    Reference,
    Text,
)

Series = NDArray[np.float64]
Value = float | Series | list[Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of an expression; a missing point is NaN.

    Args:
        times: the times of all series' points, seconds since 1970.
        series: the series by id.
        metrics: the ids of metrics (not of expressions), for `METRICS()` and `PERIOD()`.
        several: the ids that stand for several series.
        query: returns the series of one of `QUERIES`. Default: queries are not drawn.
    """

    times: NDArray[np.int64]
    period_s: int
    series: Mapping[str, Series]
    metrics: Sequence[str] = ()
    query: Callable[[str, tuple[Node, ...]], Value] | None = None
    several: Mapping[str, list[Series]] = field(default_factory=dict)


def evaluate(node: Node, inputs: Inputs) -> Value:
    """The value of an expression: a number, a series, or several.

    A point with a missing operand is missing, as is a division by zero.

    Raises:
        MetricMathError: an unknown id, an unsupported function, or wrong arguments.
    """
    with np.errstate(all="ignore"):
        return _evaluate(node, inputs)


def _evaluate(node: Node, inputs: Inputs) -> Value:
    match node:
        case Number(number):
            return number
        case Reference(id):
            if id in inputs.several:
                return inputs.several[id]
            if id not in inputs.series:
                raise MetricMathError(f"got the id {id}, known: {', '.join(sorted(inputs.series)) or 'none'}")
            return inputs.series[id]
        case Array(items):
            return [each for item in items for each in _as_series(_evaluate(item, inputs))]
        case Negation(operand):
            return _each(lambda value: -value, _evaluate(operand, inputs))
        case Operation(operator, left, right):
            return _between(operator, _evaluate(left, inputs), _evaluate(right, inputs))
        case Call("FILL", (what, Reference("REPEAT" | "LINEAR" as way))):
            value = _evaluate(what, inputs)
            fill = _repeat if way == "REPEAT" else _interpolate
            return [fill(one) for one in value] if isinstance(value, list) else fill(_as_series(value)[0])
        case Call(function, arguments):
            if function == "METRICS":
                return _all_metrics(arguments, inputs)
            if function == "PERIOD":
                return _period(arguments, inputs)
            if function in QUERIES and inputs.query is not None:
                return inputs.query(function, arguments)
            if function == "SORT":
                return _sorted(arguments, inputs)
            if function == "SLICE":
                return _sliced(arguments, inputs)
            if function not in _FUNCTIONS:
                raise MetricMathError(f"{function} is not among the functions that are drawn here")
            least, most, implementation = _FUNCTIONS[function]
            if not least <= len(arguments) <= most:
                raise MetricMathError(f"{function}: got {len(arguments)} arguments, allowed: {least} to {most}")
            return implementation(inputs, *(_evaluate(argument, inputs) for argument in arguments))
        case Text(text):
            raise MetricMathError(f"got the text {text!r} where a value is needed")


def _all_metrics(arguments: tuple[Node, ...], inputs: Inputs) -> Value:
    wanted = arguments[0].value if arguments and isinstance(arguments[0], Text) else ""
    return [inputs.series[id] for id in inputs.metrics if wanted in id]


def _period(arguments: tuple[Node, ...], inputs: Inputs) -> float:
    match arguments:
        case (Reference(id),) if id in inputs.metrics:
            return float(inputs.period_s)
    raise MetricMathError("PERIOD: got no metric, allowed: the id of a metric, not of an expression")


def _as_series(value: Value) -> list[Series]:
    if isinstance(value, list):
        return value
    if isinstance(value, np.ndarray):
        return [value]
    raise MetricMathError(f"got the number {value:g} where a series is needed")


def _each(function: Callable[[Series], Series], value: Value) -> Value:
    if isinstance(value, list):
        return [function(series) for series in value]
    if isinstance(value, np.ndarray):
        return function(value)
    return float(function(np.asarray(value, dtype=float)))


def _compared(comparison: Callable[[Series, Series], NDArray[np.bool_]]) -> Callable[[Series, Series], Series]:
    def compare(left: Series, right: Series) -> Series:
        return np.where(np.isnan(left) | np.isnan(right), np.nan, comparison(left, right))

    return compare


_OPERATORS: Mapping[str, Callable[[Series, Series], Series]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda left, right: np.where(right == 0, np.nan, left / right),
    "^": np.power,
    "==": _compared(np.equal),
    "!=": _compared(np.not_equal),
    "<": _compared(np.less),
    ">": _compared(np.greater),
    "<=": _compared(np.less_equal),
    ">=": _compared(np.greater_equal),
    **dict.fromkeys(("&&", "AND"), _compared(np.logical_and)),
    **dict.fromkeys(("||", "OR"), _compared(np.logical_or)),
}


def _between(operator: str, left: Value, right: Value) -> Value:
    operate = _OPERATORS[operator]
    if isinstance(left, list) and isinstance(right, list):
        raise MetricMathError(f"{operator}: got two arrays, allowed: one and a series or number")
    if isinstance(left, list):
        return [operate(series, np.asarray(right, dtype=float)) for series in left]
    if isinstance(right, list):
        return [operate(np.asarray(left, dtype=float), series) for series in right]
    result = operate(np.asarray(left, dtype=float), np.asarray(right, dtype=float))
    return result if isinstance(left, np.ndarray) or isinstance(right, np.ndarray) else float(result)


def _across(reduce: Callable[..., Series]) -> Callable[..., Value]:
    """Aggregates several series point by point, or one series to a number; ignores missing points."""

    def reduced(_: Inputs, value: Value) -> Value:
        if isinstance(value, np.ndarray):
            return float("nan") if np.isnan(value).all() else float(reduce(value))
        series = np.array(_as_series(value))
        if not series.size:
            raise MetricMathError("got no series")
        is_missing = np.isnan(series).all(axis=0)
        # NumPy warns of points that all series miss, so they are excluded.
        return np.where(is_missing, np.nan, reduce(np.where(is_missing, 0.0, series), axis=0))

    return reduced


_SORTS: Mapping[str, Callable[[Series], float]] = {
    "AVG": lambda series: float(np.nanmean(series)),
    "MIN": lambda series: float(np.nanmin(series)),
    "MAX": lambda series: float(np.nanmax(series)),
    "SUM": lambda series: float(np.nansum(series)),
}


def _sorted(arguments: tuple[Node, ...], inputs: Inputs) -> Value:
    """`SORT(array, AVG | MIN | MAX | SUM, ASC | DESC, limit)`; series without a point come last."""
    match arguments:
        case (what, Reference(by), Reference("ASC" | "DESC" as order), *rest) if by in _SORTS and len(rest) <= 1:
            series = _as_series(_evaluate(what, inputs))
            present = [one for one in series if not np.isnan(one).all()]
            present.sort(key=_SORTS[by], reverse=order == "DESC")
            return (present + [one for one in series if np.isnan(one).all()])[: _limit(rest, inputs)]
    raise MetricMathError("SORT: allowed: an array, AVG, MIN, MAX or SUM, ASC or DESC, and a limit")


def _sliced(arguments: tuple[Node, ...], inputs: Inputs) -> Value:
    """`SLICE(array, from, to)`, counted from 0, or to the end without `to`."""
    if not 2 <= len(arguments) <= 3:
        raise MetricMathError(f"SLICE: got {len(arguments)} arguments, allowed: 2 to 3")
    first, *last = (_limit([one], inputs) for one in arguments[1:])
    return _as_series(_evaluate(arguments[0], inputs))[first : last[0] if last else None]


def _limit(given: Sequence[Node], inputs: Inputs) -> int | None:
    if not given:
        return None
    number = _evaluate(given[0], inputs)
    if not isinstance(number, float) or not number >= 0:
        raise MetricMathError("got no number of series, allowed: 0 or more")
    return int(number)


def _band(_: Inputs, value: Value, width: Value = 2.0) -> Value:
    """A sample of an anomaly detection band: only CloudWatch knows the learned one."""
    (series, *_rest) = _as_series(value)
    width = width if isinstance(width, float) else 2.0
    middle = np.full(series.shape, np.nanmean(series)) if not np.isnan(series).all() else series
    half = width * (np.nanstd(series) if not np.isnan(series).all() else 0.0)
    return [middle - half, middle + half]


def _fill(_: Inputs, value: Value, by: Value) -> Value:
    if isinstance(by, list):
        raise MetricMathError("FILL: got an array to fill with, allowed: a number, a series, REPEAT or LINEAR")

    def filled(series: Series) -> Series:
        return np.where(np.isnan(series), by, series)

    return [filled(series) for series in value] if isinstance(value, list) else filled(_as_series(value)[0])


def _repeat(series: Series) -> Series:
    present = np.flatnonzero(~np.isnan(series))
    if not present.size:
        return series
    before = np.searchsorted(present, np.arange(series.size), side="right") - 1
    return np.where(before < 0, np.nan, series[present[np.maximum(before, 0)]])


def _interpolate(series: Series) -> Series:
    present = np.flatnonzero(~np.isnan(series))
    if not present.size:
        return series
    return np.interp(np.arange(series.size), present, series[present], left=np.nan, right=np.nan)


def _if(_: Inputs, condition: Value, then: Value, otherwise: Value = float("nan")) -> Value:
    if isinstance(condition, list) or isinstance(then, list) or isinstance(otherwise, list):
        raise MetricMathError("IF: got an array, allowed: a series or a number")
    if not isinstance(condition, np.ndarray):
        return then if condition else otherwise
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, then, otherwise))


def _differences(series: Series) -> Series:
    return np.concatenate(([np.nan], np.diff(series)))


def _calendar(part: Callable[[datetime], float]) -> Callable[..., Value]:
    def read(inputs: Inputs, _: Value) -> Value:
        return np.array([part(datetime.fromtimestamp(time, tz=UTC)) for time in inputs.times.tolist()], dtype=float)

    return read


def _elementwise(function: Callable[[Series], Series]) -> Callable[..., Value]:
    def apply(_: Inputs, value: Value) -> Value:
        return _each(lambda series: np.where(np.isfinite(result := function(series)), result, np.nan), value)

    return apply


def _end(index: int) -> Callable[..., Value]:
    return lambda _, value: _as_series(value)[index]


_FUNCTIONS: Mapping[str, tuple[int, int, Callable[..., Value]]] = {
    "SUM": (1, 1, _across(np.nansum)),
    "AVG": (1, 1, _across(np.nanmean)),
    "MIN": (1, 1, _across(np.nanmin)),
    "MAX": (1, 1, _across(np.nanmax)),
    "STDDEV": (1, 1, _across(np.nanstd)),
    "ABS": (1, 1, _elementwise(np.abs)),
    "CEIL": (1, 1, _elementwise(np.ceil)),
    "FLOOR": (1, 1, _elementwise(np.floor)),
    "LOG": (1, 1, _elementwise(np.log)),
    "LOG10": (1, 1, _elementwise(np.log10)),
    "FILL": (2, 2, _fill),
    "IF": (2, 3, _if),
    "ANOMALY_DETECTION_BAND": (1, 2, _band),
    # A sample of a quota: only AWS knows the account's.
    "SERVICE_QUOTA": (1, 1, lambda _, value: _each(lambda series: np.full(series.shape, 2 * np.nanmax(series)), value)),
    "FIRST": (1, 1, _end(0)),
    "LAST": (1, 1, _end(-1)),
    "DIFF": (1, 1, lambda _, value: _each(_differences, value)),
    "RATE": (1, 1, lambda inputs, value: _each(lambda series: _differences(series) / inputs.period_s, value)),
    "RUNNING_SUM": (1, 1, lambda _, value: _each(np.nancumsum, value)),
    "TIME_SERIES": (1, 1, lambda inputs, value: np.full(inputs.times.shape, value, dtype=float)),
    "METRIC_COUNT": (1, 1, lambda _, value: float(len(_as_series(value)))),
    "DATAPOINT_COUNT": (1, 1, lambda _, value: float(np.count_nonzero(~np.isnan(_as_series(value)[0])))),
    "REMOVE_EMPTY": (1, 1, lambda _, value: [one for one in _as_series(value) if not np.isnan(one).all()]),
    "MINUTE": (1, 1, _calendar(lambda time: time.minute)),
    "HOUR": (1, 1, _calendar(lambda time: time.hour)),
    "DAY": (1, 1, _calendar(lambda time: time.isoweekday())),
    "DATE": (1, 1, _calendar(lambda time: time.day)),
    "MONTH": (1, 1, _calendar(lambda time: time.month)),
    "YEAR": (1, 1, _calendar(lambda time: time.year)),
    "EPOCH": (1, 1, lambda inputs, _: inputs.times.astype(float)),
}
