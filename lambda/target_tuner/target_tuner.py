"""Raises the target of a scaling policy step by step, and reverts it when a guardrail alarm fires.

Its state machine calls it three times: `look` decides and records, `apply` changes the target if that was decided,
`report` draws the recorded decision and notifies of it. Each may be repeated, and interrupted anywhere: the next one
completes it. The rules are in `scaling_decisions`, which the simulator runs too. CloudFormation also calls it, for the
parameter with the live target.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from scaling_decisions import Action, Decision, Phase, TunerState, begun, completed, decided, rehearsed
from target_tuning import live_parameter
from target_tuning.dashboard_annotations import draw
from target_tuning.decision_notice import message, subject
from target_tuning.live_target import LiveTarget, is_same
from target_tuning.sight import Trigger, look
from target_tuning.surroundings import Clients, Surroundings
from target_tuning.tuner_table import TunerTable

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

# Kept between invocations: making clients takes longer than calling them.
CLIENTS = Clients()

_ALARM = "CloudWatch Alarm State Change"


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Carries out an operation of the state machine, or a request of CloudFormation."""
    if live_parameter.is_request(event):
        live_parameter.answer(CLIENTS, event)
        return {}
    surroundings = Surroundings.of(os.environ)
    table = TunerTable(CLIENTS, surroundings, owner=context.aws_request_id)
    operations = {"look": _look, "apply": _apply, "report": _report}
    return operations[event["operation"]](CLIENTS, surroundings, table, event)


def _look(clients: Clients, surroundings: Surroundings, table: TunerTable, event: Mapping[str, Any]) -> dict[str, Any]:
    trigger = _trigger(event)
    asked = event["event"]
    with table.leased() as stored:
        state = stored or _fresh(clients, surroundings, trigger)
        records = table.recent()
        former = {state.initial, *(value for record in records for value in (record.origin, record.target))}
        sight = look(clients, surroundings, state, trigger, former=former)
        if asked.get("stop"):
            decision, following = _stopped_by_hand(state, trigger)
        elif asked.get("resume"):
            decision, following = _resumed(clients, surroundings, state, sight.seen.policy_target, trigger)
        else:
            decision = decided(surroundings.settings, state, sight.seen)
            following = rehearsed(state, decision) if surroundings.is_dry_run else begun(state, decision)
        LOGGER.info(json.dumps({**_told(decision), "figures": sight.figures}))
        table.note_look(decision, sight.figures)
        if decision.is_noted or asked.get("resume"):
            table.save(following, decision=decision, figures=sight.figures, is_dry_run=surroundings.is_dry_run)
        elif following != state or stored is None:
            table.save(following)
    return {**_told(decision), "pending": following.pending is not None}


def _apply(clients: Clients, surroundings: Surroundings, table: TunerTable, event: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the pending change, if there still is one."""
    with table.leased() as state:
        if state is None or state.pending is None:
            return {"applied": False}
        live = LiveTarget(clients, surroundings)
        pending = state.pending
        policy = live.policy()
        if not any(is_same(policy, known) for known in (pending.origin, pending.target)):
            # The next look reports it and stops.
            LOGGER.warning(
                "the policy has %s, neither %g nor %g: it is not changed", policy, pending.origin, pending.target
            )
            return {"applied": False}
        live.put(pending.target)
        table.save(completed(surroundings.settings, state, max(_trigger(event).at, state.changed_at)))
    LOGGER.info("the target is %g", pending.target)
    return {"applied": True}


def _report(
    clients: Clients, surroundings: Surroundings, table: TunerTable, event: Mapping[str, Any]
) -> dict[str, Any]:
    with table.leased() as state:
        if state is None:
            return {"told": 0}
        records = table.recent()
        if surroundings.dashboard is not None and not surroundings.is_dry_run:
            draw(clients, surroundings.dashboard, records, state.live)
        untold = [record for record in records if not record.is_told]
        for record in untold:
            clients.topics.publish(
                TopicArn=surroundings.topic,
                Subject=subject(record, surroundings.service),
                Message=message(record, surroundings),
            )
            table.mark_told(record)
    return {"told": len(untold)}


def _trigger(event: Mapping[str, Any]) -> Trigger:
    """The time of EventBridge's event, or of the execution that a person started."""
    asked = event["event"]
    at = datetime.fromisoformat(asked.get("time") or event["started"])
    if asked.get("detail-type") != _ALARM:
        return Trigger(at=at)
    detail = asked["detail"]
    since = datetime.fromisoformat(detail["state"].get("timestamp") or asked["time"])
    return Trigger(at=at, alarm=detail["alarmName"], alarming_since=since)


def _fresh(clients: Clients, surroundings: Surroundings, trigger: Trigger) -> TunerState:
    """The first state: tuning begins with the parameter's value."""
    target = LiveTarget(clients, surroundings).parameter()
    if target is None:
        raise LookupError(f"the parameter {surroundings.parameter} holds no target: deploy the stack again")
    return TunerState(initial=target, live=target, changed_at=trigger.at)


def _stopped_by_hand(state: TunerState, trigger: Trigger) -> tuple[Decision, TunerState]:
    decision = Decision(
        action=Action.STOP, at=trigger.at, origin=state.live, target=state.live, why="somebody stopped the tuner"
    )
    return decision, replace(state, phase=Phase.STOPPED, pending=None)


def _resumed(
    clients: Clients, surroundings: Surroundings, state: TunerState, policy: float | None, trigger: Trigger
) -> tuple[Decision, TunerState]:
    """Restarts from the policy's current target, also one that a person set."""
    if policy is None:
        raise LookupError(f"the scaling policy {surroundings.policy} is gone: deploy the stack again, then resume")
    LiveTarget(clients, surroundings).put_parameter(policy)
    decision = Decision(
        action=Action.HOLD,
        at=trigger.at,
        origin=policy,
        target=policy,
        why=f"somebody resumed the tuner at {policy:g} %",
    )
    return decision, TunerState(initial=min(state.initial, policy), live=policy, changed_at=trigger.at)


def _told(decision: Decision) -> dict[str, Any]:
    return {
        "action": str(decision.action),
        "at": decision.at.isoformat(),
        "origin": decision.origin,
        "target": decision.target,
        "why": decision.why,
    }
