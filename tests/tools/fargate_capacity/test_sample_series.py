from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from fargate_capacity.dashboard_body import Metric, read_dashboard_body
from fargate_capacity.sample_series import SampleSeries, SampleService
from fargate_capacity.time_window import TimeWindow

_DAY = TimeWindow(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC))
_SERVICE = SampleService(target_percent=50, spike_percent=80, min_tasks=2, max_tasks=10)


def _values(name: str, stat: str, *, namespace: str = "AWS/ECS", period_s: int = 60, seed: str = "a") -> np.ndarray:
    metric = Metric(namespace=namespace, name=name, stat=stat, period_s=period_s)
    return SampleSeries(window=_DAY, service=_SERVICE, seed=seed).values(metric, None, period_s)


def test_the_same_metric_is_the_same_series_and_another_is_not() -> None:
    np.testing.assert_array_equal(_values("Orders", "Sum"), _values("Orders", "Sum"))
    assert not np.array_equal(_values("Orders", "Sum"), _values("Orders", "Sum", seed="b"))
    assert not np.array_equal(_values("Orders", "Average"), _values("Weights", "Average"))


@pytest.mark.parametrize("name", ["Orders", "MemoryUtilization", "RejectedRequestCount", "Succeeded"])
@pytest.mark.parametrize("stat", ["Average", "Sum", "TS(5%:95%)"])
def test_a_metric_is_as_high_in_every_view(name: str, stat: str) -> None:
    """Otherwise two pictures of one dashboard cannot be compared: that of a day and that of four weeks."""
    metric = Metric(namespace="Shop", name=name, stat=stat)
    means, peaks = [], []
    for days, period_s in ((1, 60), (1, 300), (7, 3600), (28, 3600)):
        window = TimeWindow(start=_DAY.end - timedelta(days=days), end=_DAY.end)
        values = SampleSeries(window=window, service=_SERVICE, seed="a").values(metric, None, period_s)
        minutes = period_s / 60 if stat != "Average" else 1
        means.append(values.mean() / minutes)
        peaks.append(int(values[-86400 // period_s :].argmax()) * period_s / 3600)
    assert means == pytest.approx([means[0]] * 4, rel=0.05)
    if name == "Orders":
        assert peaks == pytest.approx([peaks[0]] * 4, abs=1.1), "the spike of the day, in hours"


def test_the_metrics_of_a_service_belong_together() -> None:
    average, maximum = _values("CPUUtilization", "Average"), _values("CPUUtilization", "Maximum")
    tasks = _values("CPUUtilization", "SampleCount")
    requests = _values("RequestCount", "Sum", namespace="AWS/ApplicationELB")
    assert (average <= maximum).all()
    assert maximum.max() <= 100
    assert set(np.unique(tasks)) <= set(range(_SERVICE.min_tasks, _SERVICE.max_tasks + 1))
    assert len(np.unique(tasks)) > 2
    assert np.diff(tasks).min() < 0 < np.diff(tasks).max()
    # Work is what requests bring: CPU times tasks follows them, but for the minutes that are at 100 %.
    assert np.corrcoef(average * tasks, requests)[0, 1] > 0.97
    night, afternoon = requests[4 * 60 - 30 : 4 * 60 + 30].mean(), requests[16 * 60 - 30 : 16 * 60 + 30].mean()
    assert night < 0.5 * afternoon


@pytest.mark.parametrize(
    ("namespace", "name", "stat", "least", "most"),
    [
        ("AWS/ECS", "MemoryUtilization", "Average", 5, 100),
        ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", 0, 30),
        ("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", 0, 1),
        ("AWS/ApplicationELB", "TargetResponseTime", "p99", 0.01, 10),
        ("AWS/SageMaker", "ModelLatency", "Average", 1e4, 1e6),
        ("AWS/Lambda", "Duration", "Average", 10, 1e4),
        ("Own", "Nothing known", "Average", 0.1, 1e4),
    ],
)
def test_values_are_in_the_range_of_their_name(namespace: str, name: str, stat: str, least: float, most: float) -> None:
    values = _values(name, stat, namespace=namespace)
    assert values.min() >= least
    assert values.max() <= most


def test_a_higher_percentile_of_a_latency_is_higher() -> None:
    p50, p95, p99 = (_values("TargetResponseTime", stat).mean() for stat in ("p50", "p95", "p99"))
    assert p50 < p95 < p99


@pytest.mark.parametrize(("period_s", "points"), [(10, 8640), (60, 1440), (300, 288), (3600, 24)])
def test_there_is_a_point_for_each_period(period_s: int, points: int) -> None:
    assert _values("RequestCount", "Sum", period_s=period_s).shape == (points,)


def test_a_longer_period_sums_the_minutes() -> None:
    np.testing.assert_allclose(
        _values("RequestCount", "Sum", period_s=300), _values("RequestCount", "Sum").reshape(-1, 5).sum(axis=1)
    )


def test_the_service_is_what_the_horizontal_lines_say() -> None:
    def widget(stat: str, *values: float) -> str:
        lines = ",".join(f'{{"value":{value}}}' for value in values)
        metrics = f'[["AWS/ECS","CPUUtilization",{{"stat":"{stat}"}}]]'
        return f'{{"type":"metric","properties":{{"metrics":{metrics},"annotations":{{"horizontal":[{lines}]}}}}}}'

    body = read_dashboard_body(
        f'{{"widgets":[{widget("Average", 42)},{widget("Maximum", 77)},{widget("SampleCount", 3, 20)}]}}'
    )
    assert SampleService.of(body) == SampleService(target_percent=42, spike_percent=77, min_tasks=3, max_tasks=20)
    assert SampleService.of(read_dashboard_body('{"widgets":[]}')) == SampleService()


def test_a_year_stays_within_the_points_that_can_be_drawn() -> None:
    window = TimeWindow(start=_DAY.start, end=_DAY.start + timedelta(days=365))
    series = SampleSeries(window=window, service=_SERVICE, seed="a")
    metric = Metric(namespace="AWS/ECS", name="CPUUtilization", period_s=60)
    period_s = series.period_s(metric)
    assert series.values(metric, None, period_s).size <= 20_000


def _executions(name: str, stat: str = "Sum", machine: str = "release") -> np.ndarray:
    metric = Metric(
        namespace="AWS/States", name=name, dimensions=(("StateMachineArn", machine),), stat=stat, period_s=60
    )
    month = TimeWindow(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 29, tzinfo=UTC))
    return SampleSeries(window=month, service=_SERVICE, seed="a").values(metric, None, 60)


def test_a_state_machine_runs_now_and_then_and_each_run_ends_once() -> None:
    ends = ("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
    started, ended = _executions("ExecutionsStarted"), np.sum([_executions(name) for name in ends], axis=0)
    assert started.sum() == ended.sum() == 28
    assert set(np.unique(ended)) == {0, 1}
    assert 14 < _executions("ExecutionsSucceeded").sum() < 28
    # From a start to the end is what the duration says.
    durations = _executions("ExecutionTime", "Maximum")
    np.testing.assert_array_equal(durations > 0, ended > 0)
    minutes = np.flatnonzero(ended) - np.flatnonzero(started)
    np.testing.assert_array_equal(durations[ended > 0] / 60_000, minutes)


def test_state_machines_run_at_times_of_their_own() -> None:
    started, others = _executions("ExecutionsStarted"), _executions("ExecutionsStarted", machine="rollback")
    assert not np.array_equal(started, others)


def test_a_container_fails_by_the_requests_fault_and_by_its_own() -> None:
    failed, refused, broken = (
        _values(name, "Sum", namespace="AWS/SageMaker")
        for name in ("InvocationModelErrors", "Invocation4XXErrors", "Invocation5XXErrors")
    )
    np.testing.assert_array_equal(failed, refused + broken)


def test_invocations_tell_the_instances() -> None:
    requests, share = (
        _values(name, "Sum", namespace="AWS/SageMaker") for name in ("Invocations", "InvocationsPerInstance")
    )
    instances = requests / share
    assert np.abs(instances - np.round(instances)).max() < 0.2


def test_the_figures_of_reviewers_are_such_as_they_could_be() -> None:
    def reviewed(name: str) -> np.ndarray:
        return _values(name, "Maximum", namespace="Moderation/Reviews", period_s=300)

    for name in ("Precision", "Recall"):
        low, value, high = reviewed(f"{name}Low"), reviewed(name), reviewed(f"{name}High")
        assert (low >= 0).all()
        assert (low < value).all()
        assert (value < high).all()
        assert (high <= reviewed(f"{name}AtMost")).all()
        assert (reviewed(f"{name}AtMost") <= 100).all()
    assert (np.abs(reviewed("Agreement")) <= 1).all()
    for name in ("ReviewerDecisions", "DecisionSeconds", "SeverePercent"):
        median, high, most = (reviewed(f"{name}{part}") for part in ("Median", "P90", "Most"))
        assert (median >= 0).all()
        assert (median <= high).all()
        assert (high <= most).all()
    assert (reviewed("ReviewerDecisionsMost") <= reviewed("Decisions")).all()
    assert (reviewed("Waiting") >= 0).all()
    assert reviewed("Decisions")[0] == 0 < reviewed("Decisions")[-1]


def test_drift_is_within_its_bounds() -> None:
    def drift(name: str) -> np.ndarray:
        return _values(name, "Maximum", namespace="Moderation/Drift", period_s=86_400)

    for name in ("ScoreDrift", "LengthDrift", "VocabularyDrift"):
        assert (drift(f"{name}AtLeast") >= 0).all()
        assert (drift(f"{name}AtLeast") <= drift(f"{name}Low")).all()
        assert (drift(f"{name}Low") < drift(name)).all()
        assert (drift(name) < drift(f"{name}High")).all()
        assert (drift(f"{name}High") <= 100).all()
