"""Each fault of each state of the release workflow."""

from typing import Any

LANES = 4
GOOD_RELEASES = 1

STATES = (
    "Begin",
    "Extract",
    "Preprocess",
    "Train",
    "Score-Current-Step",
    "Evaluate",
    "Model-Creating-Step",
    "EndpointConfig-Step",
    "Endpoint-Describing-Step",
    "Scaling-Lifting-Step",
    "Endpoint-Creating-Step",
    "Endpoint-Updating-Step",
    "Describe",
    "Scaling-Registering-Step",
    "Scaling-Policy-Step",
    "Check",
    "Record",
    "Clean-Up",
    "NotifySlackCleanUp",
    "Roll-Back",
    "NotifySlackFailure",
)
FUNCTIONS = ("Begin", "Extract", "Evaluate", "Check", "Record", "Clean-Up")
JOBS = {"Preprocess": "process", "Train": "train", "Score-Current-Step": "score"}

# What leads to a state that an undisturbed release of a known endpoint does not enter.
ARRIVING: dict[str, dict[str, Any]] = {
    "Endpoint-Creating-Step": {"gone": "missing"},
    "NotifySlackCleanUp": {"also": ("Clean-Up", "access_denied")},
    "Roll-Back": {"also": ("Extract", "access_denied")},
    "NotifySlackFailure": {"also": ("Extract", "access_denied")},
}
# From here on the new model serves and is recorded, whatever fails.
RELEASED = ("Clean-Up", "NotifySlackCleanUp")


def case(state: str, fault: str, **more: Any) -> dict[str, Any]:
    told = {"Roll-Back": "Extract", "NotifySlackFailure": "SNS", "NotifySlackCleanUp": "SNS"}.get(state, state)
    expected: dict[str, Any] = {"told": told}
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
    return case(state, "abort", status="ABORTED", **more, **told)


def failing(state: str, fault: str) -> dict[str, Any]:
    return case(state, fault, **({"outcome": None} if state == "Begin" else {}))


CASES = [
    *(throttled(state) for state in STATES),
    *(failing(state, fault) for state in STATES for fault in ("access denied", "service error")),
    *(case(state, "function times out") for state in FUNCTIONS),
    *(aborted(state) for state in STATES),
    *(case(state, "job fails", orders={what: "fail"}) for state, what in JOBS.items()),
    *(case(state, "job never ends", orders={what: "hang"}) for state, what in JOBS.items()),
    case("Endpoint-Creating-Step", "job never ends", orders={"serve": "hang"}, told="In-Service"),
    case("Endpoint-Updating-Step", "job never ends", orders={"serve": "hang"}, told="In-Service"),
    case("Endpoint-Creating-Step", "endpoint Failed", orders={"serve": "exit"}, told="In-Service"),
    case("Endpoint-Updating-Step", "update rolls back", orders={"serve": "exit"}, told="In-Service"),
    case("Check", "check disagrees", orders={"serve": "invert"}),
]


def test_the_endpoint_serves_a_good_model_and_one_alert_tells(matrix: Any, case: Any) -> None:
    assert matrix.problems[case.id] == []
