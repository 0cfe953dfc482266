import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_capacity.metric_shorthand import expand_shorthand


def _expanded(rows: list[Any]) -> list[tuple[str, ...]]:
    return [row.elements for row in expand_shorthand(rows)]


def test_a_dot_repeats_the_element_above() -> None:
    rows = [["AWS/EC2", "CPUUtilization", "InstanceId", "i-1"], [".", "NetworkIn", ".", "."]]
    assert _expanded(rows)[1] == ("AWS/EC2", "NetworkIn", "InstanceId", "i-1")


def test_dots_repeat_all_that_is_not_replaced() -> None:
    first = ["AWS/EC2", "CPUUtilization", "InstanceId", "i-1"]
    assert _expanded([first, ["...", "i-2"], ["...", {"stat": "Maximum"}], [".", "...", "i-3"]])[1:] == [
        ("AWS/EC2", "CPUUtilization", "InstanceId", "i-2"),
        ("AWS/EC2", "CPUUtilization", "InstanceId", "i-2"),
        ("AWS/EC2", "CPUUtilization", "InstanceId", "i-3"),
    ]


def test_an_expression_between_does_not_count() -> None:
    rows = [["A", "B", "C", "D"], [{"expression": "m1"}], ["...", "E"]]
    assert _expanded(rows) == [("A", "B", "C", "D"), (), ("A", "B", "C", "E")]


def test_options_are_not_repeated() -> None:
    assert expand_shorthand([["A", "B", {"stat": "Sum"}], [".", "."]])[1].options == {}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["..."]], "metric 1: got '...' with nothing before it"),
        ([[".", "B"]], "metric 1: got '.' with nothing before it"),
        ([["A", "B"], [".", ".", "."]], "metric 2: got '.' with nothing before it"),
        ([["A"]], "got 1 elements"),
        ([["A", "B", "C"]], "got 3 elements"),
        (["A"], "allowed: an array"),
        ([[]], "allowed: an array"),
        ([[{"stat": "Sum"}]], "neither a metric nor an expression"),
    ],
)
def test_fails_when_a_row_is_no_metric(rows: list[Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        expand_shorthand(rows)


_name = st.sampled_from(["AWS/ECS", "AWS/EC2", "CPU", "Memory", "Cluster", "Service", "a", "b"])


@given(st.lists(st.lists(_name, min_size=2, max_size=8).filter(lambda row: len(row) % 2 == 0), min_size=1), st.data())
def test_any_shortening_expands_to_the_same(rows: list[list[str]], data: st.DataObject) -> None:
    short: list[list[str]] = []
    before: list[str] = []
    for row in rows:
        shortened = [
            "." if index < len(before) and before[index] == element and data.draw(st.booleans()) else element
            for index, element in enumerate(row)
        ]
        same = sum(1 for _ in _common_prefix(before, row))
        if len(row) == len(before) and same and data.draw(st.booleans()):
            shortened = ["...", *shortened[same:]]
        short.append(shortened)
        before = row
    assert _expanded(short) == [tuple(row) for row in rows]


def _common_prefix(first: list[str], second: list[str]) -> list[str]:
    prefix = []
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        prefix.append(one)
    return prefix
