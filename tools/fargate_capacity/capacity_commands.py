"""The subcommands that replay traffic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.assumptions import ASSUMPTIONS
from fargate_capacity.plan.question import Question, ask
from fargate_capacity.plan.simulation import Simulation, simulate
from fargate_capacity.progress import PatientProgress
from fargate_capacity.report.figures import Figures, figures_table
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.trace_csv import CsvColumns, read_trace

Assembly = Annotated[Path, typer.Argument(metavar="CDK_OUT", help="The cloud assembly, as `cdk synth` writes it.")]
TraceFile = Annotated[
    Path, typer.Option("--trace", help="CSV of requests: `timestamp` (ISO 8601 with its zone) and `requests`.")
]
Service = Annotated[str | None, typer.Option(help="Name or logical id of the service, where there are several.")]
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
Region = Annotated[str | None, typer.Option(help="Of the prices. Default: the stack's.")]
Prices = Annotated[Path | None, typer.Option(help="A price table in place of the project's dated one.")]
DeploymentsFile = Annotated[
    Path | None, typer.Option("--deployments", help="CSV with `start` and `end`: nothing scales in meanwhile.")
]
Output = Annotated[Path, typer.Option(help="The folder that is written.")]
Period = Annotated[int | None, typer.Option(help="Minutes of a row. Default: between the first two rows.")]
TimestampColumn = Annotated[str, typer.Option(help="Column of the times.")]
RequestsColumn = Annotated[str, typer.Option(help="Column of the requests.")]
TimeZone = Annotated[str | None, typer.Option(help="Of times that name no zone, as UTC or Asia/Tokyo.")]

_OUT = Path("build/capacity")


def register(app: typer.Typer) -> None:
    """Adds the subcommands to the command."""
    app.command("simulate")(simulate_command)


def simulate_command(
    assembly: Assembly,
    trace: TraceFile,
    service: Service = None,
    assume: Assume = None,
    latency_limit_ms: LatencyLimit = None,
    region: Region = None,
    prices: Prices = None,
    deployments: DeploymentsFile = None,
    output: Output = _OUT,
    period: Period = None,
    timestamp_column: TimestampColumn = "timestamp",
    requests_column: RequestsColumn = "requests",
    time_zone: TimeZone = None,
) -> None:
    """Say what the declared policies would have done to tasks, latency and bill on this traffic."""
    question = ask(
        assembly,
        service=service,
        assume=assume or (),
        latency_limit_ms=latency_limit_ms,
        region=region,
        prices=prices,
        deployments=deployments,
    )
    traffic = _read_traffic(trace, period, timestamp_column, requests_column, time_zone)
    simulation = _simulated(question, traffic, draws=True)
    figures = question.figures(question.service.name, simulation)
    _tell(question, traffic, [figures], title="What the declared policies would have done")
    _write(question, traffic, [figures], output=output, command="simulate")
    _draw(question, traffic, figures, output=output)


def _read_traffic(
    path: Path, period: int | None, timestamp_column: str, requests_column: str, time_zone: str | None
) -> Trace:
    try:
        zone = ZoneInfo(time_zone) if time_zone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(f"--time-zone: got {time_zone!r}, allowed: a name of the IANA database, as UTC") from None
    columns = CsvColumns(timestamp=timestamp_column, requests=requests_column, zone=zone)
    with PatientProgress(
        "reading traffic", total=max(path.stat().st_size // 30, 1) if path.exists() else 1
    ) as progress:
        return read_trace(
            path, columns=columns, period_minutes=period, on_progress=lambda rows: progress.begin(f"{rows:,} rows")
        )


def _simulated(question: Question, traffic: Trace, *, draws: bool) -> Simulation:
    with PatientProgress("replaying", total=traffic.minutes // 10_080 + 1) as progress:
        return simulate(question.scenario, question.setting, traffic, draws=draws, advance=progress.begin)


def _tell(question: Question, traffic: Trace, figures: list[Figures], *, title: str) -> None:
    console = Console()
    console.print(figures_table(figures, title=title))
    for line in _provenance(question, traffic):
        console.print(line, highlight=False, soft_wrap=True)


def _provenance(question: Question, traffic: Trace) -> list[str]:
    """Every figure says how it was made."""
    model, price = question.scenario.model, question.price
    lines = [
        f"setting: {question.setting.described()}",
        f"traffic: {traffic.name}, {traffic.minutes:,} minutes from {traffic.start:%Y-%m-%d %H:%M} UTC, "
        f"{len(traffic.gaps)} gaps of {traffic.missing_minutes:,} minutes in all",
        f"model: {1000 * model.cpu_seconds:g} ms CPU a request, hottest task {model.skew:g} times the average, "
        f"{model.start_seconds:.0f} s until a new task serves, alarms {model.metric_delay_minutes} minutes behind",
        "error against what was observed: not known; `calibrate` finds it",
        f"prices: {price.region}, {price.architecture}, as of {price.dated}; Spot at its best, "
        f"{price.spot_discount:.0%} off what is above the minimum; Savings Plan {price.savings_plan_discount:.0%} off",
    ]
    return lines + [f"left out: {line}" for line in question.service.unmodelled]


def _write(question: Question, traffic: Trace, figures: list[Figures], *, output: Path, command: str) -> None:
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{command}.json"
    content: dict[str, Any] = {
        "command": command,
        "how": question.as_json() | {"traffic": _traffic_as_json(traffic)},
        "results": [each.as_json() for each in figures],
    }
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


def _draw(question: Question, traffic: Trace, figures: Figures, *, output: Path) -> None:
    # Drawing takes most of a second to import.
    from fargate_capacity.report.monitor import Monitor, breaches, write_monitor

    series, totals, bill = figures.simulation.series, figures.simulation.totals, figures.bill
    if series is None:
        return
    summary = [
        f"{totals.task_hours:,.0f} task-hours; ${bill.on_demand:,.2f} on demand, ${bill.with_spot:,.2f} with Spot, "
        f"${bill.with_savings_plan:,.2f} with a Savings Plan of ${bill.commitment:.3f} an hour; "
        f"{totals.breach_minutes:,} minutes beyond the guardrail, {totals.low_confidence_minutes:,} of low confidence",
        *_provenance(question, traffic),
    ]
    monitor = Monitor(
        name=f"{figures.name}-replay",
        stack=question.service.stack,
        setting=figures.simulation.setting,
        series=series,
        summary=summary,
        guardrail=question.scenario.guardrail,
        marks=breaches(series, question.scenario.guardrail),
    )
    with PatientProgress("drawing", total=1) as progress:
        for path in write_monitor(question.assembly, monitor, output=output, advance=progress.begin):
            typer.echo(f"wrote {path}")
