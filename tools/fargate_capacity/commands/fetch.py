"""`fargate-capacity fetch`: saves CloudWatch's data of a service as a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from fargate_capacity.input_error import InputError
from fargate_capacity.observed.fetch import ObservedService, fetch_activities, fetch_metrics, period_minutes
from fargate_capacity.progress import PatientProgress


def fetch_command(
    cluster: Annotated[str, typer.Option(help="Name of the ECS cluster.")],
    service: Annotated[str, typer.Option(help="Name of the ECS service.")],
    load_balancer: Annotated[str, typer.Option(help="The load balancer as its metrics name it: app/<name>/<id>.")],
    start: Annotated[str, typer.Option(help="ISO 8601 with its zone. Default: two weeks ago.")] = "",
    end: Annotated[str, typer.Option(help="ISO 8601 with its zone. Default: now.")] = "",
    output: Annotated[
        Path, typer.Option(help="The CSV file; if it exists, the fetch continues after its last row.")
    ] = Path("observed.csv"),
    region: Annotated[str | None, typer.Option(help="Default: that of the environment.")] = None,
) -> None:
    """Fetch requests, CPU, tasks, latency and scaling activities from CloudWatch, as CSV.

    CloudWatch keeps one-minute data for 15 days, five-minute data for 63 days and hourly data for 15 months.
    """
    # AWS's client takes most of a second to import.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    now = datetime.now(tz=UTC).replace(second=0, microsecond=0)
    first = _moment("--start", start) if start else now - timedelta(days=14)
    last = _moment("--end", end) if end else now
    which = ObservedService(cluster=cluster, service=service, load_balancer=load_balancer)
    activities = output.with_name(f"{output.stem}-activities.csv")
    try:
        with PatientProgress("fetching days", total=max((last - first).days + 1, 1)) as progress:
            minutes = fetch_metrics(
                boto3.client("cloudwatch", region_name=region),
                which,
                start=first,
                end=last,
                path=output,
                now=now,
                advance=progress.begin,
            )
        changes = fetch_activities(boto3.client("application-autoscaling", region_name=region), which, path=activities)
    except (BotoCoreError, ClientError) as error:
        raise InputError(
            f"fetch: AWS answered: {error}; the rows written so far are kept, run it again to continue"
        ) from None
    typer.echo(f"wrote {minutes:,} minutes to {output}, {changes:,} scaling activities to {activities}")
    if (coarsest := period_minutes(first, now=now)) > 1:
        typer.echo(
            f"the oldest are means of {coarsest} minutes, since CloudWatch no longer has each minute: bursts within "
            "them do not show"
        )


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: got {text!r}, allowed: ISO 8601, as 2026-11-23T09:00:00Z") from None
    if moment.tzinfo is None:
        raise InputError(f"{option}: got {text!r} without a time zone, allowed: one with, as 2026-11-23T09:00:00Z")
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
