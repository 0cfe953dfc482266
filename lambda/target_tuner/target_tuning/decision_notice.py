"""A decision in words, for the people whom the topic reaches."""

from __future__ import annotations

from datetime import UTC

from .surroundings import Surroundings
from .tuner_table import Record

# SNS takes ASCII in a subject, fewer than 100 characters.
_LONGEST_SUBJECT = 99


def subject(record: Record, service: str) -> str:
    """One line: what happened."""
    change = f"{record.origin:g} -> {record.target:g} %"
    if record.action == "stop":
        text = f"tuning stopped at {record.target:g} %"
    elif record.action == "hold":
        text = f"tuning resumed at {record.target:g} %"
    elif record.origin == record.target:
        text = f"tuning settled at {record.target:g} %"
    elif record.is_dry_run:
        text = f"dry run, target would go {change}"
    else:
        text = f"target {change} ({record.action})"
    return f"{service}: {text}".encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]


def message(record: Record, surroundings: Surroundings) -> str:
    """Why, and the figures that were seen."""
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
        "Nothing is changed any more until somebody resumes the tuner." if record.action == "stop" else "",
    ]
    return "\n".join(line for line in lines if line)
