"""The subcommands that replay traffic."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table

from fargate_capacity.declared.declared_tuner import DeclaredTuner, declared_tuner
from fargate_capacity.floor_decisions import LookBack
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.calibration import Calibration
from fargate_capacity.observed.fetch import ObservedService, fetch_activities, fetch_metrics, period_minutes
from fargate_capacity.observed.observations import read_observations
from fargate_capacity.plan.added_breach import DEFAULT_TOLERANCE_PERCENT
from fargate_capacity.plan.assumptions import ASSUMPTIONS
from fargate_capacity.plan.candidates import Grid, candidates, nothing_to_vary, read_numbers
from fargate_capacity.plan.floor_options import FloorOptions, described_floors
from fargate_capacity.plan.question import Question, ask
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.simulation import Simulation, simulate
from fargate_capacity.plan.sweep import SWEEP_BLOCK_MINUTES
from fargate_capacity.plan.tuning import Tuning, tune
from fargate_capacity.pricing.bill import Bill
from fargate_capacity.progress import PatientProgress
from fargate_capacity.replay.guardrail import GuardedMetric, Guardrail
from fargate_capacity.replay.service_model import Queueing
from fargate_capacity.report.figures import (
    Figures,
    bands_table,
    figures_table,
    folds_table,
    frontier_table,
    rejections_table,
    setting_as_json,
)
from fargate_capacity.scaling_decisions import Action, ObservationPeriod, TunerSettings
from fargate_capacity.traffic.burstiness import with_burstiness
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.trace_csv import CsvColumns
from fargate_capacity.traffic.traffic_file import read_traffic

if TYPE_CHECKING:
    from fargate_capacity.page import Picture

Assembly = Annotated[Path, typer.Argument(metavar="CDK_OUT", help="The cloud assembly, as `cdk synth` writes it.")]
TraceFile = Annotated[
    Path,
    typer.Option(
        "--trace",
        help="Requests: a CSV of `timestamp` and `requests`, the CSV of CloudWatch's console, JSON of get-metric-data, "
        "get-metric-statistics or Prometheus's query_range, a folder of an ALB's access logs.",
    ),
]
Service = Annotated[
    str | None,
    typer.Option(
        help="The service where there are several: its name, its logical id, or Stack/Path as the CDK has it."
    ),
]
Assume = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="May be repeated. " + "; ".join(f"{name}: {each.meaning}" for name, each in ASSUMPTIONS.items()),
    ),
]
LatencyLimit = Annotated[
    float | None, typer.Option(help="Guardrail: the mean latency at the hottest task, ms, not to be passed.")
]
LatencyP95Limit = Annotated[
    float | None, typer.Option(help="Guardrail: p95 of the latency instead; by `--assume p95_ratio` of its mean.")
]
Region = Annotated[
    str | None, typer.Option(help="Of the prices. Default: the stack's; without any, tasks have no price.")
]
Prices = Annotated[Path | None, typer.Option(help="A price table in place of the project's dated one.")]
DeploymentsFile = Annotated[
    Path | None, typer.Option("--deployments", help="CSV with `start` and `end`: nothing scales in meanwhile.")
]
Observed = Annotated[
    Path | None,
    typer.Option(help="What CloudWatch saw, as `fetch` writes it: the model is fitted on it, its error is stated."),
]
Output = Annotated[Path, typer.Option(help="The folder that is written.")]
Period = Annotated[int | None, typer.Option(help="Minutes of a row. Default: between the first two rows.")]
PerSecond = Annotated[
    bool, typer.Option("--per-second", help="JSON has requests a second, as of PromQL's rate(), not a period's count.")
]
TimestampColumn = Annotated[str, typer.Option(help="Column of the times.")]
RequestsColumn = Annotated[str, typer.Option(help="Column of the requests; in JSON the series' id or label.")]
TimeZone = Annotated[str | None, typer.Option(help="Of times that name no zone, as UTC or Asia/Tokyo.")]

FloorCpu = Annotated[
    str | None,
    typer.Option(
        "--floor",
        help="Forecast floors beside the policies, too: the average CPU, percent, for which the minimum is raised "
        "before the load comes, 70 or 50:80:10.",
    ),
]
FloorLead = Annotated[str | None, typer.Option(help="Minutes ahead that a floor is there. Default: 30.")]
FloorLookBack = Annotated[
    LookBack | None,
    typer.Option(
        help="By the same time of the last 7 days, or of that weekday of the last 4 weeks. Default: both where the "
        "searched part has four weeks."
    ),
]
FloorTimeZone = Annotated[str, typer.Option(help="Of a floor's days: 8:00 stays 8:00 when clocks change.")]
Holidays = Annotated[Path | None, typer.Option(help="A file with a day a line, 2026-12-25, that is like no other.")]

_OUT = Path("build/capacity")
_MOST_CHANGES = 15
_WITHOUT_COLUMN = {
    "cpu_maximum": "the hottest task is taken to be as the others",
    "latency_ms": "latency is not checked, and nothing is known of what a request waits for others",
}
# Of all minutes: a jump saturates a few before its tasks serve.
_FEW_SATURATED = 0.01
# That of the construct.
_CEILING = 65.0


class Objective(StrEnum):
    """Which bill is to be least."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    SAVINGS_PLAN = "savings-plan"

    def of(self, bill: Bill) -> float:
        """That bill."""
        if self is Objective.SPOT:
            return bill.with_spot
        return bill.with_savings_plan if self is Objective.SAVINGS_PLAN else bill.on_demand


def register(app: typer.Typer) -> None:
    """Adds the subcommands to the command."""
    app.command("simulate")(simulate_command)
    app.command("compare")(compare_command)
    app.command("recommend")(recommend_command)
    app.command("tune")(tune_command)
    app.command("calibrate")(calibrate_command)
    app.command("fetch")(fetch_command)


def simulate_command(
    assembly: Assembly,
    trace: TraceFile,
    service: Service = None,
    assume: Assume = None,
    observed: Observed = None,
    latency_limit_ms: LatencyLimit = None,
    latency_p95_limit_ms: LatencyP95Limit = None,
    region: Region = None,
    prices: Prices = None,
    deployments: DeploymentsFile = None,
    output: Output = _OUT,
    period: Period = None,
    timestamp_column: TimestampColumn = "timestamp",
    requests_column: RequestsColumn = "requests",
    time_zone: TimeZone = None,
    per_second: PerSecond = False,
    floor: FloorCpu = None,
    floor_lead: FloorLead = None,
    floor_look_back: FloorLookBack = None,
    floor_time_zone: FloorTimeZone = "UTC",
    holidays: Holidays = None,
) -> None:
    """Say what the declared policies would have done to tasks, latency and bill on this traffic."""
    given = _Given(
        service=service,
        assume=tuple(assume or ()),
        observed=observed,
        latency_limit_ms=latency_limit_ms,
        latency_p95_limit_ms=latency_p95_limit_ms,
        region=region,
        prices=prices,
        deployments=deployments,
    )
    question = given.question(assembly)
    traffic = _read_traffic(question, trace, period, timestamp_column, requests_column, time_zone, per_second)
    options = FloorOptions(
        utilizations=floor, leads=floor_lead, look_back=floor_look_back, time_zone=floor_time_zone, holidays=holidays
    )
    beside = options.only(question, traffic)
    figures = [_replayed(question, traffic, question.service.name)]
    if beside is not None:
        question = replace(question, setting=question.setting.with_floor(beside))
        figures.append(_replayed(question, traffic, "with the floor"))
    _tell(question, traffic, figures, title="What the declared policies would have done")
    _write(question, traffic, figures, output=output, command="simulate")
    _draw(question, traffic, figures[-1], output=output)


def compare_command(
    first: Annotated[Path, typer.Argument(metavar="A", help="A cloud assembly: what is there.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="A cloud assembly: what is to be.")],
    trace: TraceFile,
    service: Service = None,
    assume: Assume = None,
    observed: Observed = None,
    latency_limit_ms: LatencyLimit = None,
    latency_p95_limit_ms: LatencyP95Limit = None,
    region: Region = None,
    prices: Prices = None,
    deployments: DeploymentsFile = None,
    output: Output = _OUT,
    period: Period = None,
    timestamp_column: TimestampColumn = "timestamp",
    requests_column: RequestsColumn = "requests",
    time_zone: TimeZone = None,
    per_second: PerSecond = False,
) -> None:
    """Say what one cloud assembly's policies would have done against another's, on the same traffic."""
    given = _Given(
        service=service,
        assume=tuple(assume or ()),
        observed=observed,
        latency_limit_ms=latency_limit_ms,
        latency_p95_limit_ms=latency_p95_limit_ms,
        region=region,
        prices=prices,
        deployments=deployments,
    )
    questions = [given.question(folder) for folder in (first, second)]
    traffic = _read_traffic(questions[0], trace, period, timestamp_column, requests_column, time_zone, per_second)
    figures = [_replayed(question, traffic, name) for name, question in zip("AB", questions, strict=True)]
    _tell(questions[0], traffic, figures, title=f"A: {first}   B: {second}")
    typer.echo(f"B's setting: {questions[1].described_setting()}")
    if _described_price(questions[1]) != _described_price(questions[0]):
        typer.echo(f"B's {_described_price(questions[1])}")
    for line in questions[1].left_out():
        typer.echo(f"B, left out: {line}")
    _write(questions[0], traffic, figures, output=output, command="compare")
    for question, each in zip(questions, figures, strict=True):
        _draw(question, traffic, each, output=output / each.name)


def recommend_command(
    assembly: Assembly,
    trace: TraceFile,
    target: Annotated[str | None, typer.Option(help="Targets to try, percent: 40,50 or 40:80:5.")] = None,
    spike_threshold: Annotated[str | None, typer.Option(help="Spike thresholds to try, percent.")] = None,
    spike_tasks: Annotated[str | None, typer.Option(help="Tasks that a spike adds, to try.")] = None,
    minimum: Annotated[str | None, typer.Option(help="Minimums to try.")] = None,
    scale_out_cooldown: Annotated[str | None, typer.Option(help="Scale-out cooldowns to try, seconds.")] = None,
    scale_in_cooldown: Annotated[str | None, typer.Option(help="Scale-in cooldowns to try, seconds.")] = None,
    high_resolution: Annotated[
        bool, typer.Option("--high-resolution", help="Try each with the CPU of every 20 seconds, too.")
    ] = False,
    objective: Annotated[Objective, typer.Option(help="Which bill is to be least.")] = Objective.ON_DEMAND,
    held_out: Annotated[float, typer.Option(help="Share of the trace, its end, to verify on.")] = 0.3,
    tolerance_percent: Annotated[
        float, typer.Option(help="Of all requests, so many more than now may be beyond the limit.")
    ] = DEFAULT_TOLERANCE_PERCENT,
    jobs: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
    service: Service = None,
    assume: Assume = None,
    observed: Observed = None,
    latency_limit_ms: LatencyLimit = None,
    latency_p95_limit_ms: LatencyP95Limit = None,
    region: Region = None,
    prices: Prices = None,
    deployments: DeploymentsFile = None,
    output: Output = _OUT,
    period: Period = None,
    timestamp_column: TimestampColumn = "timestamp",
    requests_column: RequestsColumn = "requests",
    time_zone: TimeZone = None,
    per_second: PerSecond = False,
    floor: FloorCpu = None,
    floor_lead: FloorLead = None,
    floor_look_back: FloorLookBack = None,
    floor_time_zone: FloorTimeZone = "UTC",
    holidays: Holidays = None,
) -> None:
    """Find the cheapest setting that surely breaches little more than now, and say why each other one is not it.

    The limit is judged by requests: how many are beyond it, and how long these wait. It is chosen on the first part of
    the trace, as it would have been at earlier times; the rest confirms the choice, or it is what you have.
    """
    given = _Given(
        service=service,
        assume=tuple(assume or ()),
        observed=observed,
        latency_limit_ms=latency_limit_ms,
        latency_p95_limit_ms=latency_p95_limit_ms,
        region=region,
        prices=prices,
        deployments=deployments,
    )
    question = given.question(assembly)
    traffic = _read_traffic(question, trace, period, timestamp_column, requests_column, time_zone, per_second)
    floors = FloorOptions(
        utilizations=floor, leads=floor_lead, look_back=floor_look_back, time_zone=floor_time_zone, holidays=holidays
    ).floors(question, traffic, searched=1 - held_out)
    grid = Grid(
        targets=read_numbers("--target", target),
        spike_thresholds=read_numbers("--spike-threshold", spike_threshold),
        spike_tasks=[int(each) for each in read_numbers("--spike-tasks", spike_tasks)],
        minimums=[int(each) for each in read_numbers("--minimum", minimum)],
        scale_out_cooldowns_s=[int(each) for each in read_numbers("--scale-out-cooldown", scale_out_cooldown)],
        scale_in_cooldowns_s=[int(each) for each in read_numbers("--scale-in-cooldown", scale_in_cooldown)],
        high_resolutions=[False, True] if high_resolution else [],
        floors=floors,
    )
    tried = candidates(question.setting, grid)
    if question.price is None and objective is not Objective.ON_DEMAND:
        raise InputError(f"--objective: got {objective}, allowed: on-demand; no price: {question.unpriced}")

    def cost(simulation: Simulation) -> float:
        # Where tasks have no price, the fewest task-hours cost least.
        bill = question.bill(simulation)
        return simulation.totals.task_hours if bill is None else objective.of(bill)

    # All candidates once, and the cheaper ones with more requests.
    blocks = 2 * jobs * (traffic.minutes // SWEEP_BLOCK_MINUTES + 1)
    with PatientProgress(f"replaying {len(tried)} candidates", total=blocks) as progress:
        found = recommend(
            question.scenario,
            tried,
            traffic,
            cost=cost,
            held_out=held_out,
            tolerance_percent=tolerance_percent,
            jobs=jobs,
            advance=progress.begin,
        )
    figures = [
        question.figures("current", found.current_first),
        question.figures("recommended", found.chosen_first),
        question.figures("current, held out", found.current_held_out),
        question.figures("recommended, held out", found.chosen_held_out),
    ]
    _tell(
        question,
        traffic,
        figures,
        title="Searched on the first part of the trace, confirmed on the rest",
        against=(0, 0, 2, 2),
    )
    console = Console()
    is_priced = question.price is not None
    console.print(rejections_table(found.rejected, is_priced=is_priced))
    console.print(frontier_table(found.frontier, is_priced=is_priced))
    if found.folds:
        console.print(folds_table(found.folds))
    unvaried = nothing_to_vary(question.setting, grid)
    for line in unvaried:
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"recommended: {found.chosen.described()}", highlight=False, soft_wrap=True)
    console.print(found.why, highlight=False, soft_wrap=True)
    for line in (*described_floors(floors), *([found.floor] if found.floor else [])):
        console.print(line, highlight=False, soft_wrap=True)
    beyond = question.calibration.beyond(found.chosen.target) if question.calibration else None
    if beyond:
        console.print(f"warning: {beyond}", highlight=False, soft_wrap=True)
    more = {
        "warnings": [beyond] if beyond else [],
        "recommended": setting_as_json(found.chosen),
        "keeps_current": found.keeps,
        "why": found.why,
        "floor": found.floor,
        "allowed_breach_minutes": found.allowed_breach_minutes,
        "tolerance": {
            "percent_of_requests": found.tolerance.percent,
            "seconds_per_request": found.tolerance.seconds_per_request,
        },
        "sureness": found.sureness,
        "more_days": found.more_days,
        "added_held_out": asdict(found.added_held_out),
        "nothing_to_vary": unvaried,
        "folds": [
            {
                "start": each.start.isoformat(),
                "end": each.end.isoformat(),
                "setting": setting_as_json(each.setting),
                "keeps_current": each.keeps,
                "saving": each.saving,
                "added": asdict(each.added),
            }
            for each in found.folds
        ],
        "frontier": [
            {
                "setting": setting_as_json(each.simulation.setting),
                "task_hours": each.simulation.totals.task_hours,
                "cost_usd": each.cost if is_priced else None,
                "breached_percent": each.breached_percent,
                "is_on_frontier": each.is_on_frontier,
            }
            for each in found.frontier
        ],
        "rejected": [
            {
                "setting": setting_as_json(each.simulation.setting),
                "task_hours": each.simulation.totals.task_hours,
                "cost_usd": each.cost if is_priced else None,
                "why": each.why,
            }
            for each in found.rejected
        ],
    }
    _write(question, traffic, figures, output=output, command="recommend", more=more)
    # Drawing takes most of a second to import.
    from fargate_capacity.report.frontier_drawing import write_frontier

    unit = f"$ {objective}" if is_priced else "task-hours"
    path, picture = write_frontier(found, unit=unit, output=output)
    typer.echo(f"wrote {path}")
    drawn = replace(question, setting=found.chosen)
    figures_drawn = question.figures(question.service.name, _simulated(drawn, traffic))
    _draw(drawn, traffic, figures_drawn, output=output, pictures=[picture])


def tune_command(
    assembly: Assembly,
    trace: TraceFile,
    ceiling: Annotated[float | None, typer.Option(help="The target never goes above, percent.")] = None,
    step: Annotated[float | None, typer.Option(help="Points that a step adds.")] = None,
    observation: Annotated[
        ObservationPeriod | None, typer.Option(help="How long a target is watched before the next step.")
    ] = None,
    cool_off_days: Annotated[float | None, typer.Option(help="No step for so long after a revert.")] = None,
    final_margin: Annotated[
        float | None, typer.Option(help="Points below what held, once a target is given up.")
    ] = None,
    attempts: Annotated[int | None, typer.Option(help="How often a target may fail before it is given up.")] = None,
    latency_ratio: Annotated[
        float | None, typer.Option(help="Latency against the same hours before; more takes the step back.")
    ] = None,
    service: Service = None,
    assume: Assume = None,
    observed: Observed = None,
    latency_limit_ms: LatencyLimit = None,
    latency_p95_limit_ms: LatencyP95Limit = None,
    region: Region = None,
    prices: Prices = None,
    deployments: DeploymentsFile = None,
    output: Output = _OUT,
    period: Period = None,
    timestamp_column: TimestampColumn = "timestamp",
    requests_column: RequestsColumn = "requests",
    time_zone: TimeZone = None,
    per_second: PerSecond = False,
) -> None:
    """Replay the target tuner over the traffic: every step, every revert, and what it came to.

    Settings that are not given are those of the stack's tuner; where it has none, the tuner's own. Its guardrail are
    the alarms that the stack gives it; without a tuner, a minute beyond the limit.
    """
    given = _Given(
        service=service,
        assume=tuple(assume or ()),
        observed=observed,
        latency_limit_ms=latency_limit_ms,
        latency_p95_limit_ms=latency_p95_limit_ms,
        region=region,
        prices=prices,
        deployments=deployments,
    )
    question = given.question(assembly)
    traffic = _read_traffic(question, trace, period, timestamp_column, requests_column, time_zone, per_second)
    try:
        given_settings: dict[str, Any] = {
            "ceiling": ceiling,
            "step": step,
            "observation": observation,
            "cool_off": None if cool_off_days is None else timedelta(days=cool_off_days),
            "final_margin": final_margin,
            "attempts": attempts,
            "max_latency_ratio": latency_ratio,
        }
        declared = declared_tuner(question.assembly, question.service.stack_identity, question.scenario.model)
        settings = replace(
            declared.settings if declared else TunerSettings(ceiling=_CEILING),
            **{name: value for name, value in given_settings.items() if value is not None},
        )
    except ValueError as error:
        raise InputError(f"tune: {error}") from None
    question, watched = _guarded(question, declared)
    with PatientProgress("replaying the tuner", total=2 * (traffic.minutes // 1440 + 1)) as progress:
        tuning = tune(question.scenario, question.setting, traffic, settings, advance=progress.begin)
        other = tune(question.scenario.by_other_reading, question.setting, traffic, settings, advance=progress.begin)
    tuned = replace(question, setting=question.setting.with_target(tuning.final_target))
    figures = [
        _replayed(question, traffic, "untuned"),
        question.figures("while tuning", tuning.simulation, other=other.simulation),
        _replayed(tuned, traffic, "with the final target"),
    ]
    _tell(question, traffic, figures, title=f"{question.setting.target:g} % tuned to {tuning.final_target:g} %")
    beyond = question.calibration.beyond(tuning.final_target) if question.calibration else None
    if beyond:
        typer.echo(f"warning: {beyond}")
    for line in watched:
        typer.echo(line)
    if other.final_target != tuning.final_target:
        typer.echo(f"by the other reading of AWS's documentation it is tuned to {other.final_target:g} %")
    typer.echo(_described_saving(question, tuning))
    for decision in tuning.decisions:
        typer.echo(f"{decision.at:%Y-%m-%d %H:%M}  {decision.action:7} {decision.target:g} %  {decision.why}")
    decisions = [
        {"at": each.at.isoformat(), "action": each.action, "from": each.origin, "to": each.target, "why": each.why}
        for each in tuning.decisions
    ]
    more = {
        "final_target": tuning.final_target,
        "final_target_by_other_reading": other.final_target,
        "saved_task_hours": tuning.saved_task_hours,
        "watched": watched,
        "decisions": decisions,
        "warnings": [beyond] if beyond else [],
    }
    _write(question, traffic, figures, output=output, command="tune", more=more)
    # A year of steps would hide what they are drawn over.
    shows_steps = len(tuning.decisions) <= _MOST_CHANGES
    changes = [
        (each.at, f"{each.action} {each.target:g} %")
        for each in tuning.decisions
        if shows_steps or each.action is not Action.STEP
    ]
    _draw(tuned, traffic, figures[1], output=output, changes=changes)


def _guarded(question: Question, declared: DeclaredTuner | None) -> tuple[Question, list[str]]:
    """The question with the alarms of the stack's tuner as its guardrail, and what they are."""
    guardrail, alarms = question.scenario.guardrail, declared.guardrail.alarms if declared else ()
    left_out = [f"left out: {line}" for line in (declared.guardrail.left_out if declared else ())]
    if not alarms:
        return question, [*left_out, "guardrail: a minute beyond the limit, for want of a tuner's alarms"]
    latencies = [alarm.threshold for alarm in alarms if alarm.metric is GuardedMetric.LATENCY]
    limit = guardrail.latency_seconds if guardrail else min(latencies, default=question.scenario.model.give_up_seconds)
    guarded = replace(question.scenario, guardrail=Guardrail(latency_seconds=limit, alarms=alarms))
    described = "; ".join(alarm.described() for alarm in alarms)
    return replace(question, scenario=guarded), [f"guardrail: the alarms that are deployed: {described}", *left_out]


def _described_saving(question: Question, tuning: Tuning) -> str:
    saved = tuning.saved_task_hours
    money = ""
    if question.price is not None:
        task_hour = question.price.task_hour(
            vcpus=question.service.vcpus,
            memory_mib=question.service.memory_mib,
            storage_gib=question.service.storage_gib,
        )
        money = f", {'-' if saved < 0 else ''}${abs(saved) * task_hour:,.2f} on demand"
    return f"saved so far: {saved:,.1f} task-hours{money}, against the same hours before the first step"


def calibrate_command(
    assembly: Assembly,
    observed: Annotated[Path, typer.Option(help="What CloudWatch saw, as `fetch` writes it.")],
    service: Service = None,
    assume: Assume = None,
    deployments: DeploymentsFile = None,
    region: Region = None,
    output: Output = _OUT,
) -> None:
    """Fit the model, replay the declared setting over what was observed, and state the error."""
    question = ask(
        assembly, service=service, assume=assume or (), observed=observed, deployments=deployments, region=region
    )
    seen = read_observations(observed)
    found = question.calibration
    if found is None:
        raise InputError("--observed: got none, allowed: what CloudWatch saw, as `fetch` writes it")
    model = question.scenario.model
    table = Table(title="The model against what was observed", title_justify="left")
    for name in ("", "observed", "replayed"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row("task-hours", f"{found.task_hours_observed:,.1f}", f"{found.task_hours_replayed:,.1f}")
    table.add_row("scale-outs", f"{found.scale_outs_observed:,}", f"{found.scale_outs_replayed:,}")
    table.add_row("  in both", f"{found.scale_outs_found:,}", f"{found.scale_outs_found:,}")
    console = Console()
    console.print(table)
    if found.bands:
        console.print(bands_table(found.bands))
    for line in (
        f"fitted on {observed.name}: {1000 * model.cpu_seconds:.3g} ms CPU a request, {model.idle_percent:.1f} % idle, "
        f"hottest task {model.skew:.3g} times the average, {1000 * model.elsewhere_seconds:.0f} ms elsewhere",
        f"error: {found.described()}",
        *_described_later_days(found),
        *(f"warning: {line}" for line in found.warnings()),
        *(
            f"{observed.name}: the column {name} has no number: {_WITHOUT_COLUMN[name]}"
            for name in seen.empty_columns
            if name in _WITHOUT_COLUMN
        ),
        *(f"left out: {line}" for line in question.left_out()),
    ):
        console.print(line, highlight=False, soft_wrap=True)
    errors = asdict(found)
    del errors["totals"]
    errors["precision"], errors["warnings"] = found.precision, found.warnings()
    errors["empty_columns"] = list(seen.empty_columns)
    errors = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in errors.items()}
    output.mkdir(parents=True, exist_ok=True)
    path = output / "calibrate.json"
    content = {"command": "calibrate", "how": question.as_json(), "error": errors}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"wrote {path}")


def fetch_command(
    cluster: Annotated[str, typer.Option(help="Name of the ECS cluster.")],
    service: Annotated[str, typer.Option(help="Name of the ECS service.")],
    load_balancer: Annotated[str, typer.Option(help="As its metrics name it: app/<name>/<id>.")],
    start: Annotated[str, typer.Option(help="ISO 8601 with its zone. Default: two weeks ago.")] = "",
    end: Annotated[str, typer.Option(help="ISO 8601 with its zone. Default: now.")] = "",
    output: Annotated[Path, typer.Option(help="The CSV file; where it exists, the fetch goes on after it.")] = Path(
        "observed.csv"
    ),
    region: Annotated[str | None, typer.Option(help="Default: that of the environment.")] = None,
) -> None:
    """Fetch requests, CPU, tasks, latency and scaling activities from CloudWatch, as CSV.

    By the minute for 15 days back, by five minutes for 63, by the hour for 15 months: CloudWatch keeps no more.
    """
    # AWS's client takes most of a second to import.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    now = datetime.now(tz=UTC).replace(second=0, microsecond=0)
    first = _moment("--start", start) if start else now - timedelta(days=14)
    last = _moment("--end", end) if end else now
    which = ObservedService(cluster=cluster, service=service, load_balancer=load_balancer)
    activities = output.with_name(f"{output.stem}-activities.csv")
    try:
        with PatientProgress("fetching days", total=max((last - first).days + 1, 1)) as progress:
            minutes = fetch_metrics(
                boto3.client("cloudwatch", region_name=region),
                which,
                start=first,
                end=last,
                path=output,
                now=now,
                advance=progress.begin,
            )
        changes = fetch_activities(boto3.client("application-autoscaling", region_name=region), which, path=activities)
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"fetch: AWS answered: {error}; what was written stays, run it again to go on") from None
    typer.echo(f"wrote {minutes:,} minutes to {output}, {changes:,} scaling activities to {activities}")
    if (coarsest := period_minutes(first, now=now)) > 1:
        typer.echo(
            f"the oldest are means of {coarsest} minutes, since CloudWatch no longer has each minute: bursts within "
            "them do not show"
        )


def _described_later_days(found: Calibration) -> list[str]:
    later = found.later
    if later is None:
        return []
    latency = "" if math.isnan(later.latency_error) else f", latency {later.latency_error:.0%} (median)"
    return [
        f"on later days than those fitted: average CPU {later.cpu_error_points:.1f} points "
        f"({later.fitted_cpu_error_points:.1f} on those fitted){latency}"
    ]


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: got {text!r}, allowed: ISO 8601, as 2026-11-23T09:00:00Z") from None
    if moment.tzinfo is None:
        raise InputError(f"{option}: got {text!r} without a time zone, allowed: one with, as 2026-11-23T09:00:00Z")
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The options that all subcommands share."""

    service: str | None
    assume: tuple[str, ...]
    observed: Path | None
    latency_limit_ms: float | None
    latency_p95_limit_ms: float | None
    region: str | None
    prices: Path | None
    deployments: Path | None

    def question(self, folder: Path) -> Question:
        return ask(
            folder,
            service=self.service,
            assume=self.assume,
            observed=self.observed,
            latency_limit_ms=self.latency_limit_ms,
            latency_p95_limit_ms=self.latency_p95_limit_ms,
            region=self.region,
            prices=self.prices,
            deployments=self.deployments,
        )


def _read_traffic(
    question: Question,
    path: Path,
    period: int | None,
    timestamp_column: str,
    requests_column: str,
    time_zone: str | None,
    per_second: bool,
) -> Trace:
    try:
        zone = ZoneInfo(time_zone) if time_zone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(f"--time-zone: got {time_zone!r}, allowed: a name of the IANA database, as UTC") from None
    columns = CsvColumns(timestamp=timestamp_column, requests=requests_column, zone=zone)
    with PatientProgress(
        "reading traffic", total=max(path.stat().st_size // 30, 1) if path.exists() else 1
    ) as progress:
        trace = read_traffic(
            path,
            columns=columns,
            period_minutes=period,
            is_per_second=per_second,
            on_progress=lambda rows: progress.begin(f"{rows:,} rows"),
        )
    return with_burstiness(trace, question.scenario.model.burstiness)


def _replayed(question: Question, traffic: Trace, name: str) -> Figures:
    """The figures of the question's own setting, drawn, by both readings of AWS's documentation."""
    other = simulate(question.scenario.by_other_reading, question.setting, traffic)
    return question.figures(name, _simulated(question, traffic), other=other)


def _simulated(question: Question, traffic: Trace) -> Simulation:
    with PatientProgress("replaying", total=traffic.minutes // 10_080 + 1) as progress:
        return simulate(question.scenario, question.setting, traffic, draws=True, advance=progress.begin)


def _tell(
    question: Question, traffic: Trace, figures: list[Figures], *, title: str, against: Sequence[int] | None = None
) -> None:
    console = Console()
    console.print(figures_table(figures, title=title, against=against))
    for each in figures:
        totals, maximum = each.simulation.totals, each.simulation.setting.bounds.maximum
        if totals.highest_tasks >= maximum and totals.saturated_minutes > _FEW_SATURATED * totals.minutes:
            console.print(
                f"{each.name}: {totals.saturated_minutes:,} minutes are saturated though all {maximum} tasks that are "
                "allowed were used; raise the maximum, or check cpu_ms",
                highlight=False,
                soft_wrap=True,
            )
        if totals.failed_requests >= 1:
            console.print(
                f"{each.name}: {totals.failed_requests:,.0f} of {totals.requests:,.0f} requests failed "
                f"({totals.failed_requests / totals.requests:.2%}): they would have waited more than "
                f"{question.scenario.model.give_up_seconds:g} s, or no task ran",
                highlight=False,
                soft_wrap=True,
            )
        if each.simulation.setting.bounds.minimum == 0:
            console.print(
                f"{each.name}: with 0 tasks nothing is served and there is no CPU to track: target tracking cannot "
                "start from 0; a minimum of 1 or a schedule can",
                highlight=False,
                soft_wrap=True,
            )
    for line in _provenance(question, traffic):
        console.print(line, highlight=False, soft_wrap=True)


def _provenance(question: Question, traffic: Trace) -> list[str]:
    """Every figure says how it was made."""
    model = question.scenario.model
    error = question.error or "not known; `calibrate` finds it"
    lines = [
        f"service: {question.service.identity}",
        f"setting: {question.described_setting()}",
        f"traffic: {traffic.name}, {traffic.minutes:,} minutes from {traffic.start:%Y-%m-%d %H:%M} UTC, "
        f"gaps: {len(traffic.gaps)}, of {traffic.missing_minutes:,} minutes in all",
        *(f"traffic: {note}" for note in traffic.notes),
        f"model: {1000 * model.cpu_seconds:g} ms CPU a request, hottest task {model.skew:g} times the average, "
        f"{model.start_seconds:.0f} s until a new task serves, alarms {model.metric_delay_seconds:g} s behind a "
        f"minute's CPU, {model.high_resolution_delay_seconds:g} s behind that of every 20 seconds; requests "
        + ("served one after another" if model.queueing is Queueing.FIFO else "share the CPU")
        + f", and give up after {model.give_up_seconds:g} s",
        "readings: AWS publishes no formula of target tracking; figures are for a datapoint times the tasks of its own "
        "minute, and a range reaches to the tasks that run when the alarm acts",
        *_hidden(traffic, model.burstiness),
        f"error against what was observed: {error}",
        *(f"warning: {line}" for line in (question.calibration.warnings() if question.calibration else ())),
        _described_price(question),
    ]
    return lines + [f"left out: {line}" for line in question.left_out()]


def _described_price(question: Question) -> str:
    price = question.price
    if price is None:
        return f"prices: none, task-hours alone: {question.unpriced}"
    licence = f", a licence of ${price.licence_vcpu_hour:g} a vCPU and hour" if price.licence_vcpu_hour else ""
    return (
        f"prices: {price.region}, {price.architecture}, as of {price.dated}{licence}; Spot at its best, "
        f"{price.spot_discount:.0%} off what is above the minimum; Savings Plan {price.savings_plan_discount:.0%} off"
    )


def _described_bill(bill: Bill | None) -> str:
    if bill is None:
        return "no price"
    return (
        f"${bill.on_demand:,.2f} on demand, ${bill.with_spot:,.2f} with Spot, ${bill.with_savings_plan:,.2f} with a "
        f"Savings Plan of ${bill.commitment:.3f} an hour"
    )


def _hidden(traffic: Trace, burstiness: float) -> list[str]:
    """What traffic by longer periods does not show."""
    period = traffic.period_minutes
    if period == 1:
        return []
    spread = (
        f"assumed {burstiness:g} times as busy in one minute of each as on average"
        if burstiness > 1
        else "taken as evenly spread: assume more with --assume burstiness=…, the busiest minute of a period / its mean"
    )
    return [f"periods of {period} minutes hide what rises and falls within: breaches are at least these; {spread}"]


def _write(
    question: Question,
    traffic: Trace,
    figures: list[Figures],
    *,
    output: Path,
    command: str,
    more: dict[str, Any] | None = None,
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{command}.json"
    content: dict[str, Any] = {
        "command": command,
        "how": question.as_json() | {"traffic": _traffic_as_json(traffic)},
        "results": [each.as_json() for each in figures],
    } | (more or {})
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"wrote {path}")


def _traffic_as_json(traffic: Trace) -> dict[str, Any]:
    return {
        "name": traffic.name,
        "start": traffic.start.isoformat(),
        "minutes": traffic.minutes,
        "period_minutes": traffic.period_minutes,
        "missing_minutes": traffic.missing_minutes,
        "gaps": [{"start": gap.start.isoformat(), "minutes": gap.minutes} for gap in traffic.gaps],
    }


def _draw(
    question: Question,
    traffic: Trace,
    figures: Figures,
    *,
    output: Path,
    changes: Sequence[tuple[datetime, str]] = (),
    pictures: Sequence[Picture] = (),
) -> None:
    # Drawing takes most of a second to import.
    from fargate_capacity.report.monitor import Mark, Monitor, breaches, write_monitor

    series, totals, bill = figures.simulation.series, figures.simulation.totals, figures.bill
    if series is None:
        return
    summary = [
        f"{totals.task_hours:,.0f} task-hours; {_described_bill(bill)}; "
        f"{totals.breach_minutes:,} minutes beyond the guardrail, {totals.low_confidence_minutes:,} of low confidence",
        *_provenance(question, traffic),
    ]
    monitor = Monitor(
        name=f"{question.service.name}-replay",
        title=f"{question.service.name} on {traffic.name}",
        stack=question.service.stack_identity,
        setting=figures.simulation.setting,
        series=series,
        summary=summary,
        guardrail=question.scenario.guardrail,
        marks=[
            *(Mark(time=time, label=label) for time, label in changes),
            *breaches(series, question.scenario.guardrail),
        ],
        pictures=pictures,
    )
    with PatientProgress("drawing", total=1) as progress:
        for path in write_monitor(question.assembly, monitor, output=output, advance=progress.begin):
            typer.echo(f"wrote {path}")
