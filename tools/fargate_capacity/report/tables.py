"""Figures as tables with one column per simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from fargate_capacity.observed.latency_bands import LatencyBand
from fargate_capacity.plan.figures import Figures
from fargate_capacity.plan.recommended import Fold, FrontierPoint, Rejection


def figures_table(rows: Sequence[Figures], *, title: str, against: Sequence[int] | None = None) -> Table:
    """A table with one column per simulation.

    Args:
        rows: the figures, one per simulation.
        title: the table's title.
        against: per column, the index of the column with which its bills are compared. Default: the first.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(row.name, justify="right", overflow="fold")
    baselines = [rows[index] for index in against] if against else [rows[0]] * len(rows)
    is_priced = any(row.bill for row in rows)
    for label, value, shape in _LINES:
        is_money = shape.startswith("$")
        if is_money and not is_priced:
            continue
        cells = []
        for row, first in zip(rows, baselines, strict=True):
            if is_money and (row.bill is None or first.bill is None):
                cells.append("–" if row.bill is None else shape.format(value(row)))
                continue
            number = value(row)
            text = shape.format(number)
            if row.other is not None and label in _RANGED:
                least, most = sorted((number, value(row.other)))
                if shape.format(least) != shape.format(most):
                    text = f"{shape.format(least)} to {shape.format(most)}"
            if row is not first and label in _COMPARED and value(first):
                text += f" ({number / value(first) - 1:+.0%})"
            cells.append(text)
        table.add_row(label, *cells)
    return table


def bands_table(bands: Sequence[LatencyBand]) -> Table:
    """Latency by CPU."""
    table = Table(title="Latency by average CPU (medians)", title_justify="left")
    for name in ("CPU", "minutes", "observed", "model", "error"):
        table.add_column(name, justify="right")
    for band in bands:
        table.add_row(
            f"{band.low:g}–{band.high:g} %",
            f"{band.minutes:,}",
            f"{1000 * band.observed_seconds:,.0f} ms",
            f"{1000 * band.model_seconds:,.0f} ms",
            f"{band.error:+.0%}" + ("" if band.holds else ": does not hold"),
        )
    return table


def frontier_table(frontier: Sequence[FrontierPoint], *, is_priced: bool = True, most: int = 12) -> Table:
    """The candidates on the Pareto frontier; the JSON file has all candidates."""
    table = Table(title="Cost against breach on the searched part", title_justify="left")
    for name in ("setting", "cost", "requests beyond the guardrail"):
        table.add_column(name, justify="left" if name == "setting" else "right", overflow="fold")
    for each in [point for point in frontier if point.is_on_frontier][:most]:
        table.add_row(
            each.simulation.setting.described(),
            f"${each.cost:,.2f}" if is_priced else f"{each.cost:,.1f} h",
            f"{each.breached_percent:.3f} %",
        )
    return table


def folds_table(folds: Sequence[Fold]) -> Table:
    """The results of earlier choices, each applied until the next."""
    table = Table(title="The same choice made earlier, and followed until the next", title_justify="left")
    for name in ("from", "setting", "task-hours", "requests beyond the guardrail", "wait beyond it"):
        table.add_column(name, justify="left" if name in ("from", "setting") else "right", overflow="fold")
    for fold in folds:
        table.add_row(
            f"{fold.start:%Y-%m-%d}",
            "the current one" if fold.keeps else fold.setting.described(),
            f"{0.0 - fold.saving:+.0%}",
            f"{fold.added.percent:+.3f} %",
            f"{1000 * fold.added.seconds_per_request:+,.0f} ms",
        )
    return table


def rejections_table(rejected: Sequence[Rejection], *, is_priced: bool = True, most: int = 12) -> Table:
    """The cheapest rejected candidates, by task-hours if there is no price; the JSON file has all."""
    title = "Not recommended" + (f": the cheapest {most} of {len(rejected)}" if len(rejected) > most else "")
    table = Table(title=title, title_justify="left")
    for name in ("setting", "cost", "why not"):
        table.add_column(name, justify="right" if name == "cost" else "left", overflow="fold")
    for each in rejected[:most]:
        table.add_row(
            each.simulation.setting.described(), f"${each.cost:,.2f}" if is_priced else f"{each.cost:,.1f} h", each.why
        )
    return table


_RANGED = (
    "task-hours",
    "highest tasks",
    "scale-outs",
    "scale-ins",
    "failed requests",
    "requests beyond the guardrail",
    "seconds beyond it / 1,000 requests",
    "minutes beyond the guardrail",
    "times the guardrail fired",
    "on demand",
    "with Spot",
    "with a Savings Plan",
)
_COMPARED = ("task-hours", "on demand", "with Spot", "with a Savings Plan")
_LINES: tuple[tuple[str, Any, str], ...] = (
    ("task-hours", lambda row: row.simulation.totals.task_hours, "{:,.1f}"),
    ("highest tasks", lambda row: row.simulation.totals.highest_tasks, "{:,}"),
    ("scale-outs", lambda row: row.simulation.totals.scale_outs, "{:,}"),
    ("scale-ins", lambda row: row.simulation.totals.scale_ins, "{:,}"),
    ("mean CPU", lambda row: row.simulation.totals.mean_cpu_percent, "{:.1f} %"),
    ("mean latency", lambda row: 1000 * row.simulation.totals.mean_latency_s, "{:,.0f} ms"),
    ("worst minute's latency", lambda row: 1000 * row.simulation.totals.worst_latency_s, "{:,.0f} ms"),
    ("failed requests", lambda row: row.simulation.totals.failed_requests, "{:,.0f}"),
    (
        "requests beyond the guardrail",
        lambda row: 100 * row.simulation.totals.breached_requests / max(row.simulation.totals.requests, 1.0),
        "{:.3f} %",
    ),
    (
        "seconds beyond it / 1,000 requests",
        lambda row: 1000 * row.simulation.totals.breach_seconds / max(row.simulation.totals.requests, 1.0),
        "{:,.1f}",
    ),
    ("minutes beyond the guardrail", lambda row: row.simulation.totals.breach_minutes, "{:,}"),
    ("times the guardrail fired", lambda row: row.simulation.totals.alarms, "{:,}"),
    ("low-confidence minutes", lambda row: row.simulation.totals.low_confidence_minutes, "{:,}"),
    ("saturated minutes", lambda row: row.simulation.totals.saturated_minutes, "{:,}"),
    ("minutes without data", lambda row: row.simulation.totals.missing_minutes, "{:,}"),
    ("on demand", lambda row: row.bill.on_demand, "${:,.2f}"),
    ("with Spot", lambda row: row.bill.with_spot, "${:,.2f}"),
    ("with a Savings Plan", lambda row: row.bill.with_savings_plan, "${:,.2f}"),
    ("its commitment an hour", lambda row: row.bill.commitment, "${:,.3f}"),
    ("of it lost", lambda row: row.bill.commitment_lost, "${:,.2f}"),
)
