"""The text of a notification about a decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from floor_decisions import Action, Decision

from .floor_table import FloorState, day_of
from .surroundings import Surroundings

# SNS accepts fewer than 100 ASCII characters in a subject.
_LONGEST_SUBJECT = 99


def is_news(before: FloorState, decision: Decision, surroundings: Surroundings) -> bool:
    """Whether to notify: of the plan once a day, and when somebody else takes or gives back the bounds."""
    if decision.action is Action.HOLD and not before.is_yield_reported:
        return False
    if (decision.action is Action.YIELD) is not before.is_yield_reported:
        return True
    return decision.action is Action.PLAN and before.reported_on != _day(decision, surroundings)


def reported(state: FloorState, decision: Decision, surroundings: Surroundings) -> FloorState:
    """The state after the notification."""
    return replace(
        state,
        reported_on=_day(decision, surroundings) if decision.action is Action.PLAN else state.reported_on,
        is_yield_reported=decision.action is Action.YIELD,
    )


def subject(decision: Decision, surroundings: Surroundings) -> str:
    """What happened, in one line."""
    dry = "dry run, " if surroundings.is_dry_run else ""
    if decision.action is Action.YIELD:
        text = f"{dry}the floor stopped, somebody else set the bounds"
    elif decision.plan is not None:
        text = f"{dry}floor of the next 48 hours up to {decision.plan.highest} tasks"
    else:
        text = f"{dry}the floor is kept"
    return f"{surroundings.service}: {text}".encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]


def message(state: FloorState, decision: Decision, surroundings: Surroundings) -> str:
    """The reason, and the plan of the coming day or what happens to the floor."""
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
