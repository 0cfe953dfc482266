"""Draws the pictures of raise-the-floor.md, and prints its figures: `python docs/draw_forecast_floor.py`.

The traffic is made up: four weeks of a shop that opens at 8:00 on weekdays, once within a quarter of an hour and once
within half of one.
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fargate_capacity.plan.candidates import Grid, candidates
from fargate_capacity.plan.floor_backtest import Floor, FloorBacktest
from fargate_capacity.plan.question import ask
from fargate_capacity.plan.simulation import bounds_changes, simulate
from fargate_capacity.replay.replay import BoundsChange, Column
from fargate_capacity.scaling_decisions import ScheduledAction
from fargate_capacity.traffic.traffic_file import read_traffic

PROJECT = Path(__file__).parents[1]
BUILD = PROJECT / "build" / "forecast-floor"
IMAGE = PROJECT / "docs" / "images" / "forecast-floor.png"
SCHEDULE_IMAGE = PROJECT / "docs" / "images" / "forecast-schedule.png"
PRICES = PROJECT / "tools" / "fargate_capacity" / "pricing" / "prices.json"
START = datetime(2026, 10, 5, tzinfo=UTC)
DAYS, DAY_MINUTES = 28, 1440
CLOSED_REQUESTS, OPEN_REQUESTS = 500, 3000
OPENS, CLOSES = 8, 18
ASSUMED = ("cpu_ms=40", "skew=1.15", "elsewhere_ms=30", "image_mib=300")
LIMIT_MS = 1500
OPTIONS = (
    "--target",
    "50:85:5",
    "--spike-threshold",
    "90",
    "--floor",
    "55:75:10",
    "--floor-lead",
    "15,30",
    "--schedule",
)
# What `recommend` comes to where the shop opens within a quarter of an hour.
TARGET, SPIKE = 70, 90
FLOOR = Floor(utilization=75, lead_minutes=15)
# A Wednesday of the third week.
DRAWN = datetime(2026, 10, 21, tzinfo=UTC)
DRAWN_HOURS = (6.5, 11)
# From the Thursday of the third week to the Tuesday after.
DRAWN_DAYS = (datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 10, 27, tzinfo=UTC))
# https://aws.amazon.com/cloudwatch/pricing/: a metric of one's own, the first 10,000.
METRIC_MONTH, METRICS = 0.30, 4
INK, REACTIVE, RAISED, QUIET = "#23262b", "#a8322b", "#3a5f8a", "#6b6f76"


def write_traffic(path: Path, *, opens_within_hours: float) -> None:
    chance = random.Random(2026)  # nosec B311  # seeded
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "requests"])
        for minute in range(DAYS * DAY_MINUTES):
            hour = minute % DAY_MINUTES / 60
            is_weekday = minute // DAY_MINUTES % 7 < 5
            # It closes within an hour.
            busy = min(max((hour - OPENS) / opens_within_hours, 0), 1) * min(max(CLOSES - hour, 0), 1)
            mean = CLOSED_REQUESTS + (OPEN_REQUESTS - CLOSED_REQUESTS) * (busy if is_weekday else 0)
            writer.writerow([(START + timedelta(minutes=minute)).isoformat(), round(mean * chance.gauss(1, 0.03))])


def run(*command: str, environment: dict[str, str] | None = None) -> None:
    shown = [Path(command[0]).name, *(part.removeprefix(f"{BUILD}/") for part in command[1:])]
    print(f"\n$ {' '.join(shown)}", flush=True)
    subprocess.run(command, check=True, cwd=PROJECT, env={**os.environ, "COLUMNS": "130", **(environment or {})})


def recommend(assembly: Path, traffic: Path) -> Path:
    """The folder with what is recommended."""
    assumed = [part for each in ASSUMED for part in ("--assume", each)]
    limit = ("--latency-p95-limit-ms", str(LIMIT_MS))
    command = str(Path(sys.executable).with_name("fargate-capacity"))
    output = str(BUILD / f"recommend-{traffic.stem}")
    run(command, "recommend", str(assembly), "--trace", str(traffic), *assumed, *limit, *OPTIONS, "--output", output)
    return Path(output)


def draw(assembly: Path, path: Path) -> None:
    """One morning with the same reactive setting twice: alone, and with the floor."""
    question = ask(assembly, service=None, assume=ASSUMED, latency_p95_limit_ms=LIMIT_MS)
    traffic = read_traffic(path)
    grid = Grid(targets=[TARGET], spike_thresholds=[SPIKE], floors=[FLOOR])
    reactive = next(each for each in candidates(question.setting, grid) if each.target == TARGET and not each.floor)
    raised = replace(reactive, floor=FLOOR)
    running = {}
    print("\nthe four weeks, task-hours and requests beyond the limit:")
    for name, setting in {"declared": question.setting, "70 % alone": reactive, "70 % and a floor": raised}.items():
        totals = simulate(question.scenario, setting, traffic).totals
        print(f"  {name}: {totals.task_hours:,.0f}, {totals.breached_requests:,.0f}")
        replay = question.scenario.replay(setting, traffic, is_compiled=False)
        running[name] = replay.feed_recorded(traffic.block(0, traffic.minutes)).running

    first = int((DRAWN - START).total_seconds() / 60 + DRAWN_HOURS[0] * 60)
    last = int((DRAWN - START).total_seconds() / 60 + DRAWN_HOURS[1] * 60)
    floor = FloorBacktest(question.scenario.model, traffic).changes(FLOOR, raised.bounds)
    minimum = minimums(raised.bounds.minimum, floor, traffic.minutes)
    times = [START + timedelta(minutes=minute) for minute in range(first, last)]
    figure = Figure(figsize=(8, 5), layout="constrained")
    load, tasks = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 2]})
    load.plot(times, traffic.block(first, last - first), color=QUIET, linewidth=1.2)
    load.set_ylabel("requests a minute")
    tasks.step(times, running["70 % alone"][first:last], where="post", color=REACTIVE, label="running: 70 % alone")
    with_floor = running["70 % and a floor"][first:last]
    tasks.step(times, with_floor, where="post", color=RAISED, label="running: with the floor")
    tasks.step(times, minimum[first:last], where="post", color=INK, linestyle=(0, (4, 3)), label="the floor")
    tasks.set_ylabel("tasks")
    tasks.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    tasks.legend(frameon=False, loc="lower right")
    save(figure, IMAGE)


def draw_schedule(assembly: Path, path: Path, report: Path) -> None:
    """Some days' minimum twice: by the schedule that `recommend` proposed, and by the floor."""
    question = ask(assembly, service=None, assume=ASSUMED, latency_p95_limit_ms=LIMIT_MS)
    traffic = read_traffic(path)
    bounds = question.setting.bounds
    lines = json.loads(report.read_text(encoding="utf-8"))["schedule"]["lines"]
    actions = [ScheduledAction(**line) for line in lines]
    scheduled = bounds_changes(bounds, actions, traffic.start, traffic.end)
    floor = FloorBacktest(question.scenario.model, traffic).changes(FLOOR, bounds)
    first, last = (round((day - START).total_seconds() / 60) for day in DRAWN_DAYS)
    times = [START + timedelta(minutes=minute) for minute in range(first, last)]
    figure = Figure(figsize=(8, 5), layout="constrained")
    load, tasks = figure.subplots(2, 1, sharex=True)
    load.plot(times, traffic.block(first, last - first), color=QUIET, linewidth=0.8)
    load.set_ylabel("requests a minute")
    for changes, color, style, label in (
        (floor, REACTIVE, (0, (4, 3)), "minimum: the floor"),
        (scheduled, RAISED, "-", f"minimum: the schedule of {len(lines)} lines"),
    ):
        held = minimums(bounds.minimum, changes, traffic.minutes)
        tasks.step(times, held[first:last], where="post", color=color, linestyle=style, label=label)
    tasks.set_ylabel("tasks")
    tasks.yaxis.set_major_locator(MaxNLocator(integer=True))
    tasks.xaxis.set_major_formatter(DateFormatter("%a %H:%M"))  # type: ignore[no-untyped-call]
    tasks.legend(frameon=False, loc="lower right")
    save(figure, SCHEDULE_IMAGE)


def minimums(declared: int, changes: Sequence[BoundsChange], minutes: int) -> Column:
    """Of each minute."""
    held = np.full(minutes, float(declared))
    for change in changes:
        held[change.minute :] = change.bounds.minimum
    return held


def save(figure: Figure, path: Path) -> None:
    for axes in figure.axes:
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e3dc", linewidth=0.8)
    figure.savefig(path, dpi=120)
    print(f"drew docs/images/{path.name}")


def print_cost() -> None:
    """What one floor adds to the bill each month, by the example's template; the dashboard and topic were there."""
    assembly = BUILD / "example"
    run(sys.executable, "examples/forecast_floor.py", environment={"CDK_OUTDIR": str(assembly)})
    (template,) = assembly.glob("*.template.json")
    found = json.loads(template.read_text())["Resources"].items()
    kinds = [resource["Type"] for name, resource in found if name.startswith("Floor")]
    prices = json.loads(PRICES.read_text())["services"]
    alarms, keys = kinds.count("AWS::CloudWatch::Alarm"), kinds.count("AWS::KMS::Key")
    parts = {
        f"{alarms} alarms": alarms * prices["alarm_metric_month"],
        f"{METRICS} metrics": METRICS * METRIC_MONTH,
        f"{keys} key": keys * prices["key_month"],
    }
    print("a month:", ", ".join(f"{what} ${dollars:.2f}" for what, dollars in parts.items()), end="")
    print(f"; together ${sum(parts.values()):.2f}")


def main() -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    # What `cdk synth` runs, without the CDK's command around it. An imported service has no size to replay.
    assembly = BUILD / "cdk.out"
    run(sys.executable, "examples/tuned_service.py", environment={"CDK_OUTDIR": str(assembly)})
    reports = {}
    for name, hours in {"quarter": 0.25, "half": 0.5}.items():
        traffic = BUILD / f"{name}.csv"
        write_traffic(traffic, opens_within_hours=hours)
        reports[name] = recommend(assembly, traffic) / "recommend.json"
    draw(assembly, BUILD / "quarter.csv")
    draw_schedule(assembly, BUILD / "quarter.csv", reports["quarter"])
    print_cost()


if __name__ == "__main__":
    main()
