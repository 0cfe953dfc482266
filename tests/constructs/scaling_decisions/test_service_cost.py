import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdk_fargate_sagemaker.scaling_decisions import ServiceHour, cost_change, hottest_ratio, saved_task_hours

STEP = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)


def service(*, after: Any, noise: float = 0.0, growth: float = 1.0, open_hours: Any = range(24)) -> Callable[..., Any]:
    """Two weeks before a step and on: tasks in proportion to requests, and after it so many times as many."""

    def hour_of(hour: Any) -> ServiceHour | None:
        if not STEP - timedelta(days=14) <= hour < STEP + timedelta(days=14) or hour.hour not in open_hours:
            return None
        level = (1 + 0.5 * math.sin(hour.hour / 24 * 2 * math.pi)) * (0.4 if hour.weekday() >= 5 else 1)
        is_after = hour >= STEP
        tasks = level * 6 * (after if is_after else 1) * (1 + noise * (-1) ** (hour.timetuple().tm_yday))
        return ServiceHour(task_hours=tasks, work=level * 1000 * (growth if is_after else 1))

    return hour_of


def change(hour_of: Any, *, days: float = 2.0) -> Any:
    return cost_change(hour_of, before=STEP, since=STEP, until=STEP + timedelta(days=days))


@pytest.mark.parametrize("after", [0.93, 1.03])
def test_finds_what_a_step_changed_whatever_the_day_of_the_week(after: float) -> None:
    found = change(service(after=after, noise=0.004), days=6)
    assert found.low < after - 1 < found.high
    assert found.estimate == pytest.approx(after - 1, abs=0.005)
    assert found.is_dear is (after > 1)
    assert found.hours == 144


def test_is_not_sure_where_days_differ_by_more_than_the_step() -> None:
    found = change(service(after=1.01, noise=0.1), days=2)
    assert found.low < 0 < found.high
    assert not found.is_dear


def test_hours_with_another_traffic_are_not_compared() -> None:
    assert change(service(after=1, growth=1.2), days=2).hours == 48
    assert change(service(after=1, growth=4), days=2) is None


def test_fewer_than_24_hours_say_nothing() -> None:
    assert change(service(after=2), days=23 / 24) is None
    assert change(service(after=2), days=1).is_dear


def test_hours_that_are_open_add_up_over_more_days() -> None:
    shop = service(after=0.9, open_hours=range(9, 19))
    assert change(shop, days=2) is None
    assert change(shop, days=3).hours == 30


def test_what_is_saved_is_what_the_same_requests_took_before() -> None:
    span = {"before": STEP, "since": STEP, "until": STEP + timedelta(days=4)}
    before = sum(service(after=1)(STEP + hour * HOUR).task_hours for hour in range(96))
    assert saved_task_hours(service(after=0.9), **span) == pytest.approx(0.1 * before)
    assert saved_task_hours(service(after=1.1), **span) == pytest.approx(-0.1 * before)


def test_the_hottest_ratio_is_that_of_nine_of_ten_busy_minutes() -> None:
    minutes = [(50.0, 60.0)] * 95 + [(50.0, 90.0)] * 5 + [(1.0, 9.0)] * 1000
    assert hottest_ratio(minutes, target=60) == pytest.approx(1.2)
    assert hottest_ratio(minutes[:59], target=60) is None
    assert hottest_ratio([(50.0, 40.0)] * 60, target=60) == 1
