import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_capacity.metric_expression import MetricMathError, parse, references, uses_all_metrics
from fargate_capacity.metric_math import Inputs, Value, evaluate

_NAN = math.nan
_TIMES = np.array([1767225600, 1767225660, 1767225720, 1767225780], dtype=np.int64)
_SERIES = {
    "m1": np.array([1.0, 2.0, 3.0, 4.0]),
    "m2": np.array([10.0, 0.0, _NAN, 40.0]),
    "gone": np.full(4, _NAN),
}


def _value(expression: str) -> Value:
    inputs = Inputs(times=_TIMES, period_s=60, series=_SERIES, metrics=["m1", "m2"])
    return evaluate(parse(expression), inputs)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2", [11, 2, _NAN, 44]),
        ("m1/m2", [0.1, _NAN, _NAN, 0.1]),
        ("100*m1/(m1+FILL(m2,0))", [100 / 11, 100, 100, 400 / 44]),
        ("-m1 ^ 2", [-1, -4, -9, -16]),
        ("2 ^ 3 ^ 2 + m1 * 0", [512, 512, 512, 512]),
        ("m1 - 1 - 1", [-1, 0, 1, 2]),
        ("m1 + 2 * m1", [3, 6, 9, 12]),
        ("FILL(m2, REPEAT)", [10, 0, 0, 40]),
        ("FILL(m2, LINEAR)", [10, 0, 20, 40]),
        ("FILL(m2, m1)", [10, 0, 3, 40]),
        ("IF(m1 > 2, m1, 0)", [0, 0, 3, 4]),
        ("IF(m2 >= 10, 1)", [1, _NAN, _NAN, 1]),
        ("IF(m1 > 1 AND m1 < 4, 1, 0)", [0, 1, 1, 0]),
        ("IF(m1 == 1 || m1 == 4, 1, 0)", [1, 0, 0, 1]),
        ("IF(1, m1, m2)", [1, 2, 3, 4]),
        ("SUM(METRICS())", [11, 2, 3, 44]),
        ("SUM(METRICS('2'))", [10, 0, _NAN, 40]),
        ("AVG([m1, m2])", [5.5, 1, 3, 22]),
        ("MAX([m1, m2])", [10, 2, 3, 40]),
        ("MIN([m1, m2])", [1, 0, 3, 4]),
        ("RATE(m1)", [_NAN, 1 / 60, 1 / 60, 1 / 60]),
        ("DIFF(m1)", [_NAN, 1, 1, 1]),
        ("m1 / PERIOD(m1)", [1 / 60, 2 / 60, 3 / 60, 4 / 60]),
        ("m1 * 300 / PERIOD(m2)", [5, 10, 15, 20]),
        ("RUNNING_SUM(m2)", [10, 10, 10, 50]),
        ("CEIL(m1 / 2)", [1, 1, 2, 2]),
        ("ABS(0 - m1)", [1, 2, 3, 4]),
        ("LOG10(m2)", [1, _NAN, _NAN, math.log10(40)]),
        ("TIME_SERIES(5)", [5, 5, 5, 5]),
        ("MINUTE(m1)", [0, 1, 2, 3]),
        ("HOUR(m1) + DAY(m1) * 10 + MONTH(m1) * 100", [140, 140, 140, 140]),
        ("LAST(METRICS())", [10, 0, _NAN, 40]),
        ("FIRST(SORT([m1, m2, gone], MAX, DESC))", [10, 0, _NAN, 40]),
        ("FIRST(SORT([m2, m1, gone], MAX, ASC))", [1, 2, 3, 4]),
        ("FIRST(SORT([m1, m2], MIN, ASC))", [10, 0, _NAN, 40]),
        ("LAST(SORT([gone, m1, m2], AVG, DESC, 2))", [1, 2, 3, 4]),
        ("FIRST(SLICE([m2, m1, m2], 1))", [1, 2, 3, 4]),
        ("LAST(SLICE([m2, m1, m2], 0, 2))", [1, 2, 3, 4]),
        ("SERVICE_QUOTA(m1)", [8, 8, 8, 8]),
    ],
)
def test_evaluates_point_by_point(expression: str, expected: list[float]) -> None:
    value = _value(expression)
    assert isinstance(value, np.ndarray)
    np.testing.assert_allclose(value, expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SUM(m1)", 10),
        ("AVG(m2)", 50 / 3),
        ("MAX(m1) - MIN(m1)", 3),
        ("METRIC_COUNT(METRICS())", 2),
        ("DATAPOINT_COUNT(m2)", 3),
        ("1.5e2 / .5", 300),
    ],
)
def test_evaluates_to_a_number(expression: str, expected: float) -> None:
    assert _value(expression) == pytest.approx(expected)


def test_several_series_stay_several() -> None:
    value = _value("METRICS() * 2")
    assert isinstance(value, list)
    np.testing.assert_allclose(value[0], [2, 4, 6, 8])
    remaining = _value("REMOVE_EMPTY([m1, gone])")
    assert isinstance(remaining, list)
    assert len(remaining) == 1


def test_what_all_series_miss_stays_missing() -> None:
    np.testing.assert_allclose(_value("SUM([gone, m2])"), [10, 0, _NAN, 40])
    assert math.isnan(float(_value("AVG(gone)")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "got the end"),
        ("m1 +", "got the end"),
        ("m1 m2", "after the end"),
        ("(m1", "allowed here: ')'"),
        ("m1 $ m2", "at character"),
        ("SUM(m1", "allowed here: ','"),
        ("(" * 200 + "m1" + ")" * 200, "levels of brackets"),
    ],
)
def test_fails_when_it_is_not_metric_math(expression: str, told: str) -> None:
    with pytest.raises(MetricMathError) as refusal:
        parse(expression)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("m3", "known: gone, m1, m2"),
        ("SEARCH('{AWS/EC2}', 'Sum')", "SEARCH is not among"),
        ("IF(m1)", "IF: got 1 arguments, allowed: 2 to 3"),
        ("METRICS() / METRICS()", "two arrays"),
        ("SUM(1)", "where a series is needed"),
        ("SUM([])", "no series"),
        ("'text' + 1", "where a value is needed"),
    ],
)
def test_fails_when_it_cannot_be_evaluated(expression: str, told: str) -> None:
    with pytest.raises(MetricMathError) as refusal:
        _value(expression)
    assert told in str(refusal.value)


def test_tells_what_an_expression_is_made_of() -> None:
    assert references(parse("IF(a > 1, -b, SUM([c, d]))")) == set("abcd")
    assert uses_all_metrics(parse("100 * SUM(METRICS())"))
    assert not uses_all_metrics(parse("SUM([a, b])"))


_numbers = st.floats(min_value=0.1, max_value=50).map(lambda number: f"{number:.3f}")
_arithmetic = st.recursive(
    _numbers | st.sampled_from(["m1"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join)
        | inner.map(lambda text: f"({text})")
        | inner.map(lambda text: f"-({text})")
    ),
    max_leaves=12,
)


@given(_arithmetic)
def test_arithmetic_is_that_of_python(expression: str) -> None:
    ours = np.broadcast_to(np.asarray(_value(expression), dtype=float), 4)
    for point, m1 in zip(ours, _SERIES["m1"].tolist(), strict=True):
        try:
            expected = eval(expression, {"m1": m1})
        except ZeroDivisionError:
            # Whatever is made of a missing point is missing.
            assert math.isnan(point)
        else:
            assert point == pytest.approx(expected, rel=1e-9) or math.isinf(expected)


_points = st.lists(st.floats(-1e6, 1e6) | st.just(_NAN), min_size=1, max_size=20)


@given(_points, st.sampled_from(["FILL(m, REPEAT)", "FILL(m, LINEAR)", "FILL(m, 7)"]))
def test_filling_leaves_what_is_there(points: list[float], expression: str) -> None:
    series = np.array(points)
    filled = evaluate(parse(expression), Inputs(times=np.arange(len(points)), period_s=1, series={"m": series}))
    assert isinstance(filled, np.ndarray)
    there = ~np.isnan(series)
    np.testing.assert_array_equal(filled[there], series[there])
    if "7" in expression:
        assert (filled[~there] == 7).all()
    elif there.any():
        within = slice(int(np.flatnonzero(there)[0]), int(np.flatnonzero(there)[-1]) + 1)
        assert not np.isnan(filled[within]).any()


@given(st.text(alphabet="mIFSUM(),[]+-*/^<>=&|'\" 0123456789.", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except MetricMathError:
        return
    try:
        evaluate(node, Inputs(times=_TIMES, period_s=60, series=_SERIES))
    except MetricMathError:
        return


@pytest.mark.parametrize("argument", ["m1 + m2", "e1", "5", "m1, m2"])
def test_fails_when_a_period_is_asked_of_no_metric(argument: str) -> None:
    # Valid input is metrics, not the results of other expressions.
    inputs = Inputs(times=_TIMES, period_s=60, series={**_SERIES, "e1": _SERIES["m1"]}, metrics=["m1", "m2"])
    with pytest.raises(MetricMathError, match=r"^PERIOD: got no metric, allowed: the id of a metric"):
        evaluate(parse(f"m1 / PERIOD({argument})"), inputs)
