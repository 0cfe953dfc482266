from typing import Any

import pytest

from fargate_capacity.hex_color import hex_color


@pytest.mark.parametrize(
    ("value", "color"),
    [("#1F77b4", "#1f77b4"), ("#abc", "#abc"), ("#11223344", "#11223344"), ("red", None), ("#12", None), (5, None)],
)
def test_only_a_hex_code_is_a_color(value: Any, color: str | None) -> None:
    assert hex_color(value) == color
