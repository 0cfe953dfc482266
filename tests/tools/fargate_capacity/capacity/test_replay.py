import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_capacity.replay.compiled import is_numba_installed
from fargate_capacity.replay.guardrail import GuardedMetric, Guardrail, GuardrailAlarm
from fargate_capacity.replay.replay import BoundsChange, Replay
from fargate_capacity.replay.service_model import Queueing, ServiceModel
from fargate_capacity.scaling_decisions import (
    CapacityBounds,
    Comparison,
    CountReading,
    Metric,
    StepBand,
    StepScaling,
    TargetTracking,
)

# One request a second of one second of CPU fills a task: requests a minute / 60 = busy tasks. 30 s to start.
MODEL = ServiceModel(
    vcpus=1,
    cpu_seconds=1.0,
    boot_seconds=2,
    health_check_seconds=0,
    drain_seconds=0,
    metric_delay_seconds=0,
    high_resolution_delay_seconds=0,
)
BOUNDS = CapacityBounds(minimum=1, maximum=20)
TRACKING = TargetTracking(target=50, scale_out_cooldown_s=0, scale_in_cooldown_s=0)
SPIKE = StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=120)


def replay_of(
    requests: Any,
    *,
    model: ServiceModel = MODEL,
    policies: tuple[Any, ...] = (TRACKING,),
    bounds: CapacityBounds = BOUNDS,
    **options: Any,
) -> tuple[Any, ...]:
    replay = Replay(model=model, policies=policies, bounds=bounds, **options)
    return replay, replay.feed_recorded(np.asarray(requests, dtype=float))


def test_cpu_follows_requests_skew_and_idle() -> None:
    model = dataclasses.replace(MODEL, skew=1.25, idle_percent=10)
    _, series = replay_of([60, 120], model=model, policies=(), desired=4)
    assert series.cpu_average.tolist() == [35.0, 60.0]
    assert series.cpu_maximum.tolist() == [41.25, 72.5]


def test_a_new_task_serves_the_rest_of_the_minute_in_which_it_starts() -> None:
    _, series = replay_of([48, 48, 48, 48, 48], policies=(SPIKE,), desired=1)
    assert series.desired.tolist() == [1, 4, 4, 4, 4]
    assert series.running.tolist() == [1, 2.5, 4, 4, 4]


def test_a_slow_start_takes_whole_minutes() -> None:
    model = dataclasses.replace(MODEL, boot_seconds=2 + 90, image_mib=58 * 30)  # 150 s
    _, series = replay_of([48] * 5, model=model, policies=(SPIKE,), desired=1)
    assert series.running.tolist() == [1, 1, 1, 2.5, 4]


def test_alarms_see_a_minute_as_late_as_the_metric_is() -> None:
    model = dataclasses.replace(MODEL, metric_delay_seconds=120)
    _, series = replay_of([12, 48, 12, 12, 12], model=model, policies=(SPIKE,), desired=1)
    assert series.desired.tolist() == [1, 1, 1, 1, 4]


def test_the_high_resolution_metric_is_not_delayed() -> None:
    model = dataclasses.replace(MODEL, metric_delay_seconds=120)
    quick = TargetTracking(target=50, metric=Metric.CPU_AVERAGE_HIGH_RESOLUTION, high_periods=1)
    _, series = replay_of([48, 48], model=model, policies=(quick,), desired=1)
    assert series.desired.tolist() == [1, 2]


def test_requests_per_task_can_be_tracked() -> None:
    policy = TargetTracking(target=10, metric=Metric.REQUESTS_PER_TASK, high_periods=1)
    _, series = replay_of([40, 40], policies=(policy,), desired=2)
    assert series.desired.tolist() == [2, 4]


def test_backlog_is_carried_and_worked_off() -> None:
    """Two tasks' load for a minute leaves a minute's work: 0.5 load needs two minutes for it."""
    replay, series = replay_of([120, 30, 30, 30], policies=(), desired=1)
    assert series.cpu_average.tolist() == [100, 100, 100, 50]
    # Half the sum of what was behind before and after the minute comes on top of the time at the task.
    at_task = 1 / (1 - 0.5)
    assert series.latency[1:] == pytest.approx([at_task + 45, at_task + 15, at_task])
    totals = replay.totals()
    assert (totals.saturated_minutes, totals.low_confidence_minutes) == (2, 3)


def test_latency_is_that_of_the_hottest_task_and_what_is_spent_elsewhere() -> None:
    model = dataclasses.replace(MODEL, cpu_seconds=0.1, skew=1.2, elsewhere_seconds=0.3)
    _, series = replay_of([300], model=model, policies=(), desired=1)
    assert series.latency.tolist() == pytest.approx([0.3 + 0.1 / (1 - 0.6)])


def test_half_a_vcpu_takes_twice_as_long() -> None:
    model = dataclasses.replace(MODEL, cpu_seconds=0.1, vcpus=0.5)
    _, series = replay_of([150], model=model, policies=(), desired=1)
    assert series.cpu_average.tolist() == [50]
    assert series.latency.tolist() == pytest.approx([0.2 / (1 - 0.5)])


def test_what_is_billed_is_desired_and_draining_tasks() -> None:
    model = dataclasses.replace(MODEL, drain_seconds=300)
    policy = TargetTracking(target=50, low_periods=2)
    replay, series = replay_of([10] * 4, model=model, policies=(policy,), desired=3)
    assert series.desired.tolist() == [3, 3, 1, 1]
    totals = replay.totals()
    assert totals.task_hours == pytest.approx((3 + 3 + 1 + 1 + 2 * 5) / 60)
    assert totals.above_minimum_task_hours == pytest.approx((2 + 2 + 2 * 5) / 60)


def test_tasks_that_do_not_serve_yet_are_removed_first() -> None:
    model = dataclasses.replace(MODEL, boot_seconds=600)
    changes = [BoundsChange(minute=1, bounds=CapacityBounds(minimum=1, maximum=2))]
    _, series = replay_of([48, 48, 48] + [48] * 12, model=model, policies=(SPIKE,), desired=1, changes=changes)
    assert series.desired[:4].tolist() == [1, 4, 2, 2]
    assert series.running[-1] == 2


def test_minutes_without_data_are_counted_and_change_nothing() -> None:
    replay, series = replay_of([48, math.nan, math.nan, 48], policies=(TRACKING,), desired=1)
    assert series.desired.tolist() == [1, 1, 1, 1]
    assert np.isnan(series.latency).tolist() == [False, True, True, False]
    totals = replay.totals()
    assert (totals.missing_minutes, totals.requests, totals.task_hours) == (2, 96, 4 / 60)


def test_a_deployment_suspends_scale_in() -> None:
    policy = TargetTracking(target=50, low_periods=1, scale_in_cooldown_s=0)
    replay = Replay(model=MODEL, policies=(policy,), bounds=BOUNDS, desired=8)
    replay.feed(np.full(3, 30.0), deploying=np.array([1, 1, 0]))
    assert replay.feed_recorded(np.full(1, 30.0)).desired.tolist() == [1]
    assert replay.totals().scale_ins == 1


def test_scheduled_bounds_hold_from_their_minute_on() -> None:
    changes = [
        BoundsChange(minute=2, bounds=CapacityBounds(minimum=5, maximum=9)),
        BoundsChange(minute=4, bounds=CapacityBounds(minimum=1, maximum=3)),
    ]
    _, series = replay_of([1] * 6, policies=(), changes=changes)
    assert series.desired.tolist() == [1, 1, 1, 5, 5, 3]


def test_stops_in_the_minute_in_which_the_guardrail_fires() -> None:
    guardrail = Guardrail(latency_seconds=5, periods=2, datapoints=2)
    replay = Replay(model=MODEL, policies=(), bounds=BOUNDS, guardrail=guardrail, stops_at_guardrail=True)
    traffic = np.array([10.0, 90, 90, 10, 10])
    assert replay.feed(traffic) == 3
    assert (replay.alarms, replay.is_alarming, replay.minute) == (1, True, 3)
    assert replay.feed(traffic, begin=3) == 5
    assert replay.totals().breach_minutes == 4


def test_without_any_task_nothing_is_served_and_no_metric_is_there() -> None:
    guardrail = Guardrail(latency_seconds=5)
    bounds = CapacityBounds(minimum=0, maximum=5)
    replay, series = replay_of([60] * 30 + [0], policies=(TRACKING, SPIKE), bounds=bounds, guardrail=guardrail)
    assert series.running.tolist() == [0] * 31
    assert np.isnan(series.cpu_average).all()
    assert np.isnan(series.latency).all()
    totals = replay.totals()
    assert (totals.requests, totals.failed_requests, totals.breach_minutes) == (1800, 1800, 30)
    assert math.isnan(totals.mean_latency_s)


# What AWS measured from the load to the trigger.
BY_MINUTE_S, BY_20_SECONDS_S = 363, 86


@pytest.mark.parametrize(
    ("policy", "measured_s"),
    [
        (TRACKING, BY_MINUTE_S),
        (
            TargetTracking(target=50, metric=Metric.CPU_AVERAGE_HIGH_RESOLUTION, high_periods=1),
            BY_20_SECONDS_S,
        ),
    ],
)
def test_a_rise_is_answered_as_late_as_aws_measured(policy: TargetTracking, measured_s: Any) -> None:
    """New tasks serve from `start_seconds` after that on, to the second: 34 s, and their share of the minute."""
    model = ServiceModel(vcpus=1, cpu_seconds=1, boot_seconds=6, health_check_seconds=0, drain_seconds=0)
    begins = 5
    _, series = replay_of([24] * begins + [48] * 20, model=model, policies=(policy,), desired=1)
    rise = int(np.flatnonzero(series.desired > 1)[0])
    assert (rise - begins) * 60 <= measured_s < (rise - begins + 1) * 60
    added = series.desired[rise] - 1
    served_s = 60 * (np.cumsum(series.running[begins:] - 1) / added)
    serves_from = 60 * 20 - served_s[-1]
    assert serves_from == pytest.approx(measured_s + model.start_seconds)


def test_a_constant_load_after_a_burst_is_left_alone() -> None:
    """Whatever the cooldowns: the datapoints of the burst ask for what the burst needed, not for a multiple of it."""
    requests = np.full(600, 250.0)
    requests[60:75] = 1000
    counts = []
    for scale_in_cooldown_s in (60, 300):
        tracking = dataclasses.replace(TRACKING, scale_out_cooldown_s=60, scale_in_cooldown_s=scale_in_cooldown_s)
        model = dataclasses.replace(MODEL, metric_delay_seconds=183)
        bounds = CapacityBounds(minimum=2, maximum=60)
        replay, series = replay_of(requests, model=model, policies=(tracking,), bounds=bounds, desired=9)
        assert set(series.desired[150:]) == {9}
        counts.append((replay.totals().scale_outs, replay.totals().scale_ins))
    assert counts[0] == counts[1]


def test_nobody_waits_longer_than_until_he_gives_up_and_the_rest_has_failed() -> None:
    model = dataclasses.replace(MODEL, give_up_seconds=60)
    guardrail = Guardrail(latency_seconds=5)
    replay, series = replay_of([240] * 5 + [30] * 5, model=model, policies=(), desired=2, guardrail=guardrail)
    totals = replay.totals()
    # Two tasks have a minute's work each after the first minute; from then on every second request finds no room.
    assert series.failed.tolist() == [0, 120, 120, 120, 120, 0, 0, 0, 0, 0]
    assert (totals.failed_requests, totals.requests) == (480, 1350)
    assert totals.worst_latency_s == 60
    # What waits is worked off at once: 45 s of each of the coming minutes are free for it.
    assert series.latency[-1] == pytest.approx(1 / (1 - 0.25))
    assert totals.breach_minutes == 7


def test_a_task_is_busy_while_it_boots() -> None:
    once = dataclasses.replace(SPIKE, cooldown_s=600)
    model = dataclasses.replace(MODEL, boot_seconds=92, boot_cpu_percent=90)
    _, series = replay_of([48, 12, 12, 12, 12], model=model, policies=(once,), desired=1)
    # Its program starts half a minute after the decision and takes a minute and a half.
    assert series.cpu_maximum == pytest.approx([80, 90, 90, 5, 5])
    assert series.cpu_average[1] == pytest.approx((20 + 3 * 90) / 4)
    _, feeding = replay_of([48] + [12] * 30, model=model, policies=(SPIKE,), desired=1)
    assert feeding.desired[-1] == 20


traffic = st.lists(st.one_of(st.just(math.nan), st.floats(0, 600)), min_size=1, max_size=200)


@given(traffic, st.data())
@settings(max_examples=40, deadline=None)
def test_blocks_come_to_the_same_as_the_whole(requests: Any, data: Any) -> None:
    requests = np.array(requests)
    cut = data.draw(st.integers(0, len(requests)))
    model = dataclasses.replace(
        MODEL, metric_delay_seconds=data.draw(st.integers(0, 200)), boot_seconds=100, hot_start_minutes=3
    )
    whole, parts = (Replay(model=model, policies=(TRACKING, SPIKE), bounds=BOUNDS) for _ in range(2))
    whole.feed(requests)
    parts.feed(requests[:cut])
    parts.feed(requests[cut:])
    assert_same(whole, parts)


def assert_same(one: Any, other: Any) -> None:
    mine, theirs = dataclasses.asdict(one.totals()), dataclasses.asdict(other.totals())
    assert np.array_equal(mine.pop("hours"), theirs.pop("hours"))
    assert all(theirs[name] == pytest.approx(value, rel=1e-12, nan_ok=True) for name, value in mine.items())


@pytest.mark.skipif(not is_numba_installed(), reason="numba is not installed: there is no compiled loop to compare")
@given(traffic, st.data())
@settings(max_examples=60, deadline=None)
def test_the_compiled_loop_gives_the_very_same_numbers(requests: Any, data: Any) -> None:
    model = ServiceModel(
        vcpus=data.draw(st.sampled_from([0.25, 1.0, 4.0])),
        cpu_seconds=data.draw(st.floats(0.01, 2)),
        skew=data.draw(st.floats(1, 1.5)),
        idle_percent=data.draw(st.floats(0, 30)),
        boot_seconds=data.draw(st.floats(0, 200)),
        metric_delay_seconds=data.draw(st.integers(0, 200)),
        hot_start_minutes=data.draw(st.integers(0, 4)),
        boot_cpu_percent=data.draw(st.sampled_from([0, 70])),
        high_resolution_delay_seconds=data.draw(st.integers(0, 130)),
        queueing=data.draw(st.sampled_from(list(Queueing))),
    )
    removing = StepScaling(
        threshold=20,
        comparison=Comparison.LESS,
        bands=(StepBand(upper=0, change=-1),),
        metric=Metric.CPU_AVERAGE,
        periods=3,
        datapoints=2,
        period_minutes=2,
    )
    quick = TargetTracking(target=50, metric=Metric.CPU_AVERAGE_HIGH_RESOLUTION, high_periods=1)
    several = st.lists(st.sampled_from([TRACKING, SPIKE, removing, quick]), unique=True)
    alarms = (
        GuardrailAlarm(threshold=90, metric=GuardedMetric.CPU_MAXIMUM, periods=3, datapoints=2),
        GuardrailAlarm(threshold=1, metric=GuardedMetric.FAILED_PERCENT, period_minutes=2),
    )
    options = {
        "model": model,
        "policies": data.draw(several),
        "bounds": CapacityBounds(minimum=data.draw(st.integers(0, 1)), maximum=20),
        "guardrail": Guardrail(latency_seconds=2, alarms=data.draw(st.sampled_from([(), alarms]))),
        "reading": data.draw(st.sampled_from(list(CountReading))),
        "changes": [BoundsChange(minute=7, bounds=CapacityBounds(minimum=3, maximum=9))],
    }
    plain, compiled = Replay(**options), Replay(**options, is_compiled=True)
    mine, theirs = (replay.feed_recorded(np.array(requests)) for replay in (plain, compiled))
    for name in ("desired", "running", "cpu_average", "cpu_maximum", "latency", "failed"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name), equal_nan=True), name
    expected, found = dataclasses.asdict(plain.totals()), dataclasses.asdict(compiled.totals())
    for name, value in expected.items():
        assert np.array_equal(value, found[name], equal_nan=True), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cpu_seconds": 0}, "cpu_seconds: got 0"),
        ({"vcpus": 1.5}, "vcpus: got 1.5"),
        ({"skew": 0.9}, "skew: got 0.9"),
        ({"idle_percent": 100}, "idle_percent: got 100"),
        ({"boot_seconds": -1}, "boot_seconds: got -1"),
        ({"metric_delay_seconds": 3601}, "metric_delay_seconds: got 3601"),
        ({"hot_start_minutes": 61}, "hot_start_minutes: got 61"),
        ({"boot_cpu_percent": 101}, "boot_cpu_percent: got 101"),
        ({"give_up_seconds": 0}, "give_up_seconds: got 0"),
        ({"burstiness": 0.5}, "burstiness: got 0.5"),
        ({"queueing": "lifo"}, "queueing: got 'lifo', allowed: shared, fifo"),
    ],
)
def test_fails_when_a_model_is_impossible(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(MODEL, **changes)


# Two minutes of a hot start, which CloudWatch publishes two minutes later; 30 s until the program runs.
HOT = dataclasses.replace(MODEL, hot_start_minutes=2, metric_delay_seconds=120)


def test_a_task_that_starts_hot_shows_in_both_metrics_and_serves_no_less() -> None:
    model = dataclasses.replace(HOT, metric_delay_seconds=0)
    once = dataclasses.replace(SPIKE, cooldown_s=600)
    cool, hot = (replay_of([48, 12, 12, 12, 12], model=each, policies=(once,), desired=1)[1] for each in (MODEL, model))
    assert cool.cpu_maximum == pytest.approx([80, 8, 5, 5, 5])
    # From half a minute after the decision until two minutes later.
    assert hot.cpu_maximum == pytest.approx([80, 100, 100, 100, 5])
    # Three hot tasks beside the four that share a fifth of one task's load.
    assert hot.cpu_average[2] == pytest.approx((4 * 5 + 3 * 100) / 7)
    assert hot.latency.tolist() == cool.latency.tolist()


@pytest.mark.parametrize(
    ("cooldown_s", "hot_minutes", "most"),
    [(120, 2, 40), (300, 2, 40), (600, 2, 7), (600, 6, 7), (600, 7, 40)],
)
def test_a_step_feeds_itself_unless_its_cooldown_outlasts_the_start(
    cooldown_s: int, hot_minutes: int, most: int
) -> None:
    """Four tasks at 40 %, and one minute of 80 % of one of them: nothing that needs 40 tasks."""
    step = dataclasses.replace(SPIKE, cooldown_s=cooldown_s)
    model = dataclasses.replace(HOT, skew=1.25, hot_start_minutes=hot_minutes)
    bounds = CapacityBounds(minimum=4, maximum=40)
    replay, series = replay_of([96, 154, *[96] * 120], model=model, policies=(step,), bounds=bounds)
    assert replay.totals().highest_tasks == most
    # The first step comes as soon as the alarm sees the minute of 80 %, whatever the cooldown.
    assert series.desired[:5].tolist() == [4, 4, 4, 4, 7]


@pytest.mark.parametrize(
    ("hot_minutes", "by_its_own_minute", "when_it_acts"), [(1, 7, 7), (2, 13, 11), (4, 13, 13), (6, 40, 40)]
)
@pytest.mark.parametrize("reading", list(CountReading))
def test_beside_target_tracking_a_hot_start_of_less_than_a_detection_stays_bounded(
    hot_minutes: int, by_its_own_minute: int, when_it_acts: int, reading: Any
) -> None:
    most = by_its_own_minute if reading is CountReading.ITS_OWN_MINUTE else when_it_acts
    step = dataclasses.replace(SPIKE, cooldown_s=600)
    tracking = TargetTracking(target=50, scale_out_cooldown_s=60, scale_in_cooldown_s=300)
    model = dataclasses.replace(
        HOT, metric_delay_seconds=183, skew=1.25, hot_start_minutes=hot_minutes, boot_seconds=60 * hot_minutes
    )
    bounds = CapacityBounds(minimum=4, maximum=40)
    replay, series = replay_of(
        [96, 154, *[96] * 180], model=model, policies=(step, tracking), bounds=bounds, reading=reading
    )
    assert replay.totals().highest_tasks == most
    assert series.desired[-1] < 7


def test_severity_is_what_requests_wait_beyond_the_limit_and_those_that_fail_wait_to_the_end() -> None:
    # At half of its CPU a request of one second takes two.
    replay, series = replay_of([30, 45, 30], policies=(), desired=1, guardrail=Guardrail(latency_seconds=3))
    assert series.latency.tolist() == pytest.approx([2, 4, 2])
    totals = replay.totals()
    assert (totals.breached_requests, totals.breach_seconds) == (45, pytest.approx(45))
    bounds = CapacityBounds(minimum=0, maximum=20)
    empty, _ = replay_of([10], policies=(), bounds=bounds, desired=0, guardrail=Guardrail(latency_seconds=3))
    assert empty.totals().breach_seconds == pytest.approx(10 * MODEL.give_up_seconds)
    assert empty.sums == (10, 10, pytest.approx(600), 0)
