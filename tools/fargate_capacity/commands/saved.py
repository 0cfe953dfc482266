"""`fargate-capacity saved`: reports what a change saved and which Savings Plan fits the usage since then."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fargate_capacity.commands.options import OUTPUT, Assembly, Output, Prices, Region, Service
from fargate_capacity.commands.shown import described_price
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.observations import read_observations
from fargate_capacity.plan.priced_service import price_service
from fargate_capacity.plan.saving import BLOCK_DAYS, RESAMPLES, Interval, Saving, saving
from fargate_capacity.pricing.commitment import Advice, advise
from fargate_capacity.progress import PatientProgress

_MONTH_HOURS = 730
_YEAR_DAYS = 365


def saved_command(
    assembly: Assembly,
    observed: Annotated[Path, typer.Option(help="What CloudWatch saw, as `fetch` writes it, over months.")],
    since: Annotated[str, typer.Option(metavar="DATE", help="The first day after the change, as 2026-10-01, in UTC.")],
    committed: Annotated[
        float | None,
        typer.Option(help="US dollars an hour of the Savings Plan that is paid now.", show_default=False),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(
            help="Requests per task and minute to return to. Default: the most of four weeks in a row since then.",
            show_default=False,
        ),
    ] = None,
    service: Service = None,
    region: Region = None,
    prices: Prices = None,
    output: Output = OUTPUT,
) -> None:
    """Say what a change saved: requests per task before and after, task-hours, the bill, and the commitment to buy."""
    changed = _day(since)
    for name, given, allowed in (("--committed", committed, "0 or more"), ("--level", level, "above 0")):
        if given is not None and not (math.isfinite(given) and (given > 0 or (given == 0 and name == "--committed"))):
            raise InputError(f"{name}: got {given:g}, allowed: a number {allowed}")
    priced = price_service(assembly, service=service, region=region, prices=prices)
    with PatientProgress("comparing", total=3) as progress:
        progress.begin(f"reading {observed.name}")
        seen = read_observations(observed)
        progress.begin(f"{RESAMPLES:,} bootstrap samples")
        found = saving(seen, since=changed, level=level)
        progress.begin("done")
    task_hour = priced.task_hour
    advice = None
    if priced.price is not None and task_hour is not None:
        advice = advise(
            found.after.task_hours.ravel(),
            task_hour=task_hour,
            discount=priced.price.savings_plan_discount,
            committed=committed,
        )
    console = Console()
    console.print(_table(found, task_hour, title=f"{priced.service.name} before {changed} and since"))
    for line in (*_verdict(found, task_hour), *_advised(advice, found), described_price(priced)):
        console.print(line, highlight=False, soft_wrap=True)
    output.mkdir(parents=True, exist_ok=True)
    content = {
        "command": "saved",
        "how": {"observed": observed.name, "since": str(changed), "service": priced.service.identity},
        "days": {"before": len(found.before), "after": len(found.after)},
        "saving": _as_json(found),
        "price": asdict(priced.price) if priced.price else None,
        "savings_plan": asdict(advice) if advice else None,
    }
    path = output / "saved.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"wrote {path}")
    # The drawing modules take most of a second to import.
    from fargate_capacity.report.saving_drawing import write_saving

    title = f"{priced.service.name}: requests per task before {changed} and since"
    typer.echo(f"wrote {write_saving(found, title=title, summary=_verdict(found, task_hour)[0], output=output)}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--since: got {text!r}, allowed: a day, as 2026-10-01") from None


def _table(found: Saving, task_hour: float | None, *, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("", "before", "since"):
        table.add_column(name, justify="right" if name else "left")
    parts = (found.before, found.after)
    rows: list[tuple[str, list[str]]] = [
        ("whole days", [f"{len(days):,}" for days in parts]),
        ("requests per day", [f"{days.requests.sum() / len(days):,.0f}" for days in parts]),
        ("task-hours per day", [f"{days.task_hours.sum() / len(days):,.1f}" for days in parts]),
        ("requests per task and minute", [f"{days.requests_per_task_hour / 60:,.1f}" for days in parts]),
        ("task-hours per 1,000 requests", [f"{each.value:.4g}" for each in found.per_request]),
        ("  95 % interval", [f"{each.low:.4g} to {each.high:.4g}" for each in found.per_request]),
    ]
    if task_hour is not None:
        monthly = [task_hour * _MONTH_HOURS / 24 * days.task_hours.sum() / len(days) for days in parts]
        rows.append(("on demand per month", [f"${dollars:,.2f}" for dollars in monthly]))
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def _verdict(found: Saving, task_hour: float | None) -> list[str]:
    equal, change, hours = found.at_equal_traffic, found.change_per_request, found.saved_task_hours
    dollars = "" if task_hour is None else f", {_dollars(hours, task_hour)} on demand"
    span = f"{equal.low:.0%} to {equal.high:.0%} with 95 %"
    if not found.is_shown:
        first = (
            f"no saving is shown: at equal traffic task-hours are {equal.value:.0%} fewer ({span}), and the interval "
            "has 0 in it"
        )
    else:
        more = equal.value < 0
        first = (
            f"at equal traffic {abs(equal.value):.0%} of the task-hours are {'added' if more else 'saved'} ({span}): "
            f"{abs(hours.value):,.0f} task-hours in 30 days{dollars}"
        )
    lines = [
        first,
        f"task-hours per request: {change.value:+.0%} ({change.low:+.0%} to {change.high:+.0%} with 95 %), the change "
        "of traffic in it",
        f"level to return to: {found.level:,.1f} requests per task and minute; the last week has {found.latest:,.1f}, "
        f"{found.latest / found.level - 1:+.0%}",
        f"how: hours of as many requests before the change; intervals by {RESAMPLES:,} bootstrap samples of blocks of "
        f"{BLOCK_DAYS} days",
    ]
    if found.extrapolated > 0:
        lines.append(
            f"warning: {found.extrapolated:.1%} of the later requests came in hours busier than any before; what those "
            "would have taken is extrapolated"
        )
    return lines


def _dollars(hours: Interval, task_hour: float) -> str:
    low, high = sorted((abs(hours.low) * task_hour, abs(hours.high) * task_hour))
    return f"${abs(hours.value) * task_hour:,.2f} (${low:,.2f} to ${high:,.2f})"


def _advised(advice: Advice | None, found: Saving) -> list[str]:
    if advice is None:
        return ["Savings Plan: no advice without a price"]
    best = advice.best
    monthly = _MONTH_HOURS / advice.judged_hours
    lines = [
        f"Savings Plan: commit to ${best.dollars_an_hour:.3f} an hour, the cheapest for the first "
        f"{advice.chosen_hours:,} hours since the change; on the {advice.judged_hours:,} hours after them "
        f"{best.used:.0%} of it was used and ${monthly * best.lost:,.2f} per month lost, ${monthly * best.cost:,.2f} "
        f"in all against ${monthly * advice.on_demand:,.2f} on demand"
    ]
    if advice.committed is not None:
        now = advice.committed
        lines.append(
            f"committed now: ${now.dollars_an_hour:.3f} an hour, {now.used:.0%} used, ${monthly * now.lost:,.2f} per "
            f"month lost, ${monthly * now.cost:,.2f} in all: {_compared(best.dollars_an_hour, now.dollars_an_hour)}"
        )
    lines.append("a Savings Plan also covers other services and tasks of the account: this is of this service alone")
    if len(found.after) < _YEAR_DAYS:
        lines.append(
            f"warning: a Savings Plan binds for a year or three, and {len(found.after)} days since the change were "
            "observed: buy in steps"
        )
    return lines


def _compared(best: float, now: float) -> str:
    if math.isclose(best, now, rel_tol=0.05):
        return "keep it"
    if best < now:
        return f"renew {1 - best / now:.0%} less"
    return f"${best - now:.3f} an hour more would pay"


def _as_json(found: Saving) -> dict[str, Any]:
    return {
        "requests_per_task_and_minute": {
            "before": found.before.requests_per_task_hour / 60,
            "after": found.after.requests_per_task_hour / 60,
            "latest": found.latest,
            "level_to_return_to": found.level,
        },
        "task_hours_per_1000_requests": {
            name: asdict(each) for name, each in zip(("before", "after"), found.per_request, strict=True)
        },
        "change_per_request": asdict(found.change_per_request),
        "at_equal_traffic": asdict(found.at_equal_traffic),
        "saved_task_hours_in_30_days": asdict(found.saved_task_hours),
        "is_shown": found.is_shown,
        "extrapolated": found.extrapolated,
    }
