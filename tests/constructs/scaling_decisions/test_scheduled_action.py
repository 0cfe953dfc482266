from datetime import UTC, datetime
from typing import Any

import pytest

from cdk_fargate_sagemaker.scaling_decisions import ScheduledAction

START, END = datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)


def times(schedule: Any, zone: str = "UTC") -> list[Any]:
    action = ScheduledAction(schedule=schedule, time_zone=zone, minimum=4)
    return [time.isoformat(timespec="minutes").removesuffix("+00:00") for time in action.times(START, END)]


def test_cron_follows_its_time_zone_through_the_change_of_clocks() -> None:
    assert times("cron(0 8 * * ? *)", "Europe/Berlin") == [
        "2026-03-27T07:00",
        "2026-03-28T07:00",
        "2026-03-29T06:00",
        "2026-03-30T06:00",
    ]


def test_an_hour_that_the_clock_skips_has_no_action() -> None:
    assert "2026-03-29T01:30" not in times("cron(30 2 * * ? *)", "Europe/Berlin")
    assert len(times("cron(30 2 * * ? *)", "Europe/Berlin")) == 3


def test_weekdays_count_from_sunday() -> None:
    # The 27th is a Friday.
    assert times("cron(0 12 ? * 6 *)") == ["2026-03-27T12:00"]
    assert times("cron(0 12 ? * SUN,SAT *)") == ["2026-03-28T12:00", "2026-03-29T12:00"]


def test_steps_and_lists() -> None:
    assert times("cron(0/30 6,7 28 3 ? 2026)") == [
        f"2026-03-28T{time}" for time in ("06:00", "06:30", "07:00", "07:30")
    ]


def test_at_and_rate() -> None:
    assert times("at(2026-03-28T09:00:00)", "Asia/Tokyo") == ["2026-03-28T00:00"]
    assert times("rate(2 days)") == ["2026-03-29T00:00"]


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        # May 2026 ends on a Sunday; the 16th is a Saturday.
        ("cron(0 8 L * ? *)", [31]),
        ("cron(0 8 LW * ? *)", [29]),
        ("cron(0 8 16W * ? *)", [15]),
        ("cron(0 8 31W * ? *)", [29]),
        ("cron(0 8 2W * ? *)", [1]),
        ("cron(0 8 3W * ? *)", [4]),
        ("cron(0 8 1,L * ? *)", [1, 31]),
        ("cron(0 8 ? * 2#1 *)", [4]),
        ("cron(0 8 ? * MON#5 *)", []),
        ("cron(0 8 ? * 6L *)", [29]),
        ("cron(0 8 ? * L *)", [2, 9, 16, 23, 30]),
    ],
)
def test_last_days_nearest_weekdays_and_weekdays_of_a_week(schedule: str, days: list[int]) -> None:
    found = ScheduledAction(schedule=schedule, minimum=1).times(
        datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    )
    assert [time.day for time in found] == days


def test_acts_between_its_start_and_its_end_alone() -> None:
    action = ScheduledAction(
        schedule="cron(0 12 * * ? *)",
        minimum=4,
        begins=datetime(2026, 3, 28, 12, tzinfo=UTC),
        ends=datetime(2026, 3, 29, 12, tzinfo=UTC),
    )
    assert [time.day for time in action.times(START, END)] == [28, 29]
    assert list(action.times(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))) == []


def test_a_rate_counts_from_its_own_start() -> None:
    action = ScheduledAction(schedule="rate(2 days)", minimum=4, begins=datetime(2026, 3, 20, 6, tzinfo=UTC))
    assert [time.isoformat()[:16] for time in action.times(START, END)] == ["2026-03-28T06:00", "2026-03-30T06:00"]


@pytest.mark.parametrize(
    "schedule",
    [
        "every day",
        "cron(0 8 * *)",
        "cron(61 8 * * ? *)",
        "cron(0 8 2#1 * ? *)",
        "cron(0 8 ? * 2#6 *)",
        "cron(0 8 ? * 2-3L *)",
        "cron(0 8 W * ? *)",
        "cron(0 8 ? * SAT-SUN *)",
        "rate(0 hours)",
        "at(now)",
    ],
)
def test_fails_when_a_schedule_cannot_be_read(schedule: str) -> None:
    with pytest.raises(ValueError, match="schedule: got"):
        ScheduledAction(schedule=schedule)


def test_fails_when_the_zone_is_unknown() -> None:
    with pytest.raises(ValueError, match="time_zone: got 'Mars/Base'"):
        ScheduledAction(schedule="rate(1 day)", time_zone="Mars/Base")
