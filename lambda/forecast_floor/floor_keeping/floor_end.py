"""Removes the floor with its stack: deletes all scheduled actions and restores the declared minimum."""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Mapping
from typing import Any

from .floor_table import FloorTable
from .scheduled_floor import ScheduledFloor
from .surroundings import Clients, Surroundings

LOGGER = logging.getLogger(__name__)

_ANSWER_TIMEOUT_S = 10


def is_request(event: Mapping[str, Any]) -> bool:
    """Whether the event is a request of CloudFormation."""
    return "RequestType" in event and "ResponseURL" in event


def answer(clients: Clients, surroundings: Surroundings, event: Mapping[str, Any]) -> None:
    """Carries out CloudFormation's request and reports the result; without one CloudFormation waits for an hour."""
    outcome = {"Status": "SUCCESS", "Reason": ""}
    try:
        if event["RequestType"] == "Delete":
            end(clients, surroundings)
    except Exception as error:
        LOGGER.exception("%s failed", event["RequestType"])
        outcome = {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"}
    body = {
        **outcome,
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The URL is signed for an empty content type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S):  # nosec B310  # CloudFormation's own URL
        pass


def end(clients: Clients, surroundings: Surroundings) -> None:
    """Removes the floor. A minimum that somebody else set is kept."""
    floor = ScheduledFloor(clients, surroundings)
    bounds = floor.bounds()
    if bounds is None or surroundings.is_dry_run:
        return
    floor.remove()
    state = FloorTable(clients, surroundings).state()
    if bounds[0] != surroundings.settings.minimum and state.is_ours(bounds[0]):
        floor.restore(surroundings.settings.minimum)
