"""Measures `fargate-capacity`: the published example on real traffic, and the time to replay a year.

The traffic is not part of the project: parts that need it are skipped with a message if it is missing. Run it with
`make bench-capacity`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from fargate_capacity.plan.candidates import Grid, candidates
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.floor_choice import choose, look_backs
from fargate_capacity.plan.foresight import least_task_hours
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation, simulate
from fargate_capacity.plan.sweep import sweep
from fargate_capacity.plan.tuning import tune
from fargate_capacity.progress import PatientProgress
from fargate_capacity.replay.compiled import is_numba_installed
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.replay import Replay
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import (
    CapacityBounds,
    Metric,
    StepBand,
    StepScaling,
    TargetTracking,
    TunerSettings,
)
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.trace_csv import CsvColumns, read_trace

PROJECT = Path(__file__).parents[1]
YEAR = 525_600
LIMIT = Guardrail(latency_seconds=0.5)
# With 10 ms of one vCPU per request, the trace needs two vCPUs on average and 38 at its peak.
MODEL = ServiceModel(
    vcpus=1,
    cpu_seconds=0.010,
    elsewhere_seconds=0.05,
    skew=1.1,
    image_mib=300,
    boot_seconds=20,
    health_check_seconds=10,
    drain_seconds=30,
)
UNTUNED = Setting(
    bounds=CapacityBounds(minimum=2, maximum=400),
    policies=(
        TargetTracking(target=30, scale_out_cooldown_s=60, scale_in_cooldown_s=300),
        StepScaling(threshold=80, bands=(StepBand(lower=0, change=3),), cooldown_s=60),
    ),
)


# The World Cup trace's mean, to which other traffic is rescaled.
MEAN_REQUESTS = 10_800.0
# 95 % of the 80 % at which tasks are added, divided by the hottest task's ratio of 1.1.
CEILING = 69


# The share of a trace on which floors are chosen.
SEARCHED = 0.6
BALANCER = "nab_elb_request_count_8c0756.csv"
REACTIVE = Grid(
    targets=[30, 40, 50, 60, 65, 70, 73, 75, 77, 79, 82, 85],
    spike_thresholds=[80, 95, 98],
    spike_tasks=[3, 6, 10],
    minimums=[2],
    scale_in_cooldowns_s=[60, 300],
    high_resolutions=[False, True],
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """A file of traffic."""

    name: str
    file: str
    columns: CsvColumns


TRAFFIC = (
    Traffic(
        "World Cup 1998, 87 days by the minute",
        "worldcup98_requests_per_minute.csv",
        CsvColumns(timestamp="period", requests="count", zone=UTC),
    ),
    Traffic(
        "a load balancer's RequestCount, 14 days by five minutes, rescaled to the same mean",
        BALANCER,
        CsvColumns(timestamp="timestamp", requests="value", zone=UTC),
    ),
)


def story(traffic: Traffic, folder: Path, console: Console, *, jobs: int) -> dict[str, object] | None:
    """The published example on one trace."""
    path = folder / traffic.file
    if not path.exists():
        console.print(f"[bold yellow]SKIPPED[/]: {traffic.name}: no {path}", soft_wrap=True)
        return None
    trace = rescaled(read_trace(path, columns=traffic.columns))
    scenario = Scenario(model=MODEL, guardrail=LIMIT)
    # The tuner's own defaults, besides a ceiling for this service's ratio of the hottest task to the average.
    settings = TunerSettings(ceiling=CEILING)
    quick = UNTUNED.with_high_resolution(True)
    with PatientProgress(f"{traffic.name}: the tuner", total=2 * (trace.minutes // 1440 + 1)) as progress:
        walked = tune(scenario, UNTUNED, trace, settings, advance=progress.begin)
        walked_quick = tune(scenario, quick, trace, settings, advance=progress.begin)
    tried = candidates(
        UNTUNED,
        Grid(
            # Steps of half a point near the optimum: 75.5 % costs less than 75 %, where whole points would stop.
            targets=[30, 40, 50, 60, 65, *(half / 2 for half in range(140, 160))],
            spike_thresholds=[80, 95, 98],
            spike_tasks=[3, 6, 8, 10],
            minimums=[2],
            scale_in_cooldowns_s=[60, 120, 300],
            high_resolutions=[False, True],
        ),
    )
    with PatientProgress(f"{traffic.name}: {len(tried)} candidates", total=100) as progress:
        found = recommend(
            scenario, tried, trace, cost=lambda each: each.totals.task_hours, jobs=jobs, advance=progress.begin
        )
        whole_trace = sweep(scenario, tried, trace, jobs=jobs)
    rows: list[tuple[str, Setting]] = [
        ("30 % alone", UNTUNED.without_spikes()),
        ("30 %, +3 at 80 %: safe and untuned", UNTUNED),
        (f"tuned: {walked.final_target:g} %, +3 at 80 %", UNTUNED.with_target(walked.final_target)),
        (
            f"tuned by the CPU of every 20 s: {walked_quick.final_target:g} %, +3 at 80 %",
            quick.with_target(walked_quick.final_target),
        ),
        (f"recommended: {short(found.chosen)}", found.chosen),
    ]
    simulations = [simulate(scenario, setting, trace) for _, setting in rows]
    safe = simulations[1].totals
    with_hindsight = min(
        (each for each in whole_trace if each.totals.breach_minutes <= safe.breach_minutes),
        key=lambda each: each.totals.task_hours,
    )
    rows.append((f"best of the candidates on the whole trace: {short(with_hindsight.setting)}", with_hindsight.setting))
    simulations.append(with_hindsight)
    best = least_task_hours(MODEL, LIMIT, trace, minimum=UNTUNED.bounds.minimum)
    table = Table(title=f"{traffic.name}; limit {1000 * LIMIT.latency_seconds:g} ms", title_justify="left")
    for name in ("setting", "task-hours", "of safe", "of foresight", "breach minutes", "alarms", "low confidence"):
        table.add_column(name, justify="left" if name == "setting" else "right", overflow="fold")
    for (name, _), each in zip(rows, simulations, strict=True):
        totals = each.totals
        table.add_row(
            name,
            f"{totals.task_hours:,.0f}",
            f"{totals.task_hours / safe.task_hours:.2f}",
            f"{totals.task_hours / best:.2f}",
            f"{totals.breach_minutes:,}",
            f"{totals.alarms:,}",
            f"{totals.low_confidence_minutes:,}",
        )
    table.add_row("perfect foresight", f"{best:,.0f}", f"{best / safe.task_hours:.2f}", "1.00", "0", "0", "0")
    console.print(table)
    for name, walk in (("the tuner", walked), ("the tuner, by the CPU of every 20 s", walked_quick)):
        reverts = sum(decision.target < decision.origin for decision in walk.decisions)
        console.print(
            f"{name}: {len(walk.decisions)} changes, {reverts} of them back; "
            f"{walk.simulation.totals.task_hours:,.0f} task-hours and "
            f"{walk.simulation.totals.breach_minutes} breach minutes while it walked",
            soft_wrap=True,
        )
    console.print(found.why, soft_wrap=True)
    chosen, hindsight = simulations[4].totals, with_hindsight.totals
    for label, figures in (("recommended", chosen), ("best of the candidates", hindsight)):
        verdict(console, f"{label}: no added breach", figures.breach_minutes, safe.breach_minutes)
        verdict(console, f"{label}: task-hours of the safe setting's", figures.task_hours / safe.task_hours, 0.5)
        verdict(console, f"{label}: task-hours of perfect foresight's", figures.task_hours / best, 1.35)
    return {
        "traffic": traffic.name,
        "perfect_foresight_task_hours": best,
        "step_cooldowns": step_cooldowns(console, scenario, trace),
        "rows": [
            {"setting": name, "task_hours": each.totals.task_hours, "breach_minutes": each.totals.breach_minutes}
            for (name, _), each in zip(rows, simulations, strict=True)
        ],
    }


def floors(console: Console, folder: Path, cases: Path, *, jobs: int) -> list[dict[str, object]]:
    """The safe and the best reactive setting, a floor added to it, and perfect foresight, on the held-out part of each
    trace.
    """
    table = Table(
        title=f"Forecast floors, on the last {1 - SEARCHED:.0%} of each trace; chosen on the first {SEARCHED:.0%}",
        title_justify="left",
    )
    for name in ("traffic", "setting", "task-hours", "of best reactive", "breached requests"):
        table.add_column(name, justify="left" if name in ("traffic", "setting") else "right", overflow="fold")
    rows: list[dict[str, object]] = []
    reached: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as made:
        for name, path, columns in floor_traffic(console, folder, cases, Path(made)):
            trace = rescaled(read_trace(path, columns=columns))
            scenario = Scenario(model=MODEL, guardrail=LIMIT)
            days = SEARCHED * trace.minutes / 1440
            quick = UNTUNED.with_high_resolution(True).with_spike_threshold(95).with_scale_in_cooldown(60)
            tried = [
                quick.with_target(target).with_floor(
                    Floor(utilization=utilization, look_back=look_back, lead_minutes=lead)
                )
                for target in (75, 79, 85)
                for utilization in range(45, 90, 10)
                for look_back in look_backs(days)
                for lead in (15, 30)
            ]
            with PatientProgress(f"{name}: floors", total=1) as progress:
                progress.begin(name)
                found = choose(scenario, candidates(UNTUNED, REACTIVE), tried, trace, searched=SEARCHED, jobs=jobs)
            cut = int(trace.minutes * SEARCHED)
            foresight = least_task_hours(
                MODEL, LIMIT, trace.part(cut, trace.minutes - cut), minimum=UNTUNED.bounds.minimum
            )
            best = found.best_rest.totals
            for label, totals in (
                ("30 %, +3 at 80 %: safe", found.safe_rest.totals),
                (f"best reactive: {short(found.best)}", best),
                (f"floor + reactive: {found.why}", found.chosen_rest.totals),
            ):
                table.add_row(
                    name,
                    label,
                    f"{totals.task_hours:,.0f}",
                    f"{totals.task_hours / best.task_hours:.2f}",
                    f"{totals.breached_requests:,.0f}",
                )
                rows.append(
                    {
                        "traffic": name,
                        "setting": label,
                        "task_hours": totals.task_hours,
                        "breached_requests": totals.breached_requests,
                    }
                )
            table.add_row(name, "perfect foresight", f"{foresight:,.0f}", f"{foresight / best.task_hours:.2f}", "0")
            rows.append(
                {"traffic": name, "setting": "perfect foresight", "task_hours": foresight, "breached_requests": 0.0}
            )
            chosen = found.chosen_rest.totals
            is_worse = chosen.task_hours > best.task_hours and chosen.breached_requests > best.breached_requests
            reached.append((f"{name}: worse in both figures than best reactive", float(is_worse), 0))
            if path.name == BALANCER:
                reached += [
                    (f"{name}: task-hours of best reactive's", chosen.task_hours / best.task_hours, 0.60),
                    (f"{name}: breached requests", chosen.breached_requests, best.breached_requests),
                ]
    console.print(table)
    for what, value, most in reached:
        verdict(console, what, value, most)
    return rows


def floor_traffic(console: Console, folder: Path, cases: Path, made: Path) -> Iterator[tuple[str, Path, CsvColumns]]:
    """Real traffic, and synthetic traffic with a known truth, if available."""
    for traffic in TRAFFIC:
        if (folder / traffic.file).exists():
            yield traffic.name.partition(",")[0], folder / traffic.file, traffic.columns
        else:
            console.print(f"[bold yellow]SKIPPED[/]: {traffic.name}: no {folder / traffic.file}", soft_wrap=True)
    if not cases.exists():
        console.print(f"[bold yellow]SKIPPED[/]: made-up traffic: no {cases}", soft_wrap=True)
        return
    for kind in ("sharp", "daytime", "weekly", "surges"):
        path = made / f"{kind}.csv"
        subprocess.run([sys.executable, str(cases), kind, str(path)], check=True)
        yield kind, path, CsvColumns(timestamp="timestamp", requests="requests", zone=UTC)


def rescaled(trace: Trace) -> Trace:
    """The traffic rescaled to the World Cup trace's mean."""
    requests = np.concatenate(list(trace.blocks()))
    factor = MEAN_REQUESTS / float(np.nanmean(requests))
    return Trace.of([requests * factor], name=trace.name, start=trace.start, gaps=trace.gaps)


def step_cooldowns(console: Console, scenario: Scenario, trace: Trace) -> list[dict[str, float]]:
    """The cost of a longer step cooldown on real traffic: at 120 s tasks that start hot trigger further steps."""
    table = Table(title="The step's cooldown, at a target of 60 %", title_justify="left")
    for name in ("cooldown", "task-hours", "breach minutes", "alarms"):
        table.add_column(name, justify="right")
    rows = []
    for seconds in (60, 120, 300, 600):
        policies = tuple(
            replace(policy, cooldown_s=seconds) if isinstance(policy, StepScaling) else policy
            for policy in UNTUNED.with_target(60).policies
        )
        totals = simulate(scenario, replace(UNTUNED, policies=policies), trace).totals
        table.add_row(f"{seconds} s", f"{totals.task_hours:,.0f}", f"{totals.breach_minutes:,}", f"{totals.alarms:,}")
        rows.append({"cooldown_s": seconds, "task_hours": totals.task_hours, "breach_minutes": totals.breach_minutes})
    console.print(table)
    return rows


def short(setting: Setting) -> str:
    """A short description of a setting."""
    spike = setting.spikes[0]
    tracking = next(policy for policy in setting.policies if isinstance(policy, TargetTracking))
    often = " every 20 s" if tracking.metric is Metric.CPU_AVERAGE_HIGH_RESOLUTION else ""
    return (
        f"{setting.target:g} %{often}, +{spike.bands[0].change} at {spike.threshold:g} %, "
        f"{tracking.scale_in_cooldown_s} s between scale-ins"
    )


def verdict(console: Console, what: str, value: float, most: float) -> None:
    """Whether a figure is within its target."""
    mark = "[green]reached[/]" if value <= most else "[bold red]missed[/]"
    console.print(f"  {mark}  {what}: {value:.4g} (at most {most:.4g})", highlight=False)


def generated(minutes: int, *, seed: int = 1998) -> Trace:
    """Days, weeks and spikes; generated week by week, so that a decade needs no more memory than a week."""
    chance = np.random.default_rng(seed)

    def week(begin: int) -> np.ndarray:
        minute = np.arange(begin, min(begin + 10_080, minutes))
        level = 3000 * (1 + 0.6 * np.sin(minute * 2 * np.pi / 1440)) * (1 + 0.3 * np.sin(minute * 2 * np.pi / 10_080))
        requests = chance.poisson(level).astype(float)
        requests[chance.random(len(requests)) < 0.0004] *= 4
        requests[chance.random(len(requests)) < 0.001] = np.nan
        return requests

    blocks = (week(begin) for begin in range(0, minutes, 10_080))
    return Trace.of(blocks, name="generated", start=datetime(2026, 1, 1, tzinfo=UTC))


def speed(console: Console, *, runs: int, jobs: int) -> dict[str, object]:
    """The time to replay a year, and 120 candidates on it."""
    trace = generated(YEAR)
    scenario = Scenario(model=ServiceModel(**{**asdict(MODEL), "cpu_seconds": 0.1}), guardrail=LIMIT)
    year = trace.block(0, YEAR)

    def one(*, is_compiled: bool, minutes: int = YEAR) -> tuple[float, float, Replay]:
        replay = scenario.replay(UNTUNED.with_target(60), trace, is_compiled=is_compiled)
        begun, processor = time.perf_counter(), time.process_time()
        replay.feed(year[:minutes])
        return time.perf_counter() - begun, time.process_time() - processor, replay

    table = Table(title=f"A year of minutes, {runs} runs after warm-up", title_justify="left")
    # CPU time is independent of other load on the machine.
    for name in ("", "median", "least", "processor time, least"):
        table.add_column(name, justify="right" if name else "left")
    plain_s, _, plain = one(is_compiled=False)
    table.add_row("one replay, plain Python (once)", f"{plain_s:.2f} s")
    report: dict[str, object] = {"plain_replay_s": plain_s}
    if not is_numba_installed():
        console.print(table)
        console.print("[bold yellow]SKIPPED[/]: the compiled loop: numba is not installed")
        return report
    begun = time.perf_counter()
    one(is_compiled=True, minutes=10)
    compile_s = time.perf_counter() - begun
    replays = [one(is_compiled=True) for _ in range(runs)]
    seconds = sorted(taken for taken, _, _ in replays)
    replay_processor = min(processor for _, processor, _ in replays)
    settings = [
        UNTUNED.with_target(target).with_spike_threshold(threshold)
        for target in range(40, 80)
        for threshold in (70, 80, 90)
    ]
    sweeps, processors = [], []
    for _ in range(max(runs // 3, 3)):
        begun, processor = time.perf_counter(), time.process_time()
        sweep(scenario, settings, trace, jobs=jobs)
        sweeps.append(time.perf_counter() - begun)
        processors.append(time.process_time() - processor)
    sweeps.sort()
    table.add_row("compiling, once a process", f"{compile_s:.2f} s")
    table.add_row(
        "one replay",
        f"{1000 * seconds[len(seconds) // 2]:.1f} ms",
        f"{1000 * seconds[0]:.1f} ms",
        f"{1000 * replay_processor:.1f} ms",
    )
    table.add_row(
        f"{len(settings)} candidates, {jobs} threads",
        f"{sweeps[len(sweeps) // 2]:.2f} s",
        f"{sweeps[0]:.2f} s",
        f"{min(processors):.2f} s",
    )
    console.print(table)
    same = all(
        np.array_equal(mine, theirs)
        for mine, theirs in zip(asdict(plain.totals()).values(), asdict(replays[0][2].totals()).values(), strict=True)
    )
    console.print(f"  {'[green]reached[/]' if same else '[bold red]missed[/]'}  plain Python gives the same numbers")
    verdict(console, "one replay, ms", 1000 * seconds[len(seconds) // 2], 20)
    verdict(console, f"{len(settings)} candidates, s", sweeps[len(sweeps) // 2], 1.5)
    return report | {
        "compile_s": compile_s,
        "replay_s": seconds,
        "replay_processor_s": replay_processor,
        "sweep_s": sweeps,
        "sweep_processor_s": min(processors),
        "same_numbers": same,
    }


def memory(console: Console) -> dict[str, float]:
    """Peak memory of a process that replays one year, and of one that replays ten."""
    peaks = {}
    for years in (1, 10):
        command = [sys.executable, __file__, "--replay-years", str(years)]
        peaks[f"{years}_years_mib"] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    one, ten = peaks.values()
    console.print(f"peak memory: {one:.0f} MiB for one year, {ten:.0f} MiB for ten")
    verdict(console, "memory of ten years / of one", ten / one, 1.05)
    return peaks


def replay_years(years: int) -> float:
    """Replays this many years and returns the peak memory of this process, MiB."""
    trace = generated(years * YEAR)
    scenario = Scenario(model=ServiceModel(**{**asdict(MODEL), "cpu_seconds": 0.1}), guardrail=LIMIT)
    simulation: Simulation = simulate(scenario, UNTUNED, trace, draws=True)
    assert simulation.totals.minutes == years * YEAR
    # Not getrusage, whose peak a child inherits from the process that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data", help="folder of the traffic")
    parser.add_argument("--runs", type=int, default=15, help="timed runs of the year")
    parser.add_argument("--jobs", type=int, default=2, help="threads of a sweep")
    parser.add_argument("--output", type=Path, default=PROJECT / "build" / "bench-capacity.json")
    parser.add_argument("--only", choices=["speed", "stories", "floors"], help="leave the others out")
    parser.add_argument(
        "--cases",
        type=Path,
        default=PROJECT.parent / "shared" / "cases" / "make_traffic.py",
        help="the program that makes traffic up",
    )
    parser.add_argument("--replay-years", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.replay_years:
        print(replay_years(given.replay_years))
        return
    console = Console(width=150)
    console.print(f"load of this machine before it began: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    report: dict[str, object] = {}
    if given.only in (None, "speed"):
        # It runs first, so that compiling is timed too.
        report |= {"speed": speed(console, runs=given.runs, jobs=given.jobs), "memory": memory(console)}
    if given.only in (None, "stories"):
        report["stories"] = [story(traffic, given.data, console, jobs=given.jobs) for traffic in TRAFFIC]
    if given.only in (None, "floors"):
        report["floors"] = floors(console, given.data, given.cases, jobs=given.jobs)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"wrote {given.output}")


if __name__ == "__main__":
    main()
