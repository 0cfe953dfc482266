"""`fargate-capacity calibrate`: fits the model to observed traffic and reports its error."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fargate_capacity.commands.options import (
    OUTPUT,
    Assembly,
    Assume,
    DeploymentsFile,
    Output,
    Region,
    Service,
)
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.calibration import Calibration
from fargate_capacity.observed.observations import read_observations
from fargate_capacity.plan.question import ask
from fargate_capacity.report.tables import bands_table

_WITHOUT_COLUMN = {
    "cpu_maximum": "the hottest task is taken to be as the others",
    "latency_ms": "latency is not checked, and nothing is known of what a request waits for others",
}


def calibrate_command(
    assembly: Assembly,
    observed: Annotated[Path, typer.Option(help="CloudWatch's metrics, as `fetch` writes them.")],
    service: Service = None,
    assume: Assume = None,
    deployments: DeploymentsFile = None,
    region: Region = None,
    output: Output = OUTPUT,
) -> None:
    """Fit the model to observed traffic, replay the declared setting on it, and report the error."""
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


def _described_later_days(found: Calibration) -> list[str]:
    later = found.later
    if later is None:
        return []
    latency = "" if math.isnan(later.latency_error) else f", latency {later.latency_error:.0%} (median)"
    return [
        f"on later days than those fitted: average CPU {later.cpu_error_points:.1f} points "
        f"({later.fitted_cpu_error_points:.1f} on those fitted){latency}"
    ]
