"""Raises the minimum number of a service's tasks before the load that earlier days had at that time.

It writes scheduled actions. EventBridge calls it every hour and after each deployment, a person with `{"stop": true}`
or `{"resume": true}`, and CloudFormation when the stack is deleted. Each run may be repeated, and interrupted anywhere:
the next run writes what is missing. The rules are in `floor_decisions`, which the simulator runs too.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from floor_decisions import Action, Decision, Seen, accuracy_of, decided
from floor_keeping import floor_end
from floor_keeping.floor_notice import is_news, message, reported, subject
from floor_keeping.floor_table import FloorState, FloorTable
from floor_keeping.observed_load import observed_load
from floor_keeping.scheduled_floor import ScheduledFloor
from floor_keeping.surroundings import Clients, Surroundings

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

# Kept between invocations: making clients takes longer than calling them.
CLIENTS = Clients()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Makes one decision, or answers CloudFormation. Returns the decision as recorded."""
    surroundings = Surroundings.of(os.environ)
    if floor_end.is_request(event):
        floor_end.answer(CLIENTS, surroundings, event)
        return {}
    now = datetime.fromisoformat(event["time"]).astimezone(UTC) if "time" in event else datetime.now(UTC)
    table = FloorTable(CLIENTS, surroundings)
    floor = ScheduledFloor(CLIENTS, surroundings)
    state = table.state()
    if event.get("stop") or event.get("resume"):
        state = replace(state, is_stopped=bool(event.get("stop")))
        table.save(state)
    bounds = floor.bounds()
    decision = _decision(surroundings, state, bounds, now)
    changed = 0
    if not surroundings.is_dry_run:
        if decision.action is Action.YIELD:
            # The plan is removed from the state last: after an interruption the next run restores the declared minimum.
            changed = floor.remove() if bounds else 0
            if state.is_stopped and bounds and state.is_ours(bounds[0]):
                floor.restore(surroundings.settings.minimum)
        elif decision.plan is not None and bounds:
            # Saved before it is written: after an interruption the next run recognises its own minimums.
            table.save(state.after(decision))
            changed = floor.write(decision.plan, now, bounds[0])
    figures = _figures(decision, bounds, changed)
    table.record(decision, figures, is_dry_run=surroundings.is_dry_run)
    _put_metrics(surroundings, decision)
    after = state.after(decision)
    if is_news(state, decision, surroundings):
        CLIENTS.topics.publish(
            TopicArn=surroundings.topic,
            Subject=subject(decision, surroundings),
            Message=message(state, decision, surroundings),
        )
        after = reported(after, decision, surroundings)
    table.save(after)
    told = {"action": str(decision.action), "at": now.isoformat(), "why": decision.why, **figures}
    LOGGER.info(json.dumps(told))
    return told


def _decision(surroundings: Surroundings, state: FloorState, bounds: tuple[int, int] | None, now: datetime) -> Decision:
    history = observed_load(CLIENTS, surroundings, now)
    if state.is_stopped:
        return Decision(
            action=Action.YIELD,
            at=now,
            why="somebody stopped the floor",
            plan=None,
            floor=None,
            accuracy=accuracy_of(surroundings.settings, history, now),
        )
    minimum, maximum = bounds or (None, None)
    seen = Seen(
        now=now,
        live_minimum=minimum,
        live_maximum=maximum,
        plan=state.plan,
        former_plan=state.former_plan,
        has_yielded=state.has_yielded,
        is_deploying=_is_deploying(surroundings),
    )
    return decided(surroundings.settings, history, seen)


def _is_deploying(surroundings: Surroundings) -> bool:
    answer = CLIENTS.services.describe_services(cluster=surroundings.cluster, services=[surroundings.service])
    deployments = [each for service in answer["services"] for each in service.get("deployments", [])]
    if len(deployments) > 1 or any(each.get("rolloutState") == "IN_PROGRESS" for each in deployments):
        return True
    (stack,) = CLIENTS.stacks.describe_stacks(StackName=surroundings.stack)["Stacks"]
    return str(stack["StackStatus"]).endswith("_IN_PROGRESS")


def _figures(decision: Decision, bounds: tuple[int, int] | None, changed: int) -> Mapping[str, Any]:
    accuracy = decision.accuracy
    return {
        "floor": decision.floor,
        "highest": decision.plan.highest if decision.plan else None,
        "bounds": bounds,
        "needed": None if accuracy.needed is None else round(accuracy.needed, 2),
        "forecast": None if accuracy.forecast is None else round(accuracy.forecast, 2),
        "missed": accuracy.is_miss,
        "changed_actions": changed,
        "plan": decision.plan.to_json() if decision.plan else None,
    }


def _put_metrics(surroundings: Surroundings, decision: Decision) -> None:
    """Publishes the floor, and whether the last hour was as forecast."""
    accuracy = decision.accuracy
    values = {
        "Floor": decision.floor,
        "Needed": accuracy.needed,
        "Forecast": accuracy.forecast,
        "Missed": None if accuracy.ratio is None else float(accuracy.is_miss),
    }
    data = [
        {
            "MetricName": name,
            "Dimensions": surroundings.dimensions,
            "Timestamp": decision.at,
            "Value": float(value),
            "Unit": "Count",
        }
        for name, value in values.items()
        if value is not None
    ]
    if data:
        CLIENTS.metrics.put_metric_data(Namespace=surroundings.namespace, MetricData=data)
