from datetime import timedelta

import pytest

from fargate_capacity.auto_period import VIEWS, auto_period_s


@pytest.mark.parametrize(
    ("length", "period_s"),
    [
        (timedelta(hours=1), 60),
        (VIEWS["3h"], 60),
        (timedelta(hours=12), 60),
        (VIEWS["1d"], 300),
        (timedelta(days=3), 300),
        (VIEWS["1w"], 3600),
        (VIEWS["4w"], 3600),
        (timedelta(days=450), 3600),
    ],
)
def test_the_period_fits_the_time_shown(length: timedelta, period_s: int) -> None:
    assert auto_period_s(length) == period_s
