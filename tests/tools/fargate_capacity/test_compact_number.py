import pytest

from fargate_capacity.compact_number import compact_number, compact_numbers, full_number


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


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 50, 100], ["0", "50", "100"]),
        ([100, 100.1, 100.2], ["100.0", "100.1", "100.2"]),
        ([12_000_000, 12_010_000], ["12.00M", "12.01M"]),
    ],
)
def test_ticks_that_differ_are_written_so(ticks: list[int] | list[float], labels: list[str]) -> None:
    assert compact_numbers(ticks) == labels


@pytest.mark.parametrize(
    ("value", "most", "text"),
    [
        (1234567.891, 20, "1,234,567.891"),
        (1234567.891, 11, "1,234,567.9"),
        (1234567.891, 5, "1.23M"),
        (0.00123, 9, "0.00123"),
    ],
)
def test_a_number_in_full_has_the_digits_that_find_room(value: float, most: int, text: str) -> None:
    assert full_number(value, most=most) == text
