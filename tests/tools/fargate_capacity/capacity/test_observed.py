"""A replay of a known model plays the service that CloudWatch saw."""

import csv
import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.scaled_service import find_service
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.calibration import calibrate, paired_events
from fargate_capacity.observed.fit import fit
from fargate_capacity.observed.observations import COLUMNS, Observations, read_observations
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario
from fargate_capacity.replay.replay import Replay
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, TargetTracking
from fargate_capacity.traffic.trace import Trace

TRUTH = ServiceModel(
    vcpus=1,
    cpu_seconds=0.05,
    elsewhere_seconds=0.12,
    skew=1.3,
    idle_percent=4,
    health_check_seconds=10,
    drain_seconds=60,
)
POLICIES = (TargetTracking(target=50, scale_out_cooldown_s=60),)
START = datetime(2026, 3, 6, tzinfo=UTC)
BOUNDS = CapacityBounds(minimum=2, maximum=20)


@pytest.fixture
def seen(
    days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], tmp_path: Path, trace_of: Callable[..., Trace]
) -> Path:
    """What CloudWatch would have seen of it, as `fetch` writes it."""
    requests = days(4)
    requests[2000:2030] = math.nan
    series = Replay(model=TRUTH, policies=POLICIES, bounds=BOUNDS, desired=4).feed_recorded(requests)
    start = trace_of(requests).start
    path = tmp_path / "observed.csv"
    chance = np.random.default_rng(7)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", *COLUMNS])
        for minute, count in enumerate(requests):
            if math.isnan(count):
                continue
            average, hottest = series.cpu_average[minute], series.cpu_maximum[minute]
            noise = 1 + 0.02 * chance.standard_normal()
            row = [count, average * noise, max(hottest, average), round(series.running[minute])]
            latency = "" if minute % 7 == 0 else 1000 * series.latency[minute]
            writer.writerow([(start + timedelta(minutes=minute)).isoformat(), *row, latency])
    return path


@pytest.fixture
def service(assembly: Path) -> Any:
    return find_service(CloudAssembly(assembly))


def test_fits_what_made_the_observations(seen: Path, service: Any) -> None:
    found = fit(read_observations(seen), service=service)
    assert found.model.cpu_seconds == pytest.approx(TRUTH.cpu_seconds, rel=0.03)
    assert found.model.idle_percent == pytest.approx(TRUTH.idle_percent, abs=1)
    assert found.model.skew == pytest.approx(TRUTH.skew, rel=0.03)
    # At the average task, requests spend less time than at the hottest: what is over counts as spent elsewhere.
    assert 0.11 < found.model.elsewhere_seconds < 0.16
    assert (found.model.health_check_seconds, found.model.drain_seconds) == (10, 60)
    assert found.explained > 0.9


def test_a_replay_of_the_same_setting_is_close(seen: Path, service: Any) -> None:
    observations = read_observations(seen)
    scenario = Scenario(model=fit(observations, service=service).model)
    found = calibrate(scenario, Setting(bounds=BOUNDS, policies=POLICIES), observations)
    assert abs(found.task_hours_error) < 0.03
    assert found.cpu_error_points < 2
    assert found.scale_outs_found >= 0.8 * found.scale_outs_observed > 0
    assert found.scale_out_minutes <= 3
    assert found.described().startswith("task-hours ")


def test_a_replay_of_another_setting_shows_it(seen: Path, service: Any) -> None:
    observations = read_observations(seen)
    scenario = Scenario(model=fit(observations, service=service).model)
    wrong = Setting(bounds=BOUNDS, policies=(dataclasses.replace(POLICIES[0], target=80),))
    assert calibrate(scenario, wrong, observations).task_hours_error < -0.2


def made_up(tasks: Any, cpu: Any, *, latency: Any = None, name: str = "made-up") -> Observations:
    """Observations of one vCPU and 10 ms a request, by the tasks and the CPU of each minute."""
    return Observations(
        name=name,
        start=START,
        requests=cpu / 100 * tasks * 60 / 0.010,
        cpu_average=cpu,
        cpu_maximum=1.1 * cpu,
        tasks=tasks,
        latency=np.full(len(cpu), math.nan) if latency is None else latency,
    )


def day_wave(days: Any, *, low: float = 20.0, high: float = 60.0) -> Any:
    minute = np.arange(days * 1440)
    return low + (high - low) * (0.5 - 0.5 * np.cos(minute * 2 * np.pi / 1440))


def calibrated(seen: Any, service: Any) -> Any:
    model = fit(seen, service=service).model
    return calibrate(Scenario(model=model), Setting(bounds=BOUNDS, policies=POLICIES), seen, service=service)


def test_says_from_which_cpu_on_latency_is_not_the_models(service: Any) -> None:
    cpu = day_wave(6)
    busy = cpu / 100
    lock = 4 * np.maximum(busy - 0.45, 0) ** 2
    found = calibrated(made_up(np.full(len(cpu), 4.0), cpu, latency=0.02 + 0.01 / (1 - busy) + lock), service)
    assert found.believed_up_to_percent == 50
    assert found.bands[-1].error < -0.2
    assert any("does not hold beyond 50 % of CPU" in line for line in found.warnings())
    assert "beyond 50 % of CPU" in (found.beyond(75) or "")
    assert found.beyond(45) is None


def test_latency_that_is_the_models_is_believed_as_far_as_it_was_observed(service: Any) -> None:
    cpu = day_wave(6)
    found = calibrated(made_up(np.full(len(cpu), 4.0), cpu, latency=0.02 + 0.01 / (1 - cpu / 100)), service)
    assert all(band.holds for band in found.bands)
    assert found.observed_up_to_percent == pytest.approx(60, abs=0.5)
    assert found.beyond(55) is None
    assert "observed" in (found.beyond(75) or "")


def test_scale_outs_that_somebody_else_made_are_no_proof(service: Any) -> None:
    """Somebody sets eight tasks by day and five by night; the declared policies scale hundreds of times."""
    hour = np.arange(8 * 1440) % 1440 / 60
    tasks = np.where((hour >= 7) & (hour < 22), 8.0, 5.0)
    busy = np.where(np.arange(len(hour)) % 40 < 6, 60.0, 25.0)
    found = calibrated(made_up(tasks, busy), service)
    assert found.scale_outs_found == found.scale_outs_observed == 8
    assert found.scale_outs_replayed > 100
    assert found.precision < 0.1
    assert "something else sets it" in found.warnings()[0]


@pytest.mark.parametrize(
    ("observed", "replayed", "apart"),
    [
        ([100, 110, 120], [105], [5]),
        ([100], [75, 95, 108], [5]),
        ([100, 200], [131, 169], []),
        ([100, 125], [110, 130], [10, 5]),
        ([], [5], []),
    ],
)
def test_each_event_belongs_to_one_of_the_other_kind(
    observed: list[int], replayed: list[int], apart: list[int]
) -> None:
    assert paired_events(np.array(observed, dtype=np.int64), np.array(replayed, dtype=np.int64)) == apart


def test_the_model_is_judged_by_days_that_it_was_not_fitted_on(service: Any) -> None:
    cpu = day_wave(6)
    seen = made_up(np.full(len(cpu), 4.0), cpu)
    later = calibrated(seen, service).later
    assert later is not None
    assert later.cpu_error_points == pytest.approx(0, abs=0.01)
    # A release that doubles what a request costs.
    cpu[4 * 1440 + 500 :] *= 1.5
    later = calibrated(dataclasses.replace(seen, cpu_average=cpu, cpu_maximum=1.1 * cpu), service).later
    assert later is not None
    assert later.cpu_error_points > 10
    assert later.fitted_cpu_error_points < 0.1


@pytest.mark.parametrize(("column", "name"), [("requests", "requests"), ("cpu_average", "cpu_average")])
def test_fails_when_a_column_is_empty(service: Any, column: str, name: str) -> None:
    cpu = day_wave(1)
    empty: dict[str, Any] = {column: np.full(len(cpu), math.nan)}
    seen = dataclasses.replace(made_up(np.full(len(cpu), 4.0), cpu), **empty)
    with pytest.raises(InputError, match=f"got the column {name} without a number"):
        fit(seen, service=service)


def test_without_the_hottest_task_all_are_taken_as_alike(service: Any) -> None:
    cpu = day_wave(1)
    seen = dataclasses.replace(made_up(np.full(len(cpu), 4.0), cpu), cpu_maximum=np.full(len(cpu), math.nan))
    assert seen.empty_columns == ("cpu_maximum", "latency_ms")
    assert fit(seen, service=service).model.skew == 1


def test_fits_the_cpu_of_a_public_service(service: Any) -> None:
    """A web service on Kubernetes, three days by 15 s. Its latency stands still at the top of a histogram."""
    folder = next((each / "shared" / "data" for each in Path(__file__).parents if (each / "shared").is_dir()), None)
    path = folder / "pod_autoscaler_requests_cpu_replicas.csv" if folder else None
    if path is None or not path.exists():
        pytest.skip("SKIPPED: no shared/data/pod_autoscaler_requests_cpu_replicas.csv above this project")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    minute = np.array([int(datetime.fromisoformat(row["timestamp"]).timestamp()) // 60 for row in rows])
    minute -= minute[0]

    def by_minute(values: Any) -> Any:
        counts = np.bincount(minute)
        return np.where(counts > 0, np.bincount(minute, values) / np.maximum(counts, 1), math.nan)

    column = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "timestamp"}
    replicas = np.round(20 * column["replicas_normalized"])
    tasks = by_minute(replicas)
    seen = Observations(
        name=path.name,
        start=START,
        requests=60 * by_minute(column["rps_per_replica"] * replicas),
        cpu_average=by_minute(column["cpu_utilization_pct"]),
        cpu_maximum=np.full(len(tasks), math.nan),
        tasks=tasks,
        latency=by_minute(column["latency_p95_ms"]) / 1000,
    )
    assert fit(seen, service=service).explained > 0.75
    found = calibrated(seen, service)
    assert found.later is not None
    assert found.later.cpu_error_points < 4
    assert any("the model does not hold beyond" in line for line in found.warnings())


def test_what_is_missing_is_a_gap_of_its_traffic(seen: Path) -> None:
    trace = read_observations(seen).trace()
    assert [(gap.minutes, gap.start) for gap in trace.gaps] == [(30, trace.start + timedelta(minutes=2000))]


def rewritten(path: Path, change: Any) -> Path:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:100], "got 99 minutes, allowed: at least 120"),
        (lambda lines: ["timestamp,requests", *lines[1:]], "cpu_average, cpu_maximum, tasks is missing"),
        (lambda lines: [*lines[:9], lines[7], *lines[9:]], "line 10: .*each once, in order"),
        (lambda lines: [*lines[:9], lines[9].replace("+00:00", ""), *lines[10:]], "line 10: .*without a time zone"),
        (lambda lines: [*lines[:9], lines[9] + "x", *lines[10:]], "line 10: latency_ms: got"),
        (lambda lines: [*lines[:9], lines[9].replace(",6", ",-6"), *lines[10:]], "line 10: requests: got -6"),
    ],
)
def test_fails_when_the_file_is_bad(seen: Path, change: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_observations(rewritten(seen, change))


def test_fails_when_there_is_nothing_to_fit_on(seen: Path, service: Any) -> None:
    idle = read_observations(seen)
    with pytest.raises(InputError, match="got 0 minutes with requests, CPU and tasks"):
        fit(dataclasses.replace(idle, tasks=np.zeros(idle.minutes)), service=service)
    with pytest.raises(InputError, match="CPU that does not grow with the requests"):
        fit(dataclasses.replace(idle, cpu_average=50 - idle.cpu_average / 2), service=service)
