"""The end of the floor with its stack: no scheduled action stays, and the declared minimum is back."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .floor_table import FloorTable
from .scheduled_floor import ScheduledFloor
from .surroundings import Clients, Surroundings

_ANSWER_TIMEOUT_S = 10


def is_request(event: Mapping[str, Any]) -> bool:
    """Whether CloudFormation asks for something."""
    return "RequestType" in event and "ResponseURL" in event


def answer(clients: Clients, surroundings: Surroundings, event: Mapping[str, Any]) -> None:
    """Does what CloudFormation asks for, and reports how that went; without an answer it would wait for long."""
    outcome = {"Status": "SUCCESS", "Reason": ""}
    try:
        if event["RequestType"] == "Delete":
            end(clients, surroundings)
    except (BotoCoreError, ClientError) as error:
        outcome = {"Status": "FAILED", "Reason": str(error)}
    body = {
        **outcome,
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The signature of the URL covers an empty content type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S):  # nosec B310  # CloudFormation's own URL
        pass


def end(clients: Clients, surroundings: Surroundings) -> None:
    """Takes the floor away. A minimum that somebody else set stays."""
    floor = ScheduledFloor(clients, surroundings)
    bounds = floor.bounds()
    if bounds is None or surroundings.is_dry_run:
        return
    floor.remove()
    state = FloorTable(clients, surroundings).state()
    if bounds[0] != surroundings.settings.minimum and state.is_ours(bounds[0]):
        floor.restore(surroundings.settings.minimum)
