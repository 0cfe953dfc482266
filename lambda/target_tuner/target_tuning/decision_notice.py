"""The text of a notification about a decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from .surroundings import Surroundings
from .tuner_table import Record

# SNS accepts fewer than 100 ASCII characters in a subject.
_LONGEST_SUBJECT = 99


def subject(record: Record, service: str) -> str:
    """What happened, in one line."""
    change = f"{record.origin:g} -> {record.target:g} %"
    if record.action == "stop":
        text = f"tuning stopped at {record.target:g} %"
    elif record.action == "hold":
        text = f"tuning resumed at {record.target:g} %"
    elif record.action == "wait":
        text = f"tuning is waiting at {record.target:g} %"
    elif record.origin == record.target:
        text = f"tuning settled at {record.target:g} %"
    elif record.is_dry_run:
        text = f"dry run, the target would change {change}"
    else:
        text = f"target {change} ({record.action})"
    return f"{service}: {text}".encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]


def message(record: Record, surroundings: Surroundings) -> str:
    """The reason, and the measured figures."""
    figures = record.figures
    alarms = figures.get("alarms", {})
    ratio = figures.get("latency_ratio")
    lines = [
        f"{record.why}.",
        f"At {record.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, service {surroundings.service} of {surroundings.cluster}.",
        "Alarms: " + ", ".join(f"{name} {status}" for name, status in alarms.items()) + "." if alarms else "",
        f"Latency: {ratio:.2f} times that of the same hours before, over {figures.get('requests', 0):.0f} requests."
        if ratio is not None
        else "",
        _saved(figures),
        "The tuner changes nothing until somebody resumes it." if record.action == "stop" else "",
    ]
    return "\n".join(line for line in lines if line)


def _saved(figures: Mapping[str, Any]) -> str:
    """What tuning has saved since its first step; negative if it cost more."""
    hours, money, total = (figures.get(name) for name in ("saved_task_hours", "saved_money", "total_cost"))
    if hours is None:
        return ""
    parts = [f"Saved so far: {hours:,.1f} task-hours"]
    if money is not None:
        sign = "-" if money < 0 else ""
        parts.append(f", {sign}{figures.get('currency')}{abs(money):,.2f}")
    if total is not None:
        parts.append(
            f"; a request costs {total['estimate']:+.1%} task-hours ({total['low']:+.1%} to {total['high']:+.1%}) "
            "against the hours before the first step"
        )
    return "".join(parts) + "."
