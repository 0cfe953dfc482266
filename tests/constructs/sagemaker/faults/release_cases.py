"""The faults of the release workflow's states, and what has to hold after each."""

from typing import Any

UNTOUCHED = (
    "Begin",
    "Inputs-Finding-Step",
    "Unload-Step",
    "Reviews-Export-Starting-Step",
    "Reviews-Export-Describing-Step",
    "Extract",
    "Data-Quality",
    "Preprocess",
    "Train",
    "Score-Current-Step",
    "Evaluate",
    "Archive-Copying-Step",
    "Model-Creating-Step",
    "EndpointConfig-Step",
    "Archive-Checking-Step",
    "Roll-Back",
    "NotifySlackFailure",
)
"""The states that do not change the endpoint; those after them do, or come after one that did."""
CHANGING = (
    "Endpoint-Describing-Step",
    "Scaling-Lifting-Step",
    "Endpoint-Creating-Step",
    "Endpoint-Updating-Step",
    "Update-Marking-Step",
    "Describe",
    "Scaling-Registering-Step",
    "Scaling-Policy-Step",
    "Check",
    "Record",
    "Clean-Up",
    "NotifySlackCleanUp",
)
STATES = UNTOUCHED + CHANGING
"""In the order in which a release enters them, but for those that only a failure leads to."""
FUNCTIONS = (
    "Begin",
    "Inputs-Finding-Step",
    "Extract",
    "Data-Quality",
    "Evaluate",
    "Archive-Copying-Step",
    "Archive-Checking-Step",
    "Check",
    "Record",
    "Clean-Up",
)
# What happens to a file that a state needs.
FILES = (
    ("Inputs-Finding-Step", "file missing"),
    ("Data-Quality", "file missing"),
    ("Archive-Copying-Step", "file missing"),
    ("Archive-Checking-Step", "archive changed"),
)
JOBS = {"Preprocess": "process", "Train": "train", "Score-Current-Step": "score"}

# What the program that serves does, and where that is noticed.
SERVING = (
    ("Endpoint-Creating-Step", "job never ends", "hang", "In-Service"),
    ("Endpoint-Updating-Step", "job never ends", "hang", "In-Service"),
    ("Endpoint-Creating-Step", "endpoint Failed", "exit", "In-Service"),
    ("Endpoint-Updating-Step", "update rolls back", "exit", "In-Service"),
    ("Endpoint-Updating-Step", "alarm fires", "wait", "In-Service"),
    ("Check", "check disagrees", "invert", "Check"),
)

# What leads to a state that an undisturbed release of a known endpoint does not enter.
ARRIVING: dict[str, dict[str, Any]] = {
    "Endpoint-Creating-Step": {"gone": "missing"},
    "NotifySlackCleanUp": {"also": ("Clean-Up", "access_denied")},
    "Roll-Back": {"also": ("Extract", "access_denied")},
    "NotifySlackFailure": {"also": ("Extract", "access_denied")},
}
# From here on the new model serves and is recorded, whatever fails.
RELEASED = ("Clean-Up", "NotifySlackCleanUp")
# Nothing was begun, or the rollback does not run, or it has run before the fault.
NOT_PUT_BACK = ("Begin", *RELEASED, "Roll-Back", "NotifySlackFailure")


def case(state: str, fault: str, **more: Any) -> dict[str, Any]:
    told = {"Roll-Back": "Extract", "NotifySlackFailure": "Extract", "NotifySlackCleanUp": "SNS"}.get(state, state)
    expected: dict[str, Any] = {"told": told, "put_back": state not in NOT_PUT_BACK}
    if state in RELEASED:
        expected |= {"serves": "new", "outcome": "released"}
    if state == "Clean-Up":
        expected["status"] = "SUCCEEDED"
    return {"machine": "release", "state": state, "fault": fault, **expected, **ARRIVING.get(state, {}), **more}


def throttled(state: str) -> dict[str, Any]:
    """A release that was throttled succeeds and is not told; one that fails or cannot clean up is, for that reason."""
    if state in ("Roll-Back", "NotifySlackFailure"):
        return case(state, "throttling", told="Extract")
    if state == "NotifySlackCleanUp":
        return case(state, "throttling", told="Clean-Up", status="SUCCEEDED")
    return case(state, "throttling", status="SUCCEEDED", serves="new", outcome="released", alerts=0)


def aborted(state: str) -> dict[str, Any]:
    outcome = {"Begin": None, "NotifySlackFailure": "failed"}.get(state, "stopped")
    more = {} if state in RELEASED else {"outcome": outcome}
    told = {"told": "Extract"} if state == "NotifySlackFailure" else {"told": "ABORTED"}
    back = {"put_back": True} if state == "Roll-Back" else {}
    return case(state, "abort", status="ABORTED", **more, **told, **back)


def failing(state: str, fault: str) -> dict[str, Any]:
    if state == "Update-Marking-Step":
        # It goes on without the mark.
        return case(state, fault, status="SUCCEEDED", serves="new", outcome="released", alerts=0)
    return case(state, fault, **({"outcome": None} if state == "Begin" else {}))


def release_cases(states: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every case of these states."""
    return [
        *(throttled(state) for state in states),
        *(failing(state, fault) for state in states for fault in ("access denied", "service error")),
        *(case(state, "function times out") for state in FUNCTIONS if state in states),
        *(aborted(state) for state in states),
        *(case(state, "job fails", orders={what: "fail"}) for state, what in JOBS.items() if state in states),
        *(case(state, "job never ends", orders={what: "hang"}) for state, what in JOBS.items() if state in states),
        *(case(state, fault) for state, fault in FILES if state in states),
        # What a stage of a team's own refuses, it refuses in the name of its choice.
        *(case(state, "check disagrees", told="Data-Quality-Gate") for state in states if state == "Data-Quality"),
        *(
            case(state, fault, orders={"serve": order}, told=told)
            for state, fault, order, told in SERVING
            if state in states
        ),
    ]
