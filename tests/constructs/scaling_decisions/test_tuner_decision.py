import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_fargate_sagemaker.scaling_decisions import (
    Action,
    Cause,
    CostChange,
    GuardrailStatus,
    ObservationPeriod,
    Phase,
    Seen,
    TunerSettings,
    TunerState,
    begun,
    completed,
    decided,
    rehearsed,
)

BEGAN = datetime(2026, 11, 2, tzinfo=UTC)
SETTINGS = TunerSettings(ceiling=65, max_latency_ratio=None)
FRESH = TunerState(initial=60, live=60, changed_at=BEGAN)


def seen(days: Any, target: Any, **changes: Any) -> Seen:
    return Seen(
        **{
            "now": BEGAN + timedelta(days=days),
            "policy_target": target,
            "guardrail": GuardrailStatus.OK,
            **changes,
        }
    )


def fired(days: Any, target: Any) -> Seen:
    now = BEGAN + timedelta(days=days)
    return seen(days, target, guardrail=GuardrailStatus.ALARM, alarming_since=now)


def act(state: Any, look: Any, settings: TunerSettings = SETTINGS) -> tuple[Any, ...]:
    """One whole change: recorded, applied, recorded."""
    decision = decided(settings, state, look)
    return decision, completed(settings, begun(state, decision), look.now)


def test_steps_up_a_point_once_the_observation_is_over() -> None:
    assert decided(SETTINGS, FRESH, seen(1.99, 60)).action is Action.HOLD
    decision, state = act(FRESH, seen(2, 60))
    assert (decision.action, decision.origin, decision.target) == (Action.STEP, 60, 61)
    assert (state.live, state.before, state.changed_at) == (61, 60, BEGAN + timedelta(days=2))
    assert decided(SETTINGS, state, seen(3.9, 61)).action is Action.HOLD


def test_reverts_at_once_when_a_guardrail_fires_and_cools_off() -> None:
    _, state = act(FRESH, seen(2, 60))
    decision, state = act(state, fired(2.01, 61))
    assert (decision.action, decision.target) == (Action.REVERT, 60)
    assert decided(SETTINGS, state, seen(5, 60)).why.startswith("cooling off")
    assert decided(SETTINGS, state, seen(9.1, 60)).action is Action.STEP


def test_the_same_alarm_reverts_once() -> None:
    _, state = act(FRESH, seen(2, 60))
    _, state = act(state, seen(4, 61))
    look = fired(4.5, 62)
    _, state = act(state, look)
    later = seen(4.6, 61, guardrail=GuardrailStatus.ALARM, alarming_since=look.now)
    assert decided(SETTINGS, state, later).action is Action.HOLD


def test_an_alarm_within_the_cool_off_takes_back_twice_as_much_but_never_passes_the_start() -> None:
    state = FRESH
    for day in (2, 4, 6, 8):
        _, state = act(state, seen(day, state.live))
    assert state.live == 64
    targets = []
    for alarm in (8.1, 8.2, 8.3, 8.4):  # more than an hour apart
        _, state = act(state, fired(alarm, state.live))
        targets.append(state.live)
    assert targets == [63, 61, 60, 60]


def test_an_alarm_soon_after_a_revert_is_the_same_incident() -> None:
    state = TunerState(initial=50, live=61, before=60, changed_at=BEGAN)
    _, state = act(state, fired(1, 61))
    decision = decided(SETTINGS, state, fired(1 + 50 / 1440, 60))
    assert (decision.action, decision.target) == (Action.HOLD, 60)


def test_a_target_that_was_taken_back_to_does_not_fail_by_a_further_alarm() -> None:
    state = TunerState(initial=50, live=61, before=60, changed_at=BEGAN)
    _, state = act(state, fired(0.1, 61))
    _, state = act(state, fired(1, 60))
    assert (state.live, state.failed, state.failures) == (58, 61, 1)


def test_a_failure_is_forgotten_once_that_target_has_held() -> None:
    state = TunerState(initial=50, live=61, before=60, changed_at=BEGAN, failed=61, failures=1)
    _, state = act(state, seen(2, 61))
    assert (state.live, state.failed, state.failures) == (62, None, 0)


def test_settles_below_what_held_once_a_target_failed_often_enough() -> None:
    state = TunerState(initial=50, live=61, before=60, changed_at=BEGAN)
    _, state = act(state, fired(0.1, 61))
    _, state = act(state, seen(7.2, 60))
    assert state.live == 61
    _, state = act(state, fired(7.3, 61))
    decision, state = act(state, seen(14.4, 60))
    assert (decision.action, decision.target, state.phase) == (Action.SETTLE, 58, Phase.SETTLED)
    assert decided(SETTINGS, state, seen(99, 58)).action is Action.HOLD


def test_settles_at_the_ceiling_and_still_reverts_there() -> None:
    state = TunerState(initial=60, live=65, before=64, changed_at=BEGAN)
    decision, state = act(state, seen(2, 65))
    assert (decision.action, state.phase, state.live) == (Action.SETTLE, Phase.SETTLED, 65)
    assert decided(SETTINGS, state, fired(30, 65)).target == 64


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_deploying": True}, "a deployment is in progress"),
        ({"is_missing_data": True}, "data are missing"),
        ({"guardrail": GuardrailStatus.UNKNOWN}, "the guardrail is unknown, not OK"),
    ],
)
def test_holds_while(changes: dict[str, Any], why: str) -> None:
    decision = decided(SETTINGS, FRESH, seen(3, 60, **changes))
    assert (decision.action, decision.why) == (Action.HOLD, why)


def test_stops_for_good_when_somebody_else_changed_the_policy() -> None:
    decision, state = act(FRESH, seen(3, 45))
    assert decision.action is Action.STOP
    assert "45 %" in decision.why
    assert not decision.changes_target
    assert decided(SETTINGS, state, seen(9, 60)).action is Action.HOLD
    assert decided(SETTINGS, state, fired(9, 60)).action is Action.HOLD


def test_a_slow_drift_of_latency_takes_the_step_back() -> None:
    settings = TunerSettings(ceiling=65, max_latency_ratio=1.2)
    state = TunerState(initial=60, live=61, before=60, changed_at=BEGAN)
    assert decided(settings, state, seen(2, 61, latency_ratio=1.19)).action is Action.STEP
    assert decided(settings, state, seen(2, 61, latency_ratio=1.21)).target == 60
    assert decided(settings, state, seen(2, 61)).action is Action.HOLD
    # Nothing was raised yet, so there is nothing to compare with.
    assert decided(settings, FRESH, seen(2, 60)).action is Action.STEP


def test_observation_periods() -> None:
    assert ObservationPeriod.MATCHING_WEEKDAYS.compared_with == timedelta(days=7)
    week = TunerSettings(ceiling=65, observation=ObservationPeriod.SEVEN_DAYS)
    assert decided(week, FRESH, seen(6.9, 60)).action is Action.HOLD
    assert decided(week, FRESH, seen(7, 60)).action is Action.STEP


def test_the_last_step_ends_at_the_ceiling() -> None:
    settings = TunerSettings(ceiling=60.5, max_latency_ratio=None)
    assert decided(settings, FRESH, seen(2, 60)).target == 60.5


@pytest.mark.parametrize("cut", ["before the policy", "after the policy"])
def test_an_interrupted_step_is_neither_lost_nor_applied_twice(cut: str) -> None:
    decision = decided(SETTINGS, FRESH, seen(2, 60))
    stored = TunerState.from_json(json.loads(json.dumps(begun(FRESH, decision).to_json())))
    policy = 60 if cut == "before the policy" else decision.target
    again = decided(SETTINGS, stored, seen(2.5, policy))
    assert (again.action, again.target) == (Action.STEP, 61)
    assert again.identity == decision.identity
    finished = completed(SETTINGS, begun(stored, again), BEGAN + timedelta(days=2.5))
    assert (finished.live, finished.before, finished.pending) == (61, 60, None)


def test_a_guardrail_that_fires_during_an_interrupted_step_wins() -> None:
    stored = begun(FRESH, decided(SETTINGS, FRESH, seen(2, 60)))
    decision, state = act(stored, fired(2.1, 61))
    assert (decision.action, decision.target, state.live) == (Action.REVERT, 60, 60)


def test_completing_twice_changes_nothing() -> None:
    _, state = act(FRESH, seen(2, 60))
    assert completed(SETTINGS, state, BEGAN + timedelta(days=9)) == state


looks = st.lists(
    st.tuples(
        st.floats(0.01, 3),
        st.sampled_from(list(GuardrailStatus)),
        st.booleans(),
        st.one_of(st.none(), st.floats(0.5, 2)),
        st.sampled_from(["whole", "cut before the policy", "cut after the policy"]),
    ),
    max_size=60,
)


@given(looks)
def test_the_target_stays_between_start_and_ceiling_and_the_policy_follows_it(course: Any) -> None:
    settings = TunerSettings(ceiling=65)
    state, policy, now = FRESH, 60.0, BEGAN
    for days, guardrail, missing, ratio, cut in course:
        now += timedelta(days=days)
        look = Seen(
            now=now,
            policy_target=policy,
            guardrail=guardrail,
            alarming_since=now,
            is_missing_data=missing,
            latency_ratio=ratio,
        )
        decision = decided(settings, state, look)
        assert decision.action is not Action.STOP
        assert 60 <= decision.target <= 65
        assert abs(decision.target - policy) <= 4.000001 or decision.action is Action.REVERT
        state = begun(state, decision)
        if cut == "cut before the policy" and decision.changes_target:
            continue
        policy = decision.target
        if cut == "cut after the policy" and decision.changes_target:
            continue
        state = completed(settings, state, now)
        assert state.live == policy


def test_state_survives_as_json() -> None:
    for state in (FRESH, begun(FRESH, decided(SETTINGS, FRESH, seen(2, 60))), act(FRESH, seen(2, 60))[1]):
        assert TunerState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_fails_when_settings_are_impossible() -> None:
    for changes in itertools.chain(
        [{"ceiling": 0}, {"ceiling": 101}, {"step": 0}, {"attempts": 0}],
        [{"final_margin": -1}, {"max_latency_ratio": 1.0}, {"cool_off": timedelta(minutes=1)}],
    ):
        with pytest.raises(ValueError, match=r"[a-z_]+: got"):
            TunerSettings(**{"ceiling": 65, **changes})  # type: ignore[arg-type, dict-item]


def test_what_is_changed_by_a_deployment_alone_is_put_back() -> None:
    state = TunerState(initial=60, live=63, before=62, changed_at=BEGAN)
    look = seen(0.5, 61, parameter_target=63, is_overwritten=True)
    decision, restored = act(state, look)
    assert (decision.action, decision.origin, decision.target) == (Action.RESTORE, 61, 63)
    assert (restored.live, restored.before, restored.changed_at) == (63, 62, look.now)
    pending = begun(state, decision)
    assert decided(SETTINGS, pending, seen(0.6, 61)).action is Action.RESTORE
    assert decided(SETTINGS, pending, seen(0.6, 44)).action is Action.STOP


def test_an_alarm_while_a_former_target_is_put_back_leaves_it() -> None:
    state = begun(
        TunerState(initial=60, live=63, before=62, changed_at=BEGAN),
        decided(SETTINGS, TunerState(initial=60, live=63, changed_at=BEGAN), seen(0.5, 61, is_overwritten=True)),
    )
    decision, reverted = act(state, fired(0.6, 61))
    assert (decision.action, decision.target, reverted.live) == (Action.REVERT, 61, 61)


def test_nobody_is_blamed_while_a_deployment_is_under_way() -> None:
    assert decided(SETTINGS, FRESH, seen(3, 45, is_deploying=True)).why == "a deployment is in progress"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"policy_target": None}, "the policy is gone: somebody else removed it"),
        ({"parameter_target": 45}, "the parameter has 45 %, not 60 %: somebody else changed it"),
    ],
)
def test_stops_for_any_sign_of_somebody_else(changes: dict[str, Any], why: str) -> None:
    decision = decided(SETTINGS, FRESH, seen(3, **{"target": 60, **changes}))
    assert (decision.action, decision.why) == (Action.STOP, why)


def test_a_rehearsed_change_is_watched_anew_and_not_made() -> None:
    look = seen(2, 60)
    decision = decided(SETTINGS, FRESH, look)
    state = rehearsed(FRESH, decision)
    assert decision.action is Action.STEP
    assert (state.live, state.pending, state.changed_at) == (60, None, look.now)
    held = decided(SETTINGS, FRESH, seen(1, 60))
    assert rehearsed(FRESH, held) is FRESH


def cost(low: Any, high: Any) -> CostChange:
    return CostChange(estimate=(low + high) / 2, low=low, high=high, hours=48)


DEAR, UNSURE, CHEAP = cost(0.01, 0.05), cost(-0.01, 0.05), cost(-0.05, -0.01)
RAISED = TunerState(initial=60, live=63, before=62, changed_at=BEGAN, first_step_at=BEGAN - timedelta(days=6))


@pytest.mark.parametrize(("found", "target"), [(DEAR, 62), (UNSURE, 64), (CHEAP, 64), (None, 64)])
def test_a_step_is_taken_back_where_its_whole_interval_is_dear(found: Any, target: int) -> None:
    assert decided(SETTINGS, RAISED, seen(2, 63, step_cost=found)).target == target


def test_a_target_that_cost_more_is_not_tried_again() -> None:
    decision, state = act(RAISED, seen(2, 63, step_cost=DEAR))
    assert decision.cause is Cause.COST
    assert decision.why.startswith("63 % costs more than 62 %: +3.0% task-hours per request (+1.0% to +5.0%)")
    decision, state = act(state, seen(9.1, 62))
    assert (decision.action, state.live, state.phase) == (Action.SETTLE, 60, Phase.SETTLED)
    assert decision.why == "63 % cost more; 2 points below the last target that held"


def test_all_steps_together_go_back_to_the_start_and_stay_there() -> None:
    decision, state = act(RAISED, seen(2, 63, step_cost=UNSURE, total_cost=DEAR))
    assert (decision.action, state.live) == (Action.REVERT, 60)
    decision, state = act(state, seen(9.1, 60))
    assert (decision.action, state.live, state.phase) == (Action.SETTLE, 60, Phase.SETTLED)


def test_never_settles_where_it_is_dear_and_leaves_a_settled_target_that_becomes_so() -> None:
    at_ceiling = TunerState(initial=60, live=65, before=64, changed_at=BEGAN, first_step_at=BEGAN)
    assert decided(SETTINGS, at_ceiling, seen(2, 65, step_cost=UNSURE, total_cost=DEAR)).target == 60
    _, settled = act(at_ceiling, seen(2, 65, step_cost=UNSURE, total_cost=UNSURE))
    assert settled.phase is Phase.SETTLED
    decision, state = act(settled, seen(9, 65, total_cost=DEAR))
    assert (decision.action, state.live, state.phase) == (Action.REVERT, 60, Phase.SETTLED)


def test_stays_below_where_the_hottest_task_would_set_the_spike_scaling_off() -> None:
    settings = TunerSettings(ceiling=75, max_latency_ratio=None, spike_threshold=80)
    state = TunerState(initial=60, live=65, before=64, changed_at=BEGAN)
    # 95 % of 80 / 1.15 is 66.09.
    assert decided(settings, state, seen(2, 65, hottest_ratio=1.15)).target == 66
    at_66 = TunerState(initial=60, live=66, before=65, changed_at=BEGAN)
    assert decided(settings, at_66, seen(2, 66, hottest_ratio=1.15)).action is Action.SETTLE
    assert decided(settings, at_66, seen(2, 66, hottest_ratio=1.05)).target == 67
    decision, back = act(at_66, seen(2, 66, hottest_ratio=1.2), settings)
    assert (decision.action, back.live, back.failures, back.cool_off_until) == (Action.REVERT, 63, 0, None)
    assert decision.why.startswith("the hottest task is 1.20 times as busy as the average: above 63.3 %")
    assert decided(settings, FRESH, seen(2, 60, hottest_ratio=1.4)).action is Action.SETTLE


def test_leaves_latency_to_the_alarms_where_there_is_never_enough_to_compare() -> None:
    settings = TunerSettings(ceiling=65)
    decision = decided(settings, RAISED, seen(13.9, 63))
    assert (decision.action, decision.why) == (Action.HOLD, "the latency of the same hours before the step is unknown")
    decision = decided(settings, RAISED, seen(14, 63))
    assert (decision.action, decision.target) == (Action.STEP, 64)
    assert "latency is left to the alarms" in decision.why


def test_says_once_that_it_has_had_to_wait_and_forgets_it_when_it_goes_on() -> None:
    found, state = [], FRESH
    for day in (1, 2, 3, 4.9, 5, 6, 7):
        decision, state = act(state, seen(day, 60, is_deploying=True))
        found.append(decision.action)
    # Due from the second day on, and three days later.
    assert found == [Action.HOLD] * 4 + [Action.WAIT] + [Action.HOLD] * 2
    decision, state = act(state, seen(7.1, 60))
    assert (decision.action, state.held_since, state.is_hold_told) == (Action.STEP, None, False)


def test_holds_that_are_meant_are_no_waiting() -> None:
    cooling = TunerState(initial=60, live=60, changed_at=BEGAN, cool_off_until=BEGAN + timedelta(days=7))
    _, state = act(cooling, seen(6, 60))
    assert state.held_since is None


def test_alarms_that_come_below_as_well_do_not_end_tuning() -> None:
    """One a week, whatever the target: each takes a step back, and none settles it."""
    state, settings = FRESH, TunerSettings(ceiling=75, max_latency_ratio=None)
    highest, day = 0, 0.0
    while day < 200:
        day += 0.25
        look = fired(day, state.live) if day % 7 == 0 else seen(day, state.live)
        _, state = act(state, look, settings)
        highest = max(highest, state.live)
        if state.live == 75:
            break
    assert state.phase is Phase.TUNING
    assert highest >= 66


def test_what_was_saved_adds_up() -> None:
    _, state = act(RAISED, seen(2, 63, saved=12.5))
    _, state = act(state, seen(4, 64, saved=3.5))
    assert state.saved == 16


def test_a_state_of_an_earlier_version_is_read() -> None:
    fields = RAISED.to_json()
    for name in ("first_step_at", "saved", "exposures", "last_alarm_at", "held_since", "is_hold_told", "failed_by"):
        del fields[name]
    assert TunerState.from_json(fields).first_step_at is None
