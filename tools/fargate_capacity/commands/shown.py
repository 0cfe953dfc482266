"""The output of every subcommand: replays, then shows, writes and draws the figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from fargate_capacity.plan.figures import Figures
from fargate_capacity.plan.priced_service import PricedService
from fargate_capacity.plan.question import Question
from fargate_capacity.plan.simulation import Simulation, simulate
from fargate_capacity.pricing.bill import Bill
from fargate_capacity.progress import PatientProgress
from fargate_capacity.replay.service_model import Queueing
from fargate_capacity.report.tables import figures_table
from fargate_capacity.traffic.trace import Trace

if TYPE_CHECKING:
    from fargate_capacity.page import Picture

# Share of all minutes: a jump in traffic saturates a few minutes before its new tasks serve.
_FEW_SATURATED = 0.01


def replayed(question: Question, traffic: Trace, name: str) -> Figures:
    """The figures of the declared setting, with a drawn series, by both readings of AWS's documentation."""
    other = simulate(question.scenario.by_other_reading, question.setting, traffic)
    return question.figures(name, simulated(question, traffic), other=other)


def simulated(question: Question, traffic: Trace) -> Simulation:
    with PatientProgress("replaying", total=traffic.minutes // 10_080 + 1) as progress:
        return simulate(question.scenario, question.setting, traffic, draws=True, advance=progress.begin)


def show(
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
    """States how the figures were calculated."""
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
        described_price(question),
    ]
    return lines + [f"left out: {line}" for line in question.left_out()]


def described_price(question: Question | PricedService) -> str:
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
    """A note on what traffic with longer periods does not show."""
    period = traffic.period_minutes
    if period == 1:
        return []
    spread = (
        f"assumed {burstiness:g} times as busy in one minute of each as on average"
        if burstiness > 1
        else "taken as evenly spread: assume more with --assume burstiness=…, the busiest minute of a period / its mean"
    )
    return [f"periods of {period} minutes hide what rises and falls within: breaches are at least these; {spread}"]


def write(
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


def draw(
    question: Question,
    traffic: Trace,
    figures: Figures,
    *,
    output: Path,
    changes: Sequence[tuple[datetime, str]] = (),
    pictures: Sequence[Picture] = (),
) -> None:
    # The drawing modules take most of a second to import.
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
