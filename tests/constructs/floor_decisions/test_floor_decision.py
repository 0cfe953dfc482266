import math
from datetime import UTC, datetime, timedelta

import pytest

from cdk_fargate_sagemaker.floor_decisions import (
    SLOT,
    Accuracy,
    Action,
    Decision,
    FloorChange,
    FloorPlan,
    FloorSettings,
    LoadHistory,
    Seen,
    accuracy_of,
    decided,
)

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
NOW = MONDAY + timedelta(days=8, hours=7)
SETTINGS = FloorSettings(minimum=2, maximum=20, utilization=50, lead_minutes=30)


def load(moment: datetime) -> float:
    return 400.0 if 8 <= moment.hour < 18 else 50.0


def history(*, until: datetime = NOW, times: float = 1.0, known_until: datetime | None = None) -> LoadHistory:
    """A week of office hours; the last two hours `times` as busy, nothing known after `known_until`."""
    moments = [MONDAY + each * SLOT for each in range((until - MONDAY) // SLOT)]
    loads = [load(each) * (times if each >= until - timedelta(hours=2) else 1) for each in moments]
    if known_until:
        loads = [each if moment < known_until else math.nan for moment, each in zip(moments, loads, strict=True)]
    return LoadHistory(start=MONDAY, loads=loads)


def seen(**changed: object) -> Seen:
    return Seen(**{"now": NOW, "live_minimum": 2, "live_maximum": 20} | changed)  # type: ignore[arg-type]


def planned(now: datetime = NOW) -> Decision:
    return decided(SETTINGS, history(until=now), seen(now=now))


def test_the_first_look_plans_the_coming_two_days() -> None:
    decision = planned()
    assert decision.action is Action.PLAN
    assert decision.plan is not None
    assert (decision.floor, decision.plan.tasks(NOW + timedelta(minutes=30)), decision.plan.highest) == (2, 8, 8)
    assert "up to 8 within 48 hours" in decision.why


def test_a_deployment_that_puts_the_declared_minimum_back_does_not_keep_the_floor_down() -> None:
    noon = NOW + timedelta(hours=5)
    decision = decided(SETTINGS, history(until=noon), seen(now=noon, plan=planned().plan, live_minimum=2))
    assert (decision.action, decision.floor) == (Action.PLAN, 8)


def test_our_own_minimum_is_nobody_elses() -> None:
    noon = NOW + timedelta(hours=5)
    decision = decided(SETTINGS, history(until=noon), seen(now=noon, plan=planned().plan, live_minimum=8))
    assert decision.action is Action.PLAN
    # That of the plan before holds until the new one's is there.
    busier = decided(SETTINGS, history(until=noon, times=1.3), seen(now=noon)).plan
    former = {"plan": busier, "former_plan": planned().plan, "live_minimum": 8}
    assert decided(SETTINGS, history(until=noon), seen(now=noon, **former)).action is Action.PLAN
    # The action of a moment ago is perhaps not carried out yet.
    at_eight = NOW + timedelta(minutes=31)
    late = decided(SETTINGS, history(until=NOW + timedelta(minutes=30)), seen(now=at_eight, plan=planned().plan))
    assert late.action is Action.PLAN


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"live_minimum": 5}, "somebody set the minimum to 5; the app declares 2"),
        ({"live_maximum": 40}, "somebody set the maximum to 40; the app declares 20"),
        ({"live_minimum": None}, "no longer a scalable target"),
    ],
)
def test_it_yields_where_somebody_else_set_the_bounds(changed: dict[str, object], words: str) -> None:
    decision = decided(SETTINGS, history(), seen(**{"plan": planned().plan} | changed))
    assert (decision.action, decision.plan, decision.floor) == (Action.YIELD, None, None)
    assert words in decision.why


def test_it_goes_on_once_the_declared_bounds_are_back() -> None:
    decision = decided(SETTINGS, history(), seen(has_yielded=True, plan=planned().plan))
    assert decision.action is Action.PLAN


def test_after_yielding_a_minimum_that_happens_to_be_planned_is_still_somebody_elses() -> None:
    noon = NOW + timedelta(hours=5)
    decision = decided(
        SETTINGS, history(until=noon), seen(now=noon, plan=planned().plan, live_minimum=8, has_yielded=True)
    )
    assert decision.action is Action.YIELD


def test_it_holds_during_a_deployment_and_leaves_the_bounds_alone() -> None:
    decision = decided(SETTINGS, history(), seen(is_deploying=True, live_minimum=7, plan=planned().plan))
    assert (decision.action, decision.plan) == (Action.HOLD, None)
    assert decision.floor == 2
    yielded = decided(SETTINGS, history(), seen(is_deploying=True, has_yielded=True))
    assert yielded.action is Action.YIELD


def test_it_holds_without_data() -> None:
    decision = decided(SETTINGS, history(known_until=NOW - timedelta(hours=7)), seen(plan=planned().plan))
    assert (decision.action, decision.plan) == (Action.HOLD, None)
    assert "of the last 24 hours" in decision.why
    assert decided(SETTINGS, history(known_until=NOW - timedelta(hours=2)), seen()).action is Action.PLAN


@pytest.mark.parametrize("times", [5.0, 0.1])
def test_it_holds_at_an_anomaly(times: float) -> None:
    noon = NOW + timedelta(hours=5)
    decision = decided(SETTINGS, history(until=noon, times=times), seen(now=noon, plan=planned().plan))
    assert decision.action is Action.HOLD
    assert "past days suggested 8.0" in decision.why
    assert decision.floor == 8
    assert decision.accuracy.is_anomaly
    # Without a plan there is nothing to keep.
    assert decided(SETTINGS, history(until=noon, times=times), seen(now=noon)).action is Action.PLAN


@pytest.mark.parametrize(("times", "is_miss"), [(1.0, False), (1.3, False), (1.8, True), (0.5, True)])
def test_a_forecast_that_is_off_by_half_is_a_miss(times: float, is_miss: bool) -> None:
    noon = NOW + timedelta(hours=5)
    accuracy = decided(SETTINGS, history(until=noon, times=times), seen(now=noon)).accuracy
    assert accuracy.is_miss is is_miss
    assert not accuracy.is_anomaly
    assert accuracy.ratio == pytest.approx(times, rel=0.01)


def test_a_difference_of_less_than_a_task_is_no_miss() -> None:
    accuracy = decided(SETTINGS, history(times=0.2), seen()).accuracy
    assert (accuracy.ratio, accuracy.is_miss) == (1.0, False)


def test_too_little_history_leaves_the_declared_minimum() -> None:
    early = MONDAY + timedelta(days=2)
    decision = decided(SETTINGS, history(until=early), seen(now=early))
    assert decision.action is Action.PLAN
    assert decision.plan is not None
    assert {each.tasks for each in decision.plan.changes} == {2}
    assert "2 days of history are too few" in decision.why


@pytest.mark.parametrize(
    ("minutes", "live", "action"),
    [
        (-5, 9, Action.YIELD),
        (0, 9, Action.PLAN),
        (14, 4, Action.PLAN),
        (15, 4, Action.YIELD),
    ],
)
def test_a_minimum_is_ours_until_a_quarter_of_an_hour_after_the_next_one(
    minutes: int, live: int, action: Action
) -> None:
    changes = ((NOW - timedelta(hours=1), 4), (NOW, 9))
    plan = FloorPlan(tuple(FloorChange(at=at, tasks=tasks) for at, tasks in changes))
    now = NOW + timedelta(minutes=minutes)
    assert decided(SETTINGS, history(), seen(now=now, live_minimum=live, plan=plan)).action is action


def test_a_deployment_is_named_as_the_reason_and_leaves_the_declared_minimum() -> None:
    decision = decided(SETTINGS, history(), seen(is_deploying=True))
    assert (decision.at, decision.floor, decision.why) == (NOW, 2, "a deployment is in progress")
    yielded = decided(SETTINGS, history(), seen(is_deploying=True, has_yielded=True))
    assert yielded.why == "a deployment is in progress, and somebody had changed the bounds before it"


def test_three_quarters_of_the_last_day_have_to_be_known() -> None:
    enough = NOW - timedelta(hours=6)
    assert decided(SETTINGS, history(known_until=enough), seen()).action is Action.PLAN
    assert decided(SETTINGS, history(known_until=enough - SLOT), seen()).action is Action.HOLD


@pytest.mark.parametrize(("days", "why"), [(3, "past days needed no more"), (2, "2 days of history are too few")])
def test_a_quiet_service_keeps_the_declared_minimum(days: int, why: str) -> None:
    quiet = LoadHistory(start=MONDAY, loads=[50.0] * (96 * days))
    decision = decided(SETTINGS, quiet, seen(now=quiet.end))
    assert (decision.action, decision.floor) == (Action.PLAN, 2)
    assert decision.why.startswith(why)


@pytest.mark.parametrize(
    ("needed", "forecast", "ratio", "is_miss", "is_anomaly"),
    [
        (None, 4.0, None, False, False),
        (4.0, None, None, False, False),
        # A task more or less is rounding, and less than one is none.
        (3.0, 2.0, 1.0, False, False),
        (3.5, 2.0, 1.75, True, False),
        (0.5, 2.0, 0.5, True, False),
        (4.0, 0.5, 4.0, True, True),
        # What is just allowed.
        (6.0, 4.0, 1.5, False, False),
        (4.0, 6.0, 1 / 1.5, False, False),
        (12.0, 4.0, 3.0, True, False),
        (4.0, 12.0, 1 / 3.0, True, False),
        (14.0, 4.0, 3.5, True, True),
    ],
)
def test_the_ratio_of_what_was_needed(
    needed: float | None, forecast: float | None, ratio: float | None, is_miss: bool, is_anomaly: bool
) -> None:
    accuracy = Accuracy(needed=needed, forecast=forecast)
    assert (accuracy.ratio, accuracy.is_miss, accuracy.is_anomaly) == (ratio, is_miss, is_anomaly)


def test_accuracy_is_that_of_the_last_hour_that_is_known() -> None:
    noon = NOW + timedelta(hours=5)
    moments = [MONDAY + each * SLOT for each in range((noon - MONDAY) // SLOT)]
    last = {noon - each * SLOT: load for each, load in enumerate((600.0, 600.0, 520.0, 520.0), start=1)}
    known = LoadHistory(start=MONDAY, loads=[last.get(moment, load(moment)) for moment in moments])
    for late in (timedelta(), timedelta(minutes=7), timedelta(hours=1)):
        found = accuracy_of(SETTINGS, known, noon + late)
        assert found.needed == pytest.approx(11.2)
        assert found.forecast == pytest.approx(8.0)
    # Longer ago it says nothing of now.
    assert accuracy_of(SETTINGS, known, noon + timedelta(minutes=61)).needed is None
