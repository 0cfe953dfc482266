"""The command `erase-posts`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from post_erasure.bucket_erasure import BucketErasure
from post_erasure.input_error import InputError
from post_erasure.place_report import PlaceReport
from post_erasure.queue_erasure import erase_from_queue
from post_erasure.table_erasure import ErasureAudit, TableErasure
from post_erasure.wanted_posts import WantedPosts

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def erase_posts(
    posts: Annotated[
        Path | None, typer.Option(help="The posts to erase: a .jsonl or .csv file whose lines have a text.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="A file with the key of a post on each line, as the audit has them.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="The reviewers' table (output ReviewTableName).")] = None,
    bucket: Annotated[str | None, typer.Option(help="The data bucket (output DataBucketName).")] = None,
    posts_prefix: Annotated[str, typer.Option(help="Prefix of the base data in the bucket.")] = "posts/",
    queue: Annotated[
        list[str] | None, typer.Option(help="The URL of a queue or of its dead-letter queue; several times.")
    ] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Erase. Without it nothing is changed.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report into this file, as JSON.")] = None,
) -> None:
    """Erase posts wherever they are stored, and report what was found, what was erased and what remains.

    Posts that read the same count as the same post: width, case, white space and invisible characters do not matter.
    The text of a post is never printed, written or logged. The reviewers' table records who erased which keys.
    """
    wanted = WantedPosts.read(posts=posts, keys=keys)
    if not (table or bucket or queue):
        raise InputError("there is no place to look at: give --table, --bucket or --queue")
    if erase and not table:
        raise InputError("--erase needs --table: what was erased is written down there")
    audit = None
    if erase and table:
        by = boto3.client("sts").get_caller_identity()["Arn"]
        audit = ErasureAudit(boto3.client("dynamodb"), table, by=by, wanted=wanted)
    reports = _run(wanted, table=table, bucket=bucket, posts_prefix=posts_prefix, queues=queue or [], erase=erase)
    if audit is not None:
        audit.end(reports)
    _show(reports, wanted=wanted, erase=erase)
    if report is not None:
        content = {"posts": len(wanted.keys), "erase": erase, "places": [_as_json(place) for place in reports]}
        report.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if any(place.failed for place in reports):
        raise typer.Exit(1)


def _run(
    wanted: WantedPosts, *, table: str | None, bucket: str | None, posts_prefix: str, queues: list[str], erase: bool
) -> list[PlaceReport]:
    # In the order in which a post moves, so that none is missed.
    reports = [erase_from_queue(boto3.client("sqs"), url, wanted, erase=erase) for url in queues]
    if table:
        erasure = TableErasure(boto3.client("dynamodb"), table, wanted, erase=erase)
        reports.append(erasure.run())
        wanted = wanted.and_keys(erasure.stored_as)
    if bucket:
        reports += BucketErasure(boto3.client("s3"), bucket, posts_prefix, wanted, erase=erase).run()
    return reports


def _show(reports: list[PlaceReport], *, wanted: WantedPosts, erase: bool) -> None:
    typer.echo(f"{'searched':>9} {'found':>6} {'erased':>6}  place")
    for place in reports:
        typer.echo(f"{place.searched:>9} {place.found:>6} {place.erased:>6}  {place.place}")
    for place in reports:
        for line in place.remains:
            typer.echo(f"remains: {line}")
        for line in place.failed:
            typer.echo(f"failed: {line}")
    if not erase:
        typer.echo(f"nothing was changed: give --erase to erase {len(wanted.keys)} posts")


def _as_json(place: PlaceReport) -> dict[str, Any]:
    return {"place": place.place, **place.counts(), "remains": place.remains, "failed": place.failed}


def main() -> None:
    try:
        app()
    except InputError as fault:
        sys.exit(str(fault))
    except (ClientError, BotoCoreError) as fault:
        # An error of AWS may quote the request.
        code = fault.response["Error"]["Code"] if isinstance(fault, ClientError) else type(fault).__name__
        sys.exit(f"AWS refused it: {code}: look at the credentials, the region and the names that were given")
