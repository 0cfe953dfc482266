"""The command `cdk-costs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fargate_capacity.input_error import InputError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def costs(
    assembly: Annotated[Path, typer.Argument(metavar="ASSEMBLY", help="The cloud assembly, as `cdk synth` writes it.")],
    left: Annotated[
        bool, typer.Option("--left", help="Say instead what is left after `cdk destroy`, and what that costs.")
    ] = False,
) -> None:
    """Say what the stacks of an app cost in a month whatever the traffic, in US dollars, by resource."""
    from cdk_review.assembly import read_assembly

    stacks = read_assembly(assembly).values()
    if left:
        from cdk_review.standing_cost import kept_resources

        kept = [found for stack in stacks for found in kept_resources(stack.path, stack.resources())]
        for found in kept:
            typer.echo(f"{found.path}: {found.type}, {found.price}")
        together = sum(found.month for found in kept)
        typer.echo(f"{_counted(len(kept), 'resource')} of the templates left, ${together:.2f} per month beside storage")
        return
    from cdk_review.fixed_cost import prices
    from cdk_review.standing_cost import construct_path, standing_charges

    total = 0.0
    for stack in stacks:
        charges = standing_charges(stack)
        month = sum(charge.month or 0.0 for charge in charges)
        total += month
        typer.echo(f"{stack.path}: ${month:,.2f} per month")
        resources = stack.resources()
        for charge in charges:
            amount = "no price" if charge.month is None else f"{charge.month:,.2f}"
            where = construct_path(charge.logical_id, resources[charge.logical_id])
            typer.echo(f"  {amount:>9}  {charge.what} ({where}{charge.place})")
    typer.echo(f"together ${total:,.2f} per month, without traffic, requests and what is stored")
    services = prices()["services"]
    typer.echo(f"prices of {services['dated']}; other than Fargate's, those of {services['region']}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def main() -> None:
    """Runs the command; what a user can correct is one line on standard error and exit status 1."""
    try:
        app()
    except InputError as error:
        typer.echo(f"cdk-costs: {error}", err=True)
        sys.exit(1)
