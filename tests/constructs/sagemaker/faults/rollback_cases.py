"""The faults of the rollback workflow's states, started by hand or after a release that a person stopped."""

from typing import Any

STATES = (
    "Begin",
    "Endpoint-Describing-Step",
    "Archive-Checking-Step",
    "Scaling-Lifting-Step",
    "Endpoint-Updating-Step",
    "Update-Marking-Step",
    "Scaling-Removing-Step",
    "Endpoint-Deleting-Step",
    "Endpoint-Creating-Step",
    "Scaling-Registering-Step",
    "Scaling-Policy-Step",
    "Discard",
    "Record",
    "NotifySlackRollback",
    "NotifySlackFailure",
)
FUNCTIONS = ("Begin", "Archive-Checking-Step", "Discard", "Record")
# These a rollback by hand does not enter: a person stops a release, whose rollback tells.
STOPPED = ("Discard", "NotifySlackFailure")
# What a person finds when the endpoint has failed, and when it is gone.
MISSING = {
    "Scaling-Removing-Step": "failed",
    "Endpoint-Deleting-Step": "failed",
    "Endpoint-Creating-Step": "missing",
}
# The fault comes after the endpoint has gone over to the release that was asked for.
GONE_OVER = ("Update-Marking-Step", "Scaling-Registering-Step", "Scaling-Policy-Step", "Record", "NotifySlackRollback")


def case(state: str, fault: str, **more: Any) -> dict[str, Any]:
    expected: dict[str, Any] = {"machine": "rollback", "state": state, "fault": fault, "told": state}
    if state in STOPPED:
        expected |= {"also": ("Extract", "abort"), "status": "ABORTED", "outcome": "stopped", "told": "ABORTED"}
    elif state in MISSING:
        expected |= {"gone": MISSING[state], "serves": "nothing"}
    elif state in GONE_OVER:
        expected["serves"] = "new"
    if state == "NotifySlackRollback":
        expected["told"] = "SNS"
    return expected | more


def throttled(state: str) -> dict[str, Any]:
    if state in STOPPED:
        return case(state, "throttling")
    return case(state, "throttling", status="SUCCEEDED", serves="new", told="rolled back to")


def failing(state: str, fault: str) -> dict[str, Any]:
    if state == "Update-Marking-Step":
        # It goes on without the mark.
        return case(state, fault, status="SUCCEEDED", told="rolled back to")
    return case(state, fault)


def aborted(state: str) -> dict[str, Any]:
    return case(state, "abort", status="ABORTED", told="ABORTED")


ROLLBACK_CASES = [
    *(throttled(state) for state in STATES),
    *(failing(state, fault) for state in STATES for fault in ("access denied", "service error")),
    *(case(state, "function times out") for state in FUNCTIONS),
    *(aborted(state) for state in STATES),
    *(case("Archive-Checking-Step", fault) for fault in ("archive changed", "file missing")),
    case("Endpoint-Updating-Step", "job never ends", orders={"serve": "hang"}, told="Endpoint-State"),
    case("Endpoint-Updating-Step", "update rolls back", orders={"serve": "exit"}, told="Endpoint-State"),
    case("Endpoint-Creating-Step", "endpoint Failed", orders={"serve": "exit"}, told="Endpoint-Missing"),
]
