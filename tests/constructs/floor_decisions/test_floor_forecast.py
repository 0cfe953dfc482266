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


def of_days(*loads: float) -> LoadHistory:
    """Each day's load, the same all day long, from Monday on."""
    return history(lambda moment: loads[(moment - MONDAY).days], days=len(loads))


def forecast_for_noon(given: FloorSettings, known: LoadHistory) -> float | None:
    """By what is known as the next day begins."""
    return FloorForecast(given, known, known.end).load(known.end + timedelta(hours=12))


NAN = math.nan


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        # Three days are enough; an eighth is not looked at.
        ((100, 110, 120), 110),
        ((900, 100, 110, 120, 130, 140, 150, 160), 130),
        # A day without data is replaced by an earlier one, up to a fortnight ago.
        ((100, 110, 120, *[NAN] * 11), 110),
        ((100, 110, 120, *[NAN] * 12), None),
        # Three times as busy as the others, or as idle, is still like them.
        ((100, 100, 100, 300), 150),
        ((100, 100, 100, 301), 100),
        ((300, 300, 300, 100), 250),
        ((300, 300, 300, 99), 300),
        ((0, 0, 0), 0),
    ],
)
def test_a_forecast_is_the_mean_of_the_latest_days_that_are_alike(
    loads: tuple[float, ...], expected: float | None
) -> None:
    assert forecast_for_noon(settings(), of_days(*loads)) == (None if expected is None else pytest.approx(expected))


def test_a_day_is_known_once_the_quarter_of_an_hour_after_it_is_over() -> None:
    now = MONDAY + timedelta(days=4, hours=12)
    forecast = FloorForecast(settings(), of_days(100, 100, 100, 100, 200), now)
    tomorrow = now + timedelta(days=1)
    assert forecast.load(tomorrow - 2 * SLOT) == pytest.approx(120)
    assert forecast.load(tomorrow - SLOT) == pytest.approx(100)


def test_without_a_forecast_the_floor_may_be_no_task() -> None:
    given = settings(minimum=0)
    assert FloorForecast(given, of_days(100), MONDAY + timedelta(days=1)).tasks(MONDAY + timedelta(days=1)) == 0


HOLIDAYS = [MONDAY.date() + timedelta(days=each) for each in range(6)]


@pytest.mark.parametrize(
    ("holidays", "loads", "expected"),
    [
        # The latest four holidays; two are enough.
        (HOLIDAYS, (100, 110, 120, 130, 140), 125),
        ([HOLIDAYS[0], HOLIDAYS[1], HOLIDAYS[3]], (100, 200, 900), 150),
        # A holiday among the days before an ordinary one is left out, not the days before it.
        ([HOLIDAYS[3]], (100, 110, 120, 900, 140), 117.5),
    ],
)
def test_holidays_are_like_holidays_and_other_days_like_others(
    holidays: list[date], loads: tuple[float, ...], expected: float
) -> None:
    assert forecast_for_noon(settings(holidays=frozenset(holidays)), of_days(*loads)) == pytest.approx(expected)


def of_sundays(*loads: float) -> LoadHistory:
    """Weeks that differ on Sundays; what follows the last one is as busy as on the days between."""
    return history(
        lambda moment: loads[(moment - MONDAY).days // 7] if moment.weekday() == 6 else 900.0, days=7 * len(loads)
    )


@pytest.mark.parametrize(
    ("sundays", "weekday", "expected"),
    [
        ((500, 100, 110, 120, 130), 2, 115),
        ((500, 100, 110, 120, 130), 6, 115),
        ((100, NAN, NAN, NAN, NAN, NAN, NAN, NAN), 2, 100),
        # Nine weeks ago is too long.
        ((100, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN), 2, None),
    ],
)
def test_a_holiday_without_former_ones_is_like_the_latest_sundays(
    sundays: tuple[float, ...], weekday: int, expected: float | None
) -> None:
    known = of_sundays(*sundays)
    day = known.end + timedelta(days=weekday)
    given = settings(holidays=frozenset({day.date()}))
    found = FloorForecast(given, known, known.end).load(day + timedelta(hours=12))
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_sunday_that_was_a_holiday_is_not_like_the_other_sundays() -> None:
    known = of_sundays(120, 100, 110, 120, 200)
    holidays = frozenset({known.end.date(), (known.end - timedelta(days=1)).date()})
    assert forecast_for_noon(settings(holidays=holidays), known) == pytest.approx(112.5)


def test_a_holiday_begins_at_midnight_of_its_zone() -> None:
    holidays = frozenset({date(2026, 6, 3), date(2026, 6, 4), date(2026, 6, 8)})
    tokyo = ZoneInfo("Asia/Tokyo")
    known = history(lambda moment: 100.0 if moment.astimezone(tokyo).date() in holidays else 400.0, days=7)
    given = settings(holidays=holidays, time_zone="Asia/Tokyo")
    forecast = FloorForecast(given, known, datetime(2026, 6, 7, 12, tzinfo=UTC))
    assert forecast.load(datetime(2026, 6, 8, 0, tzinfo=tokyo)) == pytest.approx(100)
    assert forecast.load(datetime(2026, 6, 7, 23, 45, tzinfo=tokyo)) == pytest.approx(400)


def test_each_hours_floors_are_forecast_at_its_beginning_until_the_end() -> None:
    known = history(lambda moment: 400.0 if (moment - MONDAY).days < 3 else 800.0, days=8)
    found = list(hourly_floors(settings(), known, known.start + timedelta(days=3), known.start + timedelta(days=7)))
    assert [moment for moment, _ in found] == [known.start + timedelta(days=3) + each * SLOT for each in range(4 * 96)]
    assert [tasks for moment, tasks in found if moment.hour == 12 and moment.minute == 0] == [8, 10, 12, 12]


def test_a_plan_goes_by_quarters_for_a_day_by_hours_for_another_and_no_further() -> None:
    def late_office(moment: datetime) -> float:
        return 400.0 if (8, 15) <= (moment.hour, moment.minute) < (18, 0) else 50.0

    now = MONDAY + timedelta(days=7, hours=8)
    plan = FloorPlan.of(FloorForecast(settings(), history(late_office, days=8), now), now)
    assert [(f"{each.at:%d %H:%M}", each.tasks) for each in plan.changes] == [
        ("08 08:00", 2),
        ("08 08:15", 8),
        ("08 18:00", 2),
        ("09 08:00", 8),
        ("09 18:00", 2),
    ]
    _, first, second, *_ = plan.changes
    assert (plan.tasks(first.at), plan.tasks(first.at - SLOT), plan.tasks(second.at)) == (8, 2, 2)
    assert plan.after(first.at) == plan.changes[2:]
    assert plan.to_json()[1] == {"at": "2026-06-08T08:15:00+00:00", "tasks": 8}
    assert (FloorPlan(()).highest, FloorPlan(()).tasks(now)) == (0, None)


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
