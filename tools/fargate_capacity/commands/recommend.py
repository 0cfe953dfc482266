"""`fargate-capacity recommend`: finds the cheapest setting that keeps within the tolerance."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from fargate_capacity.commands.options import (
    Assembly,
    FloorGroup,
    TraceFile,
    TrafficOptions,
)
from fargate_capacity.commands.shown import draw, show, simulated, write
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.added_breach import DEFAULT_TOLERANCE_PERCENT, Tolerance
from fargate_capacity.plan.candidates import Grid, candidates, nothing_to_vary, read_numbers
from fargate_capacity.plan.figures import setting_as_json
from fargate_capacity.plan.floor_options import described_floors
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.schedule_proposal import ScheduleSearch
from fargate_capacity.plan.simulation import Simulation
from fargate_capacity.plan.sweep import SWEEP_BLOCK_MINUTES
from fargate_capacity.pricing.bill import Bill
from fargate_capacity.progress import PatientProgress
from fargate_capacity.report.tables import folds_table, frontier_table, rejections_table
from fargate_capacity.traffic.trace import DAY_MINUTES


class Objective(StrEnum):
    """Which bill to minimise."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    SAVINGS_PLAN = "savings-plan"

    def of(self, bill: Bill) -> float:
        """The cost of a simulation."""
        if self is Objective.SPOT:
            return bill.with_spot
        return bill.with_savings_plan if self is Objective.SAVINGS_PLAN else bill.on_demand


def recommend_command(
    assembly: Assembly,
    trace: TraceFile,
    *,
    target: Annotated[str | None, typer.Option(help="Targets to try, percent: 40,50 or 40:80:5.")] = None,
    spike_threshold: Annotated[str | None, typer.Option(help="Spike thresholds to try, percent.")] = None,
    spike_tasks: Annotated[str | None, typer.Option(help="Numbers of tasks that a spike adds, to try.")] = None,
    minimum: Annotated[str | None, typer.Option(help="Minimums to try.")] = None,
    scale_out_cooldown: Annotated[str | None, typer.Option(help="Scale-out cooldowns to try, seconds.")] = None,
    scale_in_cooldown: Annotated[str | None, typer.Option(help="Scale-in cooldowns to try, seconds.")] = None,
    high_resolution: Annotated[
        bool, typer.Option("--high-resolution", help="Try each with the CPU of every 20 seconds, too.")
    ] = False,
    objective: Annotated[Objective, typer.Option(help="Which bill to minimise.")] = Objective.ON_DEMAND,
    held_out: Annotated[
        float, typer.Option(help="Share of the trace, at its end, that is held out to verify on.")
    ] = 0.3,
    tolerance_percent: Annotated[
        float, typer.Option(help="Percentage of all requests that may be beyond the limit in addition to those now.")
    ] = DEFAULT_TOLERANCE_PERCENT,
    jobs: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
    schedule: Annotated[
        bool,
        typer.Option(
            "--schedule",
            help="Propose a few cron lines with minimums, where that is nearly as good as a forecast floor.",
        ),
    ] = False,
    schedule_time_zone: Annotated[
        str, typer.Option(help="Of a schedule's clock: 8:00 stays 8:00 when clocks change.")
    ] = "UTC",
    given: TrafficOptions,
    floors: FloorGroup,
) -> None:
    """Find the cheapest setting that surely breaches little more than now, with a reason for each rejected one.

    A setting is judged by how many requests are beyond the limit, and how long these wait. It is chosen on the first
    part of the trace, as it would have been at earlier times. The rest must confirm it, or the current setting stays.
    """
    question = given.question(assembly)
    traffic = given.traffic(question, trace)
    tried_floors = floors.options().floors(question, traffic, searched=1 - held_out)
    grid = Grid(
        targets=read_numbers("--target", target),
        spike_thresholds=read_numbers("--spike-threshold", spike_threshold),
        spike_tasks=[int(each) for each in read_numbers("--spike-tasks", spike_tasks)],
        minimums=[int(each) for each in read_numbers("--minimum", minimum)],
        scale_out_cooldowns_s=[int(each) for each in read_numbers("--scale-out-cooldown", scale_out_cooldown)],
        scale_in_cooldowns_s=[int(each) for each in read_numbers("--scale-in-cooldown", scale_in_cooldown)],
        high_resolutions=[False, True] if high_resolution else [],
        floors=tried_floors,
    )
    tried = candidates(question.setting, grid)
    if question.price is None and objective is not Objective.ON_DEMAND:
        raise InputError(f"--objective: got {objective}, allowed: on-demand; no price: {question.unpriced}")

    def cost(simulation: Simulation) -> float:
        # Without a price for the tasks, task-hours are the cost.
        bill = question.bill(simulation)
        return simulation.totals.task_hours if bill is None else objective.of(bill)

    readable = ScheduleSearch(
        scenario=question.scenario,
        current=question.setting,
        floors=tried_floors,
        time_zone=schedule_time_zone,
        cost=cost,
        tolerance=Tolerance(percent=tolerance_percent, give_up_seconds=question.scenario.model.give_up_seconds),
    )
    if schedule and 0 < held_out < 1:
        readable.check(question.service.name, (1 - held_out) * traffic.minutes / DAY_MINUTES)

    # All candidates once, and the cheaper ones again with more requests.
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
    show(
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
    for line in (*described_floors(tried_floors), *([found.floor] if found.floor else [])):
        console.print(line, highlight=False, soft_wrap=True)
    proposal = None
    if schedule:
        with PatientProgress("replaying schedules", total=blocks) as progress:
            proposal = readable.proposal(
                traffic,
                base=found.chosen,
                reactive=tried,
                searched=1 - held_out,
                jobs=jobs,
                advance=progress.begin,
            )
        for line in proposal.lines():
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
        **({"schedule": proposal.as_json()} if proposal else {}),
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
    write(question, traffic, figures, output=given.output, command="recommend", more=more)
    # The drawing modules take most of a second to import.
    from fargate_capacity.report.frontier_drawing import write_frontier

    unit = f"$ {objective}" if is_priced else "task-hours"
    path, picture = write_frontier(found, unit=unit, output=given.output)
    typer.echo(f"wrote {path}")
    drawn = replace(question, setting=found.chosen)
    figures_drawn = question.figures(question.service.name, simulated(drawn, traffic))
    draw(drawn, traffic, figures_drawn, output=given.output, pictures=[picture])
