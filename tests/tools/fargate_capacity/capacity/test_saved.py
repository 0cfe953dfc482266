"""What a change saved, on months whose truth is known."""

from __future__ import annotations

import csv
import json
import math
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fargate_capacity.cli import app
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.observations import Observations
from fargate_capacity.plan.saving import saving, whole_days
from fargate_capacity.pricing.commitment import advise

START = datetime(2026, 7, 1, tzinfo=UTC)
SINCE = date(2026, 8, 26)


def observed(
    *, days: int = 112, change_day: int = 56, before: float = 40, after: float = 60, growth: float = 1.0, seed: int = 1
) -> Observations:
    """A service of 2 tasks or more that takes so many requests per task and minute before a day and since."""
    chance = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    day = hour // 24
    wave = 1 + 0.8 * np.sin((hour % 24 - 9) / 24 * 2 * math.pi)
    weather = np.repeat(np.exp(chance.normal(0, 0.15, days)), 24)
    requests = 600 * wave * np.where(day % 7 >= 5, 0.6, 1) * weather * np.where(day >= change_day, growth, 1)
    per_task = np.where(day >= change_day, after, before) * np.repeat(np.exp(chance.normal(0, 0.08, days)), 24)
    tasks = np.maximum(2, np.ceil(requests / per_task * np.exp(chance.normal(0, 0.05, len(hour)))))
    absent = np.full(days * 1440, np.nan)
    return Observations(
        name="observed.csv",
        start=START,
        requests=np.repeat(requests, 60),
        cpu_average=absent,
        cpu_maximum=absent,
        tasks=np.repeat(tasks, 60).astype(float),
        latency=absent,
    )


def truth(seen: Observations, *, growth: float, seed: int) -> float:
    """The share of task-hours that the change saved: the same days without it took more."""
    without = observed(after=40, growth=growth, seed=seed)
    place = 56 * 1440
    return 1 - float(seen.tasks[place:].sum() / without.tasks[place:].sum())


@pytest.mark.parametrize("growth", [0.6, 1.0, 1.5])
def test_the_interval_at_equal_traffic_covers_the_truth_whatever_traffic_did(growth: float) -> None:
    covered = 0
    for seed in range(5):
        seen = observed(growth=growth, seed=seed)
        found = saving(seen, since=SINCE)
        covered += found.at_equal_traffic.low <= truth(seen, growth=growth, seed=seed) <= found.at_equal_traffic.high
        assert found.is_shown
        assert found.at_equal_traffic.value == pytest.approx(truth(seen, growth=growth, seed=seed), abs=0.05)
    assert covered >= 4


def test_without_a_change_no_saving_is_shown_though_traffic_grew() -> None:
    shown = [saving(observed(after=40, growth=1.5, seed=seed), since=SINCE).is_shown for seed in range(8)]
    assert sum(shown) <= 1
    # Per request, the growth alone looks like a saving: the two tasks that always run serve more.
    assert saving(observed(after=40, growth=1.5), since=SINCE).change_per_request.value < 0


def test_the_level_to_return_to_is_the_best_of_four_weeks_since() -> None:
    seen = observed()
    tasks = seen.tasks.copy()
    tasks[100 * 1440 :] *= 1.5  # creeping waste
    crept = Observations(**{name: getattr(seen, name) for name in seen.__slots__} | {"tasks": tasks})
    found = saving(crept, since=SINCE)
    assert found.level == pytest.approx(saving(seen, since=SINCE).level, rel=0.05)
    assert found.latest < 0.8 * found.level
    assert saving(crept, since=SINCE, level=55).level == 55


def test_a_day_that_was_hardly_observed_is_left_out_and_a_minute_is_filled_up() -> None:
    seen = observed(days=30)
    tasks = seen.tasks.copy()
    tasks[1440 : 1440 + 300] = np.nan
    tasks[2880 : 2880 + 30] = np.nan
    days = whole_days(Observations(**{name: getattr(seen, name) for name in seen.__slots__} | {"tasks": tasks}))
    assert len(days) == 29
    assert date(2026, 7, 2) not in days.dates
    assert days.task_hours[1].sum() == pytest.approx(seen.tasks[2880:4320].sum() / 60)


@pytest.mark.parametrize("since", [date(2026, 7, 5), date(2026, 10, 15), date(2025, 1, 1), date(2027, 1, 1)])
def test_fails_when_there_are_too_few_days_on_a_side(since: date) -> None:
    with pytest.raises(
        InputError, match=rf"--since: got {since}, allowed: a day with 14 whole observed days before it"
    ):
        saving(observed(), since=since)


def test_fails_when_nothing_was_asked() -> None:
    seen = observed()
    idle = Observations(**{name: getattr(seen, name) for name in seen.__slots__} | {"requests": seen.requests * 0})
    with pytest.raises(InputError, match=r"observed\.csv: got no request before 2026-08-26, allowed: some"):
        saving(idle, since=SINCE)


def test_a_service_that_is_rarely_asked_or_rests_is_compared_all_the_same() -> None:
    seen = observed()
    day = np.arange(seen.minutes) // 1440
    rarely = Observations(
        **{name: getattr(seen, name) for name in seen.__slots__}
        | {"requests": np.where(day % 14 == 0, seen.requests, 0.0), "tasks": np.where(day % 14 == 13, 0.0, seen.tasks)}
    )
    found = saving(rarely, since=SINCE)
    # On the days of rest no task ran: they say nothing of requests per task.
    assert (len(found.before), len(found.after)) == (52, 52)
    for each in (*found.per_request, found.change_per_request, found.at_equal_traffic, found.saved_task_hours):
        assert math.isfinite(each.value)
        assert each.low <= each.high


def test_the_commitment_is_chosen_on_the_first_hours_and_judged_on_the_rest() -> None:
    hours = np.tile([2.0, 2.0, 6.0, 10.0], 100)
    # At 50 % off, half of the hours have to use what is committed: 2 task-hours are used always, 6 in half of them.
    found = advise(hours, task_hour=1.0, discount=0.5)
    assert (found.chosen_hours, found.judged_hours, found.on_demand) == (240, 160, 800)
    assert found.best.dollars_an_hour in (1.0, 3.0)
    assert found.best.cost == 160 * 4
    # Traffic that fell by half: what was chosen before is lost in part.
    fell = advise(np.concatenate([hours[:240], hours[240:] / 2]), task_hour=1.0, discount=0.2, committed=4.0)
    assert fell.best.dollars_an_hour == pytest.approx(1.6)
    assert fell.best.used == pytest.approx(0.75)
    assert fell.best.lost == pytest.approx(160 * 1.6 * 0.25)
    assert fell.committed is not None
    assert fell.committed.cost > fell.best.cost
    assert advise(np.zeros(10), task_hour=1.0, discount=0.3).best.dollars_an_hour == 0


def write(path: Path, seen: Observations) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "requests", "cpu_average", "cpu_maximum", "tasks", "latency_ms"])
        for minute in range(seen.minutes):
            time = (seen.start + timedelta(minutes=minute)).isoformat()
            writer.writerow([time, f"{seen.requests[minute]:.6g}", "", "", f"{seen.tasks[minute]:g}", ""])
    return path


def test_the_command_says_draws_and_writes_it(assembly: Path, tmp_path: Path) -> None:
    seen = write(tmp_path / "observed.csv", observed(days=40, change_day=20))
    arguments = ["saved", str(assembly), "--observed", str(seen), "--since", "2026-07-21", "--region", "us-east-1"]
    done = CliRunner().invoke(app, [*arguments, "--committed", "0.5", "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "of the task-hours are saved" in done.output
    assert "level to return to:" in done.output
    assert "committed now: $0.500 an hour" in done.output
    assert "warning: a Savings Plan binds for a year or three, and 20 days" in done.output
    content = json.loads((tmp_path / "out" / "saved.json").read_text())
    assert content["saving"]["is_shown"]
    assert content["savings_plan"]["best"]["dollars_an_hour"] > 0
    assert (tmp_path / "out" / "saved.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--since", "yesterday"], "--since: got 'yesterday', allowed: a day, as 2026-10-01"),
        (["--since", "2026-07-21", "--committed", "-1"], "--committed: got -1, allowed: a number 0 or more"),
        (["--since", "2026-07-21", "--committed", "nan"], "--committed: got nan, allowed: a number 0 or more"),
        (["--since", "2026-07-21", "--level", "0"], "--level: got 0, allowed: a number above 0"),
    ],
)
def test_fails_when_an_option_is_not_allowed(
    fargate_capacity: Callable[..., subprocess.CompletedProcess[str]],
    assembly: Path,
    tmp_path: Path,
    more: list[str],
    said: str,
) -> None:
    done = fargate_capacity("saved", assembly, "--observed", tmp_path / "none.csv", *more)
    assert done.returncode == 1
    assert said in done.stderr
