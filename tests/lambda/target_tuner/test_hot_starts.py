"""Which alarms a composite alarm's rule names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_tuning.hot_starts import _named_in

ARN = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:"


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (f'(ALARM("{ARN}Shop-Cpu") OR ALARM("{ARN}Shop-Latency"))', ["Shop-Cpu", "Shop-Latency"]),
        ("ALARM(Cpu) AND NOT OK('Latency')", ["Cpu", "Latency"]),
        ("ALARM( Cpu ) OR INSUFFICIENT_DATA(Cpu)", ["Cpu"]),
        ("TRUE", []),
    ],
)
def test_names_each_alarm_of_a_rule_once(rule: str, names: list[str]) -> None:
    assert _named_in(rule) == names


@given(
    st.lists(st.from_regex(r"[A-Za-z0-9_./#-]{1,40}", fullmatch=True), min_size=1, max_size=6, unique=True), st.data()
)
def test_finds_every_name_however_it_is_written(names: Any, data: Any) -> None:
    ways = ["ALARM({})", 'ALARM("{}")', f'ALARM("{ARN}{{}}")']
    rule = " OR ".join(data.draw(st.sampled_from(ways)).format(name) for name in names)

    assert _named_in(rule) == names
