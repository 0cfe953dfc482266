"""The floor as scheduled actions of the service's scalable target, and the target's bounds.

Only differences are written. So a run that follows an interrupted one completes it, and two runs at the same time write
the same.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from floor_decisions import FloorPlan

from .surroundings import Clients, Surroundings

# The floor's own actions have this prefix; the rest of the name is the time.
PREFIX = "forecast-floor-"
_NAMED = "%Y%m%dT%H%M"
# An action has to be in the future when it is written, even if the event is late.
SOONEST = timedelta(minutes=10)


class ScheduledFloor:
    """Reads the bounds and writes the scheduled actions of one service."""

    def __init__(self, clients: Clients, surroundings: Surroundings) -> None:
        self._client = clients.scaling
        self._resource = surroundings.scaled_resource

    def bounds(self) -> tuple[int, int] | None:
        """The current minimum and maximum; None if the service is not a scalable target."""
        answer = self._client.describe_scalable_targets(
            ServiceNamespace=self._resource["ServiceNamespace"],
            ResourceIds=[self._resource["ResourceId"]],
            ScalableDimension=self._resource["ScalableDimension"],
        )
        for target in answer.get("ScalableTargets", []):
            return int(target["MinCapacity"]), int(target["MaxCapacity"])
        return None

    def write(self, plan: FloorPlan, now: datetime, live_minimum: int) -> int:
        """Changes the actions to match the plan, and sets the minimum soon. Returns the number of changes."""
        soon = (now + SOONEST).replace(second=0, microsecond=0)
        wanted = {change.at: change.tasks for change in plan.after(soon)}
        there = self._actions()
        due = {at: tasks for at, (tasks, _) in there.items() if now < at <= soon}
        floor = plan.tasks(soon)
        # The action that takes effect last before then.
        coming = due[max(due)] if due else live_minimum
        if floor is not None and floor != coming:
            wanted[soon] = floor
        changed = 0
        # Raises first: an interrupted run leaves too many tasks rather than too few.
        for at in sorted(wanted, key=lambda at: (-wanted[at], at)):
            if there.get(at, (None, ""))[0] != wanted[at]:
                self._put(at, wanted[at])
                changed += 1
        for at, (_, name) in there.items():
            if at not in wanted and (at <= now or at > soon):
                self._delete(name)
                changed += 1
        return changed

    def remove(self) -> int:
        """Deletes all of the floor's actions. Returns their number."""
        there = self._actions()
        for _, name in there.values():
            self._delete(name)
        return len(there)

    def restore(self, declared: int) -> None:
        """Restores the declared minimum at once, because no later run will."""
        self._client.register_scalable_target(**self._resource, MinCapacity=declared)

    def _actions(self) -> dict[datetime, tuple[int | None, str]]:
        pages = self._client.get_paginator("describe_scheduled_actions").paginate(**self._resource)
        return {
            datetime.strptime(action["ScheduledActionName"], PREFIX + _NAMED).replace(tzinfo=UTC): (
                action.get("ScalableTargetAction", {}).get("MinCapacity"),
                action["ScheduledActionName"],
            )
            for page in pages
            for action in page.get("ScheduledActions", [])
            if action["ScheduledActionName"].startswith(PREFIX)
        }

    def _put(self, at: datetime, tasks: int) -> None:
        moment = at.astimezone(UTC)
        action: dict[str, Any] = {
            "ScheduledActionName": f"{PREFIX}{moment:{_NAMED}}",
            "Schedule": f"at({moment:%Y-%m-%dT%H:%M:%S})",
            "Timezone": "UTC",
            # The floor never changes the maximum.
            "ScalableTargetAction": {"MinCapacity": tasks},
        }
        self._client.put_scheduled_action(**self._resource, **action)

    def _delete(self, name: str) -> None:
        try:
            self._client.delete_scheduled_action(**self._resource, ScheduledActionName=name)
        except ClientError as error:
            # AWS or another invocation deleted it first.
            if error.response["Error"]["Code"] != "ObjectNotFoundException":
                raise
