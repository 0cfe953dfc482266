"""A replay of a known model plays the service that CloudWatch saw."""

import csv
import dataclasses
import math
from datetime import timedelta

import numpy as np
import pytest
from scaling_decisions import CapacityBounds, TargetTracking

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.scaled_service import find_service
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.calibration import calibrate
from fargate_capacity.observed.fit import fit
from fargate_capacity.observed.observations import COLUMNS, read_observations
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario
from fargate_capacity.replay.replay import Replay
from fargate_capacity.replay.service_model import ServiceModel

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
BOUNDS = CapacityBounds(minimum=2, maximum=20)


@pytest.fixture
def seen(days, tmp_path, trace_of):
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
def service(assembly):
    return find_service(CloudAssembly(assembly))


def test_fits_what_made_the_observations(seen, service):
    found = fit(read_observations(seen), service=service)
    assert found.model.cpu_seconds == pytest.approx(TRUTH.cpu_seconds, rel=0.03)
    assert found.model.idle_percent == pytest.approx(TRUTH.idle_percent, abs=1)
    assert found.model.skew == pytest.approx(TRUTH.skew, rel=0.03)
    # At the average task, requests spend less time than at the hottest: what is over counts as spent elsewhere.
    assert 0.11 < found.model.elsewhere_seconds < 0.16
    assert (found.model.health_check_seconds, found.model.drain_seconds) == (10, 60)
    assert found.explained > 0.9


def test_a_replay_of_the_same_setting_is_close(seen, service):
    observations = read_observations(seen)
    scenario = Scenario(model=fit(observations, service=service).model)
    found = calibrate(scenario, Setting(bounds=BOUNDS, policies=POLICIES), observations)
    assert abs(found.task_hours_error) < 0.03
    assert found.cpu_error_points < 2
    assert found.scale_outs_found >= 0.8 * found.scale_outs_observed > 0
    assert found.scale_out_minutes <= 3
    assert found.described().startswith("task-hours ")


def test_a_replay_of_another_setting_shows_it(seen, service):
    observations = read_observations(seen)
    scenario = Scenario(model=fit(observations, service=service).model)
    wrong = Setting(bounds=BOUNDS, policies=(dataclasses.replace(POLICIES[0], target=80),))
    assert calibrate(scenario, wrong, observations).task_hours_error < -0.2


def test_what_is_missing_is_a_gap_of_its_traffic(seen):
    trace = read_observations(seen).trace()
    assert [(gap.minutes, gap.start) for gap in trace.gaps] == [(30, trace.start + timedelta(minutes=2000))]


def rewritten(path, change):
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
def test_fails_when_the_file_is_bad(seen, change, message):
    with pytest.raises(InputError, match=message):
        read_observations(rewritten(seen, change))


def test_fails_when_there_is_nothing_to_fit_on(seen, service):
    idle = read_observations(seen)
    with pytest.raises(InputError, match="got 0 minutes with requests, CPU and tasks"):
        fit(dataclasses.replace(idle, tasks=np.zeros(idle.minutes)), service=service)
    with pytest.raises(InputError, match="CPU that does not grow with the requests"):
        fit(dataclasses.replace(idle, cpu_average=50 - idle.cpu_average / 2), service=service)
