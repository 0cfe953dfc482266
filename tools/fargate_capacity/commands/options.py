"""The options that several subcommands share, each declared once."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from fargate_capacity.floor_decisions import LookBack
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.assumptions import ASSUMPTIONS
from fargate_capacity.plan.floor_options import FloorOptions
from fargate_capacity.plan.question import Question, ask
from fargate_capacity.progress import PatientProgress
from fargate_capacity.traffic.burstiness import with_burstiness
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.trace_csv import CsvColumns
from fargate_capacity.traffic.traffic_file import read_traffic

OUTPUT = Path("build/capacity")

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
    float | None, typer.Option(help="Guardrail: the highest mean latency at the hottest task, ms.")
]
LatencyP95Limit = Annotated[
    float | None,
    typer.Option(help="Guardrail: the highest p95 latency instead; p95 is the mean times `--assume p95_ratio`."),
]
Region = Annotated[
    str | None, typer.Option(help="Region of the prices. Default: the stack's; without any, tasks have no price.")
]
Prices = Annotated[Path | None, typer.Option(help="A price table to use instead of the built-in, dated one.")]
DeploymentsFile = Annotated[
    Path | None,
    typer.Option("--deployments", help="CSV with `start` and `end` of deployments, during which nothing scales in."),
]
Observed = Annotated[
    Path | None,
    typer.Option(
        help="CloudWatch's metrics, as `fetch` writes them: the model is fitted to them, and its error is reported."
    ),
]
Output = Annotated[Path, typer.Option(help="The folder that is written.")]
Period = Annotated[int | None, typer.Option(help="Minutes per row. Default: the time between the first two rows.")]
PerSecond = Annotated[
    bool,
    typer.Option(
        "--per-second", help="The JSON has requests per second, as from PromQL's rate(), not counts per period."
    ),
]
TimestampColumn = Annotated[str, typer.Option(help="Column of the times.")]
RequestsColumn = Annotated[str, typer.Option(help="Column of the requests; in JSON the series' id or label.")]
TimeZone = Annotated[str | None, typer.Option(help="Time zone of times without one, as UTC or Asia/Tokyo.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOptions:
    """The options of every subcommand that replays traffic; each field is an option."""

    service: Service = None
    assume: Assume = None
    observed: Observed = None
    latency_limit_ms: LatencyLimit = None
    latency_p95_limit_ms: LatencyP95Limit = None
    region: Region = None
    prices: Prices = None
    deployments: DeploymentsFile = None
    output: Output = OUTPUT
    period: Period = None
    timestamp_column: TimestampColumn = "timestamp"
    requests_column: RequestsColumn = "requests"
    time_zone: TimeZone = None
    per_second: PerSecond = False

    def question(self, folder: Path) -> Question:
        """The question about the service of a cloud assembly."""
        return ask(
            folder,
            service=self.service,
            assume=tuple(self.assume or ()),
            observed=self.observed,
            latency_limit_ms=self.latency_limit_ms,
            latency_p95_limit_ms=self.latency_p95_limit_ms,
            region=self.region,
            prices=self.prices,
            deployments=self.deployments,
        )

    def traffic(self, question: Question, path: Path) -> Trace:
        """Reads the traffic of a file or folder."""
        try:
            zone = ZoneInfo(self.time_zone) if self.time_zone else None
        except (ZoneInfoNotFoundError, ValueError):
            raise InputError(
                f"--time-zone: got {self.time_zone!r}, allowed: a name of the IANA database, as UTC"
            ) from None
        columns = CsvColumns(timestamp=self.timestamp_column, requests=self.requests_column, zone=zone)
        with PatientProgress(
            "reading traffic", total=max(path.stat().st_size // 30, 1) if path.exists() else 1
        ) as progress:
            trace = read_traffic(
                path,
                columns=columns,
                period_minutes=self.period,
                is_per_second=self.per_second,
                on_progress=lambda rows: progress.begin(f"{rows:,} rows"),
            )
        return with_burstiness(trace, question.scenario.model.burstiness)


FloorCpu = Annotated[
    str | None,
    typer.Option(
        "--floor",
        help="Add forecast floors to the policies: the average CPU, percent, at which the floor's tasks carry the "
        "forecast load, as 70 or 50:80:10.",
    ),
]
FloorLead = Annotated[str | None, typer.Option(help="Minutes before the load at which a floor rises. Default: 30.")]
FloorLookBack = Annotated[
    LookBack | None,
    typer.Option(
        help="Forecast from the same time of the last 7 days, or of that weekday in the last 4 weeks. Default: both "
        "if the searched part has four weeks."
    ),
]
FloorTimeZone = Annotated[str, typer.Option(help="Time zone of a floor's days: 8:00 stays 8:00 when clocks change.")]
Holidays = Annotated[Path | None, typer.Option(help="A file of holidays, one day per line, as 2026-12-25.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorGroup:
    """The options of a forecast floor; each field is an option."""

    floor: FloorCpu = None
    floor_lead: FloorLead = None
    floor_look_back: FloorLookBack = None
    floor_time_zone: FloorTimeZone = "UTC"
    holidays: Holidays = None

    def options(self) -> FloorOptions:
        return FloorOptions(
            utilizations=self.floor,
            leads=self.floor_lead,
            look_back=self.floor_look_back,
            time_zone=self.floor_time_zone,
            holidays=self.holidays,
        )


def with_grouped_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` in the form that typer accepts: a dataclass argument becomes one option per field."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            parameters.append(parameter.replace(annotation=hints[parameter.name], kind=parameter.KEYWORD_ONLY))
            continue
        of_fields = typing.get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=of_fields[field.name]
            )
            for field in fields(group)
        ]

    def run(**given: Any) -> None:
        grouped = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **grouped)

    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = command.__doc__
    return run
