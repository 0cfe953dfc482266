"""A decision in words, for the people whom the topic reaches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from floor_decisions import Action, Decision

from .floor_table import FloorState, day_of
from .surroundings import Surroundings

# SNS takes ASCII in a subject, fewer than 100 characters.
_LONGEST_SUBJECT = 99


def is_news(before: FloorState, decision: Decision, surroundings: Surroundings) -> bool:
    """Whether people are notified: once a day of the plan, and whenever somebody else has the bounds, or no more."""
    if decision.action is Action.HOLD and not before.is_yield_reported:
        return False
    if (decision.action is Action.YIELD) is not before.is_yield_reported:
        return True
    return decision.action is Action.PLAN and before.reported_on != _day(decision, surroundings)


def reported(state: FloorState, decision: Decision, surroundings: Surroundings) -> FloorState:
    """What is remembered once they were."""
    return replace(
        state,
        reported_on=_day(decision, surroundings) if decision.action is Action.PLAN else state.reported_on,
        is_yield_reported=decision.action is Action.YIELD,
    )


def subject(decision: Decision, surroundings: Surroundings) -> str:
    """One line: what happened."""
    dry = "dry run, " if surroundings.is_dry_run else ""
    if decision.action is Action.YIELD:
        text = f"{dry}the floor stopped, somebody else set the bounds"
    elif decision.plan is not None:
        text = f"{dry}floor of the next 48 hours up to {decision.plan.highest} tasks"
    else:
        text = f"{dry}the floor is kept"
    return f"{surroundings.service}: {text}".encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]


def message(state: FloorState, decision: Decision, surroundings: Surroundings) -> str:
    """Why, and the plan of the coming day, or what becomes of the floor."""
    zone = ZoneInfo(surroundings.settings.time_zone)
    until = decision.at + timedelta(days=1)
    changes = [each for each in decision.plan.changes if each.at < until] if decision.plan else []
    settings = surroundings.settings
    lines = [
        f"{decision.why}.",
        f"At {decision.at.astimezone(zone):%Y-%m-%d %H:%M} {settings.time_zone}, service {surroundings.service} of "
        f"{surroundings.cluster}, declared {settings.minimum} to {settings.maximum} tasks.",
        *(f"{each.at.astimezone(zone):%a %H:%M} at least {each.tasks}" for each in changes),
    ]
    if decision.action is Action.YIELD:
        taken = "" if surroundings.is_dry_run else "The floor's scheduled actions are removed. "
        until_when = "somebody resumes it" if state.is_stopped else "the declared bounds are restored"
        lines.append(f"{taken}The floor continues once {until_when}.")
    return "\n".join(lines)


def _day(decision: Decision, surroundings: Surroundings) -> str:
    return day_of(decision.at.astimezone(ZoneInfo(surroundings.settings.time_zone)))
