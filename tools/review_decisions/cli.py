"""The command `review-decisions`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from review_decisions.left_out import COUNTED_DAYS, Action, LeftOut, RefusedError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Table = Annotated[str, typer.Option(help="The reviewers' table: the output ReviewTableName.")]
Why = Annotated[str, typer.Option(help="The reason, which is kept.")]
Reviewer = Annotated[str, typer.Argument(help="The reviewer's subject, as decisions, logs and errors name it.")]


@app.command()
def leave_out(reviewer: Reviewer, table: Table, why: Why) -> None:
    """Exclude a reviewer's decisions, past and future ones, from every release from now on."""
    _change("leave-out", reviewer, table, why)


@app.command()
def take_back(reviewer: Reviewer, table: Table, why: Why) -> None:
    """Let the decisions of an excluded reviewer count again."""
    _change("take-back", reviewer, table, why)


@app.command("list")
def list_entries(table: Table) -> None:
    """Print who was excluded and included again, when, by whom and why."""
    for entry in LeftOut(boto3.client("dynamodb"), table).entries():
        typer.echo(f"{entry.at}  {entry.action}  {entry.reviewer}  by {entry.by}: {entry.why}")


def _change(action: Action, reviewer: str, table: str, why: str) -> None:
    left_out = LeftOut(boto3.client("dynamodb"), table)
    by = boto3.client("sts").get_caller_identity().get("Arn", "unknown")
    entry = left_out.change(action, reviewer, by=by, why=why)
    made = left_out.decisions(reviewer, datetime.now(UTC).date())
    typer.echo(f"{entry.at}  {action}  {reviewer}  by {by}: {entry.why}")
    if made:
        typer.echo(f"{made} decisions of the last {COUNTED_DAYS} days; the next release heeds it")
    else:
        typer.echo(
            f"note: {reviewer} has made no decision in the last {COUNTED_DAYS} days; is the name right?", err=True
        )


def main() -> None:
    """Run the command; a refusal by AWS or the command is one line, with exit status 1."""
    try:
        app()
    except RefusedError as fault:
        sys.exit(str(fault))
    except (BotoCoreError, ClientError) as fault:
        sys.exit(" ".join(str(fault).split()))
