"""The command `purge-posts`."""

from __future__ import annotations

import sys
from typing import Annotated

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from post_purge.input_error import InputError
from post_purge.table_purge import PurgeAudit, TablePurge
from post_purge.time_range import TimeRange

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def purge_posts(
    table: Annotated[str, typer.Option(help="The reviewers' table.")],
    since: Annotated[str, typer.Option(help="When the first of the posts was received: 2026-11-23T09:00Z, or a day.")],
    until: Annotated[str, typer.Option(help="Posts received from then on are kept.")],
    decided: Annotated[
        bool, typer.Option("--decided", help="Also delete posts that reviewers decided on, with their history.")
    ] = False,
    reopen_quota: Annotated[bool, typer.Option("--reopen-quota", help="Reset today's quota of posts.")] = False,
    purge: Annotated[bool, typer.Option("--purge", help="Delete. Without it nothing is changed.")] = False,
) -> None:
    """Delete the posts of a time range from the reviewers' table, as those of a flood.

    By default it deletes posts that nobody decided on. A post that a reviewer holds now is kept. The table records who
    purged which time range, and how many posts.
    """
    wanted = TimeRange.read(since, until)
    if reopen_quota and not purge:
        raise InputError("--reopen-quota needs --purge: without it nothing is changed")
    dynamodb = boto3.client("dynamodb")
    work = TablePurge(dynamodb, table, wanted, decided=decided)
    which = "posts" if decided else "posts that nobody decided on"
    if not purge:
        typer.echo(f"found   {work.count().posts} {which}, received from {wanted.first} to {wanted.last}")
        typer.echo("nothing was changed: give --purge to delete them")
        return
    by = boto3.client("sts").get_caller_identity()["Arn"]
    audit = PurgeAudit(dynamodb, table, by=by, wanted=wanted, decided=decided)
    purged = work.run()
    if reopen_quota:
        work.reopen_quota()
    audit.end(purged)
    typer.echo(f"found   {purged.posts} {which}, received from {wanted.first} to {wanted.last}")
    typer.echo(f"purged  {purged.purged}")
    typer.echo(f"left    {purged.left}: reviewers work on them")


def main() -> None:
    try:
        app()
    except InputError as fault:
        sys.exit(str(fault))
    except (ClientError, BotoCoreError) as fault:
        # An error of AWS may quote the request.
        code = fault.response["Error"]["Code"] if isinstance(fault, ClientError) else type(fault).__name__
        sys.exit(f"AWS refused it: {code}: look at the credentials, the region and the table's name")
