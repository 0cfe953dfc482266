"""The command `fargate-capacity`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fargate_capacity.auto_period import VIEWS
from fargate_capacity.commands.register import register
from fargate_capacity.input_error import InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def _capacity() -> None:
    """What a cloud assembly's services will look like and cost, before they are deployed."""


@app.command()
def preview(
    assembly: Annotated[
        Path, typer.Argument(metavar="CDK_OUT", help="The cloud assembly, as `cdk synth` writes it.")
    ] = Path("cdk.out"),
    output: Annotated[Path, typer.Option(help="The folder that is written.")] = Path("build/preview"),
    data: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file with `timestamp` and one column per metric, named by its label or as "
            "namespace/metric/stat. "
            "Default: sample series.",
        ),
    ] = None,
    dashboard: Annotated[
        list[str] | None, typer.Option(help="Only the dashboard of this name; may be repeated.")
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(
            help="The time range to show: 3h, 1d, 1w or 4w, at the period that CloudWatch would use. "
            "Default: each dashboard's own.",
        ),
    ] = None,
) -> None:
    """Draw every dashboard of a cloud assembly as one HTML page and as a PNG file each."""
    # The drawing modules take most of a second to import: `--help` and refusals do not wait for them.
    from fargate_capacity.cloud_assembly import CloudAssembly
    from fargate_capacity.csv_series import CsvSeries
    from fargate_capacity.dashboards import find_dashboards

    if view is not None and view not in VIEWS:
        raise InputError(f"view: got {view}, allowed: {', '.join(VIEWS)}")
    if view is not None and data is not None:
        raise InputError(f"view: got {view} beside data, allowed: none, the data have their own time; leave it out")
    read = CloudAssembly(assembly)
    unreadable: list[str] = []
    dashboards = find_dashboards(read, names=tuple(dashboard or ()), unreadable=unreadable)
    series = CsvSeries(data) if data else None

    from fargate_capacity.preview import write_preview
    from fargate_capacity.progress import PatientProgress

    with PatientProgress("drawing dashboards", total=len(dashboards)) as progress:
        drawn = write_preview(
            read, dashboards, output=output, data=series, advance=progress.begin, view=VIEWS.get(view or "")
        )
    for path in drawn.files:
        typer.echo(f"wrote {path}")
    for line in (*read.unreadable, *unreadable, *drawn.not_drawn):
        typer.echo(f"left out: {line}", err=True)
    if drawn.characters_without_font:
        typer.echo(
            f"no font here has {drawn.characters_without_font[:20]}: boxes in the PNG files, not on the page; "
            "install one, as Noto Sans CJK JP",
            err=True,
        )
    if series and series.columns_not_drawn:
        typer.echo(f"no metric of a dashboard goes by the column: {', '.join(series.columns_not_drawn)}", err=True)


register(app)


def main() -> None:
    """Runs the command. An error that a user can correct is one line on standard error, with exit status 1."""
    try:
        app()
    except InputError as error:
        typer.echo(f"fargate-capacity: {error}", err=True)
        sys.exit(1)
