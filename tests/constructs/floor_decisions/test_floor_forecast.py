import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cdk_fargate_sagemaker.floor_decisions import (
    SLOT,
    FloorForecast,
    FloorPlan,
    FloorSettings,
    LoadHistory,
    LookBack,
    hourly_floors,
)

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def history(load: Callable[[datetime], float], *, days: int, start: datetime = MONDAY) -> LoadHistory:
    return LoadHistory(start=start, loads=[load(start + each * SLOT) for each in range(days * 96)])


def settings(**changed: object) -> FloorSettings:
    return FloorSettings(**{"minimum": 2, "maximum": 20, "utilization": 50.0, "lead_minutes": 0} | changed)  # type: ignore[arg-type]


def office(moment: datetime) -> float:
    """Four tasks' CPU from 8:00 to 18:00, half a task's otherwise."""
    return 400.0 if 8 <= moment.hour < 18 else 50.0


def floors(given: FloorSettings, known: LoadHistory, day: datetime) -> dict[str, int]:
    return {f"{moment:%H:%M}": tasks for moment, tasks in hourly_floors(given, known, day, day + timedelta(days=1))}


def test_the_floor_carries_what_the_same_time_of_former_days_needed() -> None:
    found = floors(settings(), history(office, days=7), MONDAY + timedelta(days=7))
    assert (found["07:45"], found["08:00"], found["17:45"], found["18:00"]) == (2, 8, 8, 2)


@pytest.mark.parametrize(("lead", "first"), [(15, "07:45"), (30, "07:30"), (60, "07:00"), (120, "06:00")])
def test_the_floor_is_there_so_long_before_the_load(lead: int, first: str) -> None:
    found = floors(settings(lead_minutes=lead), history(office, days=7), MONDAY + timedelta(days=7))
    assert min(time for time, tasks in found.items() if tasks == 8) == first


def test_the_floor_stays_within_the_declared_bounds() -> None:
    known = history(office, days=7)
    day = MONDAY + timedelta(days=7)
    assert set(floors(settings(maximum=5), known, day).values()) == {2, 5}
    assert set(floors(settings(minimum=9), known, day).values()) == {9}


def test_weekends_are_taken_for_weekends_where_weeks_are_looked_at() -> None:
    def workdays(moment: datetime) -> float:
        return office(moment) if moment.weekday() < 5 else 50.0

    known = history(workdays, days=14)
    weeks, days = settings(look_back=LookBack.WEEKS), settings()
    saturday, monday = MONDAY + timedelta(days=19), MONDAY + timedelta(days=14)
    longer = history(workdays, days=19)
    assert floors(weeks, longer, saturday)["12:00"] == 2
    assert floors(days, longer, saturday)["12:00"] > 2
    assert floors(weeks, known, monday)["12:00"] == 8


@pytest.mark.parametrize(("look_back", "days"), [(LookBack.DAYS, 2), (LookBack.WEEKS, 13)])
def test_there_is_no_floor_with_too_few_former_days(look_back: LookBack, days: int) -> None:
    found = floors(settings(look_back=look_back), history(office, days=days), MONDAY + timedelta(days=days))
    assert set(found.values()) == {2}


def test_a_day_without_data_and_one_incident_do_not_move_the_floor() -> None:
    def with_incidents(moment: datetime) -> float:
        day = (moment - MONDAY).days
        return {2: math.nan, 4: 20 * office(moment), 5: 0.0}.get(day, office(moment))

    found = floors(settings(), history(with_incidents, days=7), MONDAY + timedelta(days=7))
    assert (found["07:00"], found["12:00"]) == (2, 8)


def test_one_burst_of_a_quarter_of_an_hour_is_nothing_to_prepare_for() -> None:
    def bursting(moment: datetime) -> float:
        return 900.0 if (moment.hour, moment.minute) == (12, 15) else office(moment)

    assert floors(settings(), history(bursting, days=7), MONDAY + timedelta(days=7))["12:15"] == 8


def test_a_holiday_is_like_former_holidays_and_changes_no_other_day() -> None:
    holidays = frozenset({date(2026, 6, 3), date(2026, 6, 10), date(2026, 6, 17)})

    def closed(moment: datetime) -> float:
        return 100.0 if moment.date() in holidays else office(moment)

    given = settings(holidays=holidays)
    known = history(closed, days=16)
    assert floors(given, known, MONDAY + timedelta(days=16))["12:00"] == 2
    assert floors(given, known, MONDAY + timedelta(days=15))["12:00"] == 8
    # Without the list, Wednesday is a day like the others.
    assert floors(settings(), known, MONDAY + timedelta(days=16))["12:00"] == 8


def test_a_holiday_without_former_ones_is_like_sundays() -> None:
    def quiet_sundays(moment: datetime) -> float:
        return 150.0 if moment.weekday() == 6 else office(moment)

    given = settings(holidays=frozenset({date(2026, 6, 17)}))
    assert floors(given, history(quiet_sundays, days=16), MONDAY + timedelta(days=16))["12:00"] == 3


@pytest.mark.parametrize(
    ("start", "changed_on"),
    [
        (datetime(2026, 3, 23, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)),
        (datetime(2026, 10, 19, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)),
    ],
    ids=["spring", "autumn"],
)
def test_eight_o_clock_stays_eight_o_clock_when_clocks_change(start: datetime, changed_on: datetime) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    known = history(lambda moment: office(moment.astimezone(berlin)), days=7, start=start)
    given = settings(time_zone="Europe/Berlin")
    day = changed_on.astimezone(berlin).replace(hour=0)
    found = {
        f"{moment.astimezone(berlin):%H:%M}": tasks
        for moment, tasks in hourly_floors(given, known, day, day + timedelta(hours=20))
    }
    assert (found["07:45"], found["08:00"], found["17:45"], found["18:00"]) == (2, 8, 8, 2)
    # By UTC it would be an hour off.
    utc = {
        f"{moment.astimezone(berlin):%H:%M}": tasks
        for moment, tasks in hourly_floors(settings(), known, day, day + timedelta(hours=20))
    }
    assert (utc["07:45"], utc["08:00"]) != (2, 8)


@pytest.mark.parametrize("hours", [0, 11])
def test_nothing_later_than_the_moment_is_looked_at(hours: int) -> None:
    now = MONDAY + timedelta(days=7, hours=hours)

    def loads(later: float) -> LoadHistory:
        return history(lambda moment: office(moment) if moment < now else later, days=10)

    moments = [now + each * SLOT for each in range(0, 192, 3)]
    found = [
        [FloorForecast(settings(), known, now).tasks(moment) for moment in moments]
        for known in (loads(math.nan), loads(900.0))
    ]
    assert found[0] == found[1]
    assert max(found[0]) == 8


def test_the_plan_of_two_days_has_each_change_and_fits_aws() -> None:
    now = MONDAY + timedelta(days=7, minutes=7)
    plan = FloorPlan.of(FloorForecast(settings(lead_minutes=15), history(office, days=8), now), now)
    assert [(f"{each.at:%d %H:%M}", each.tasks) for each in plan.changes] == [
        ("08 00:00", 2),
        ("08 07:45", 8),
        ("08 18:00", 2),
        # After a day by the hour, never too late.
        ("09 07:00", 8),
        ("09 18:00", 2),
    ]
    assert plan.tasks(now + timedelta(hours=8)) == 8
    assert plan.tasks(now - timedelta(days=1)) is None
    assert [each.tasks for each in plan.after(now)] == [8, 2, 8, 2]
    assert FloorPlan.from_json(plan.to_json()) == plan
    restless = history(lambda moment: 100.0 * (1 + moment.minute // 15) + 37 * moment.hour, days=8)
    assert len(FloorPlan.of(FloorForecast(settings(utilization=3, maximum=999), restless, now), now).changes) <= 130


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"minimum": -1}, "minimum: got -1"),
        ({"maximum": 1}, "maximum: got 1, allowed: at least the minimum (2)"),
        ({"utilization": 0}, "utilization: got 0"),
        ({"utilization": 101}, "utilization: got 101"),
        ({"lead_minutes": 20}, "a multiple of 15"),
        ({"lead_minutes": 135}, "lead_minutes: got 135"),
        ({"time_zone": "Mars/Olympus"}, "time_zone: got 'Mars/Olympus'"),
    ],
)
def test_fails_when_a_setting_is_impossible(changed: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(").replace(")", r"\)")):
        settings(**changed)


@pytest.mark.parametrize("start", [datetime(2026, 6, 1), datetime(2026, 6, 1, 0, 5, tzinfo=UTC)])
def test_fails_when_a_history_starts_anywhere(start: datetime) -> None:
    with pytest.raises(ValueError, match="full quarter"):
        LoadHistory(start=start, loads=[1.0])
