"""The floor's state in DynamoDB: its latest plan, whether it has yielded, and every decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from floor_decisions import Action, Decision, FloorPlan

from .surroundings import Clients, Surroundings

_STATE = "state"
_DECISIONS = "decision#"
# A season can be compared with the same season a year earlier.
_KEPT = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorState:
    """The state between two runs.

    Args:
        plan: the latest plan that was written. None: no plan was written yet.
        former_plan: the plan before it.
        action: the latest decision.
        is_stopped: a person stopped the floor.
        reported_on: the day of the latest notification of a plan.
        is_yield_reported: whether a notification said that somebody else set the bounds.
    """

    plan: FloorPlan | None = None
    former_plan: FloorPlan | None = None
    action: Action | None = None
    is_stopped: bool = False
    reported_on: str = ""
    is_yield_reported: bool = False

    @property
    def has_yielded(self) -> bool:
        """Whether somebody else had set the bounds at the latest run."""
        return self.action is Action.YIELD

    def is_ours(self, minimum: int) -> bool:
        """Whether a plan set that minimum; it may also equal the declared one."""
        plans = (self.plan, self.former_plan)
        return any(change.tasks == minimum for plan in plans if plan for change in plan.changes)

    def after(self, decision: Decision) -> FloorState:
        """The state after a decision is carried out."""
        if decision.action is Action.YIELD:
            return replace(self, plan=None, former_plan=None, action=decision.action)
        if decision.plan is None or decision.plan == self.plan:
            return replace(self, action=decision.action)
        return replace(self, plan=decision.plan, former_plan=self.plan, action=decision.action)


class FloorTable:
    """The items of one floor: `state`, and `decision#<when>`."""

    def __init__(self, clients: Clients, surroundings: Surroundings) -> None:
        self._client = clients.table
        self._name = surroundings.table
        self._floor = surroundings.scaled_resource["ResourceId"]

    def state(self) -> FloorState:
        """The state that was saved last."""
        answer = self._client.get_item(TableName=self._name, Key=self._key(_STATE), ConsistentRead=True)
        if "Item" not in answer:
            return FloorState()
        stored = json.loads(answer["Item"]["state"]["S"])
        return FloorState(
            plan=_plan(stored["plan"]),
            former_plan=_plan(stored["former_plan"]),
            action=stored["action"] and Action(stored["action"]),
            is_stopped=stored["is_stopped"],
            reported_on=stored["reported_on"],
            is_yield_reported=stored["is_yield_reported"],
        )

    def save(self, state: FloorState) -> None:
        """Saves the state."""
        stored = {
            "plan": state.plan and state.plan.to_json(),
            "former_plan": state.former_plan and state.former_plan.to_json(),
            "action": state.action,
            "is_stopped": state.is_stopped,
            "reported_on": state.reported_on,
            "is_yield_reported": state.is_yield_reported,
        }
        item = {**self._key(_STATE), "state": {"S": json.dumps(stored)}}
        self._client.put_item(TableName=self._name, Item=item)

    def record(self, decision: Decision, figures: Mapping[str, Any], *, is_dry_run: bool) -> None:
        """Adds a decision; it replaces one with the same time."""
        item = {
            **self._key(f"{_DECISIONS}{decision.at.isoformat()}"),
            "action": {"S": str(decision.action)},
            "why": {"S": decision.why},
            "figures": {"S": json.dumps(dict(figures))},
            "dry_run": {"BOOL": is_dry_run},
            "expires_at": {"N": str(int((decision.at + _KEPT).timestamp()))},
        }
        self._client.put_item(TableName=self._name, Item=item)

    def _key(self, entry: str) -> dict[str, Any]:
        return {"floor": {"S": self._floor}, "entry": {"S": entry}}


def _plan(stored: list[dict[str, Any]] | None) -> FloorPlan | None:
    return None if stored is None else FloorPlan.from_json(stored)


def day_of(moment: datetime) -> str:
    """The day that limits notifications to one a day."""
    return moment.date().isoformat()
