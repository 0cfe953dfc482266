import pytest

from fargate_capacity.compact_number import compact_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (640, "640"),
        (12_345, "12.3K"),
        (999_999, "1M"),
        (0.04567, "0.0457"),
        (-1500, "-1.5K"),
        (100, "100"),
        (float("nan"), "–"),
        (0.000001234, "0.000001"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert compact_number(value) == text
