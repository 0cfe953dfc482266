from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import EndpointConfiguration, EndpointScaling, EndpointVariant
from tests.constructs.sagemaker.state_graph import reachable
from tests.every_template.jsonata_values import value_of

TASKS = {
    "Begin": "lambda:invoke",
    "Endpoint-Describing-Step": "aws-sdk:sagemaker:describeEndpoint",
    "Archive-Checking-Step": "lambda:invoke",
    "Endpoint-Updating-Step": "aws-sdk:sagemaker:updateEndpoint",
    "Endpoint-Deleting-Step": "aws-sdk:sagemaker:deleteEndpoint",
    "Endpoint-Creating-Step": "aws-sdk:sagemaker:createEndpoint",
    "Update-Marking-Step": "aws-sdk:cloudwatch:putMetricData",
    "Discard": "lambda:invoke",
    "Record": "lambda:invoke",
    "NotifySlackRollback": "sns:publish",
    "NotifySlackFailure": "sns:publish",
}
OTHERS = {
    "Begun": "Choice",
    "Endpoint-Missing": "Choice",
    "Endpoint-State": "Choice",
    "Archive-Checked": "Choice",
    "Wait": "Wait",
    "Settled": "Choice",
    "Who-Tells": "Choice",
    "Rollback-Failure": "Choice",
    "Outcome": "Choice",
    "Rolled-Back": "Succeed",
    "Failed": "Fail",
}
TARGET = {
    "release": "m-good",
    "endpoint_configuration": "m-good",
    "model": "m-good",
    "model_data": "s3://data/models/m-good/output/model.tar.gz",
    "archive_sha256": "00ff",
}
UNCHECKED = "its archive was not checked: the release was recorded before hashes were introduced"
FAILED = {"release": "m-bad", "execution": "arn:aws:states:us-east-1:1:execution:m-release:bad"}
EVENT = {
    "executionArn": "arn:aws:states:us-east-1:1:execution:m-release:bad",
    "status": "ABORTED",
    "error": "Mistake",
    "cause": 'the "wrong" posts',
    "input": "{}",
}
# What a rollback goes on without; of the first it tells in the end.
NO_FAILURE = {"Discard", "Update-Marking-Step"}
COUNTS = {"polls": 1, "updates": 0, "deletions": 0, "creations": 0}

Definition = dict[str, Any]


def given(execution_input: Any) -> dict[str, Any]:
    return {"Execution": {"Input": execution_input, "Id": "arn:b", "Name": "b"}, "StateMachine": {"Name": "m-rollback"}}


def test_the_states_have_the_names_that_people_know(rollback: Definition) -> None:
    assert {name: state["Type"] for name, state in rollback["States"].items()} == dict.fromkeys(TASKS, "Task") | OTHERS
    assert (rollback["StartAt"], rollback["QueryLanguage"]) == ("Begin", "JSONata")
    for name, resource in TASKS.items():
        assert rollback["States"][name]["Resource"] == f"arn:<AWS::Partition>:states:::{resource}"


def test_every_state_is_reached_and_every_state_comes_to_an_end(rollback: Definition) -> None:
    states = rollback["States"]
    assert reachable(states, "Begin") == set(states)
    for name in states:
        assert {"Rolled-Back", "Failed"} & reachable(states, name), name


@pytest.mark.parametrize(
    ("execution_input", "asked"),
    [
        ({}, {}),
        ({"Comment": "Insert your JSON here"}, {}),
        ({"release": "m-good"}, {"release": "m-good"}),
        ({"relase": "m-good"}, {"relase": "m-good"}),  # the ledger refuses it
        ({"failed": {**FAILED, "failure": {}}}, {"failed": {**FAILED, "failure": {}}}),
        (
            {"stopped": EVENT},
            {
                "stopped": {
                    "execution": EVENT["executionArn"],
                    "status": "ABORTED",
                    "error": "Mistake",
                    "cause": 'the "wrong" posts',
                }
            },
        ),
        (
            {"stopped": {**EVENT, "error": None, "cause": None}},
            {"stopped": {"execution": EVENT["executionArn"], "status": "ABORTED"}},
        ),
        ({"stopped": {"execution": "arn:x", "status": "ABORTED"}},) * 2,
        ("text", {"something else": "text"}),
        ([1], {"something else": [1]}),
    ],
)
def test_what_each_starter_gives_reaches_the_ledger(
    rollback: Definition, evaluated: Callable[..., Any], execution_input: Any, asked: Any
) -> None:
    payload = rollback["States"]["Begin"]["Arguments"]["Payload"]
    found = evaluated(payload, input=execution_input, context=given(execution_input))
    assert found == {"operation": "begin_rollback", "execution": "arn:b", "input": asked}


def test_what_the_endpoint_served_first_is_kept_where_sagemaker_names_it(rollback: Definition) -> None:
    """Of an endpoint whose creation goes on or failed, DescribeEndpoint may name no configuration."""
    left = rollback["States"]["Endpoint-Describing-Step"]["Assign"]["left"]
    unnamed, named = {"EndpointStatus": "Creating"}, {"EndpointStatus": "Updating", "EndpointConfigName": "m-bad"}
    assert value_of(left, {}, {"result": unnamed}) is None
    assert value_of(left, {"left": None}, {"result": unnamed}) is None
    assert value_of(left, {"left": None}, {"result": named}) == "m-bad"
    assert value_of(left, {"left": "m-first"}, {"result": named}) == "m-first"


@pytest.mark.parametrize(
    ("mode", "failed", "following"),
    [
        ("by_hand", None, "Endpoint-Describing-Step"),
        ("failed", FAILED, "Endpoint-Describing-Step"),
        ("stopped", FAILED, "Endpoint-Describing-Step"),
        # It never had the endpoint, which another may be changing; or it had released.
        ("failed", None, "Record"),
        ("stopped", None, "Record"),
    ],
)
def test_what_was_not_begun_leaves_the_endpoint_alone(
    rollback: Definition, decided: Callable[..., Any], mode: str, failed: Any, following: str
) -> None:
    assert decided(rollback["States"]["Begun"], {"mode": mode, "failed": failed})[0] == following


@pytest.mark.parametrize(
    ("status", "configuration", "target", "counts", "following"),
    [
        ("InService", "m-good", TARGET, {}, "Settled"),
        ("InService", "m-bad", TARGET, {}, "update"),
        ("UpdateRollbackFailed", "m-bad", TARGET, {}, "update"),
        ("OutOfService", "m-good", TARGET, {}, "update"),
        ("Failed", "m-bad", TARGET, {}, "Endpoint-Deleting-Step"),
        ("Failed", "m-good", TARGET, {"updates": 1}, "Endpoint-Deleting-Step"),
        ("InService", "m-bad", None, {}, "Endpoint-Deleting-Step"),
        ("Failed", "m-bad", None, {}, "Endpoint-Deleting-Step"),
        *((busy, "m-bad", target, {}, "Update-Marking-Step")
          for busy in ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
          for target in (TARGET, None)),
        ("Updating", "m-bad", TARGET, {"polls": 221}, "EndpointNotInTime"),
        ("InService", "m-bad", TARGET, {"updates": 1}, "EndpointNotRolledBack"),
        ("Failed", "m-good", TARGET, {"deletions": 1, "creations": 1}, "EndpointNotRolledBack"),
        ("InService", "m-bad", None, {"deletions": 1}, "EndpointNotRolledBack"),
    ],
)  # fmt: skip
def test_the_endpoint_is_put_back_from_wherever_it_is(
    rollback: Definition,
    decided: Callable[..., Any],
    status: str,
    configuration: str,
    target: Any,
    counts: dict[str, int],
    following: str,
) -> None:
    endpoint = {"EndpointStatus": status, "EndpointConfigName": configuration}
    variables = COUNTS | counts | {"endpoint": endpoint, "target": target}
    gone, assigned = decided(rollback["States"]["Endpoint-State"], variables)
    if following.startswith("EndpointNot"):
        assert (gone, assigned["failure"]["error"]) == ("Rollback-Failure", following)
        assert status in assigned["failure"]["cause"]
    elif following == "update":
        assert (gone, assigned) == ("Archive-Checking-Step", {"starting": "update"})
        assert decided(rollback["States"]["Archive-Checked"], assigned)[0] == "Endpoint-Updating-Step"
    else:
        assert gone == following


@pytest.mark.parametrize(
    ("serves", "following"), [("m-bad", "Endpoint-Deleting-Step"), ("m-of-a-life-before", "Settled")]
)
def test_without_a_target_only_what_the_failed_release_put_there_is_deleted(
    rollback: Definition, decided: Callable[..., Any], serves: str, following: str
) -> None:
    endpoint = {"EndpointStatus": "InService", "EndpointConfigName": serves}
    variables = COUNTS | {"endpoint": endpoint, "target": None, "failed": {"release": "m-bad", "execution": "arn"}}
    assert decided(rollback["States"]["Endpoint-State"], variables)[0] == following


@pytest.mark.parametrize(
    ("cause", "target", "creations", "following"),
    [
        ("Could not find endpoint", TARGET, 0, "Archive-Checking-Step"),
        ("Could not find endpoint", None, 0, "Settled"),
        ("Could not find endpoint", TARGET, 1, "Rollback-Failure"),
        ("User is not authorized", TARGET, 0, "Rollback-Failure"),
    ],
)
def test_an_endpoint_that_is_gone_is_made_again_for_a_target(
    rollback: Definition, decided: Callable[..., Any], cause: str, target: Any, creations: int, following: str
) -> None:
    error = {"error": "SageMaker.SageMakerException", "cause": cause}
    variables = {"description_error": error, "target": target, "creations": creations}
    gone, assigned = decided(rollback["States"]["Endpoint-Missing"], variables)
    assert gone == following
    if following == "Archive-Checking-Step":
        assert decided(rollback["States"]["Archive-Checked"], assigned)[0] == "Endpoint-Creating-Step"


def test_why_an_endpoint_failed_is_said_after_it_was_deleted(
    rollback: Definition, decided: Callable[..., Any], evaluated: Callable[..., Any]
) -> None:
    describing, missing = rollback["States"]["Endpoint-Describing-Step"], rollback["States"]["Endpoint-Missing"]
    variables: dict[str, Any] = COUNTS | {"reason": None, "target": TARGET, "creations": 1}
    failed = {"EndpointStatus": "Failed", "FailureReason": "the model data at s3://data/ was not found"}
    for described in (failed, {"EndpointStatus": "Deleting"}):
        variables |= evaluated(describing["Assign"], variables, result=described)
    variables["description_error"] = {"error": "SageMaker.SageMakerException", "cause": "Could not find endpoint"}
    gone, assigned = decided(missing, variables)
    assert gone == "Rollback-Failure"
    assert assigned["failure"]["cause"] == (
        "the endpoint was created again, failed and was deleted: the model data at s3://data/ was not found"
    )


@pytest.mark.parametrize(
    ("state", "offered"), [("Archive-Checking-Step", True), ("Endpoint-Missing", True), ("Record", False)]
)
def test_a_target_that_does_not_come_to_serve_offers_the_next_good_release(
    rollback: Definition, decided: Callable[..., Any], state: str, offered: bool
) -> None:
    failure = {"state": state, "error": "ArchiveMissingError", "cause": "the archive is gone"}
    offer = 'the next good release is m-a: start again with {"release": "m-a"}'
    _, assigned = decided(
        rollback["States"]["Rollback-Failure"],
        {"failure": failure, "offer": offer},
        input=None,
        context=given({}),
    )
    assert assigned["alert"]["cause"] == "the archive is gone" + (f"; {offer}" if offered else "")


@pytest.mark.parametrize(
    ("note", "checked", "said"),
    [
        (None, True, "null"),
        ("it was restored", True, '"it was restored"'),
        (None, False, f'"{UNCHECKED}"'),
        ("it was restored", False, f'"it was restored; {UNCHECKED}"'),
    ],
)
def test_a_rollback_by_hand_says_what_was_special_of_it(
    rollback: Definition, evaluated: Callable[..., Any], note: str | None, checked: bool, said: str
) -> None:
    variables = {"target": TARGET, "note": note, "archive_checked": checked, "left": "m-bad"}
    message = evaluated(rollback["States"]["NotifySlackRollback"]["Arguments"]["Message"], variables, context=given({}))
    assert f'"note":{said}' in message


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        (TARGET, {"model_data": TARGET["model_data"], "sha256": "00ff"}),
        (TARGET | {"archive_sha256": None}, {"model_data": TARGET["model_data"], "sha256": None}),
        # Of one that was found serving; and a rollback that began before there were hashes.
        (TARGET | {"archive_sha256": None, "model_data": None}, {"model_data": None, "sha256": None}),
        ({"release": "m-good", "endpoint_configuration": "m-good"}, {"model_data": None, "sha256": None}),
    ],
)
def test_an_archive_is_compared_with_its_record_before_it_is_started(
    rollback: Definition, target: dict[str, Any], asked: dict[str, Any]
) -> None:
    checking = rollback["States"]["Archive-Checking-Step"]
    found = {name: value_of(text, {"target": target}, {}) for name, text in checking["Arguments"]["Payload"].items()}
    assert found == {"operation": "check", "release": "m-good", **asked}
    answered = {"result": {"Payload": {"checked": False}}}
    assert value_of(checking["Assign"]["archive_checked"], {}, answered) is False


def test_one_update_goes_back_at_once(rollback: Definition, evaluated: Callable[..., Any]) -> None:
    update = rollback["States"]["Endpoint-Updating-Step"]
    # Without alarms: they may be what brought it here.
    assert evaluated(update["Arguments"], {"target": TARGET}) == {
        "EndpointName": "moderation-dev",
        "EndpointConfigName": "m-good",
    }
    assert evaluated(update["Assign"], COUNTS) == {"updates": 1}
    assert update["Next"] == "Update-Marking-Step"


def test_scaling_is_lifted_and_registered_again(
    make_workflow: Callable[..., Any], definition_of: Callable[..., Definition]
) -> None:
    scaling = EndpointScaling(max_instances=4, invocations_per_instance=100)
    variants = [EndpointVariant(name=name, scaling=scaling) for name in ("blue", "green")]
    workflow = make_workflow(configuration=EndpointConfiguration(variants=variants))
    states = definition_of(Template.from_stack(cdk.Stack.of(workflow)), "-rollback")["States"]

    def chain(start: str) -> list[str]:
        found = [start]
        while (
            states[found[-1]]["Type"] == "Task" and found[-1] != "Update-Marking-Step" and "Next" in states[found[-1]]
        ):
            found.append(states[found[-1]]["Next"])
        return found

    following = [rule["Next"] for rule in states["Endpoint-State"]["Choices"]]
    assert chain(following[0]) == [
        "Scaling-Registering-Step-blue",
        "Scaling-Policy-Step-blue",
        "Scaling-Registering-Step-green",
        "Scaling-Policy-Step-green",
        "Settled",
    ]
    assert states["Archive-Checked"]["Default"] == "Scaling-Lifting-Step-blue"
    assert chain("Scaling-Lifting-Step-blue")[-2:] == ["Endpoint-Updating-Step", "Update-Marking-Step"]
    assert chain("Scaling-Removing-Step-blue")[-2:] == ["Endpoint-Deleting-Step", "Update-Marking-Step"]
    assert {"Archive-Checking-Step", "Scaling-Removing-Step-blue"} <= set(following)


def test_what_a_failed_release_left_is_discarded_and_recorded_either_way(
    rollback: Definition, decided: Callable[..., Any]
) -> None:
    states = rollback["States"]
    assert decided(states["Settled"], {"failed": FAILED})[0] == "Discard"
    assert decided(states["Settled"], {"failed": None})[0] == "Record"
    (catch,) = states["Discard"]["Catch"]
    assert (states["Discard"]["Next"], catch["Next"]) == ("Record", "Record")
    assert set(catch["Assign"]) == {"left_behind"}


@pytest.mark.parametrize("name", sorted(name for name in set(TASKS) - NO_FAILURE if not name.startswith("Notify")))
def test_each_tasks_failure_is_a_failure_of_the_rollback(rollback: Definition, name: str) -> None:
    catch = rollback["States"][name]["Catch"][-1]
    assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Rollback-Failure")
    assert catch["Assign"]["failure"]["state"] == name


def test_an_endpoint_is_changed_whether_or_not_it_could_be_marked(rollback: Definition) -> None:
    marking = rollback["States"]["Update-Marking-Step"]
    assert marking["Next"] == "Wait"
    assert marking["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "Wait"}]


@pytest.mark.parametrize(
    ("execution_input", "following"),
    [({}, "NotifySlackFailure"), ({"stopped": EVENT}, "NotifySlackFailure"), ({"failed": FAILED}, "Failed")],
)
def test_a_release_that_waits_tells_the_failure_itself(
    rollback: Definition, decided: Callable[..., Any], execution_input: Any, following: str
) -> None:
    failure = {"state": "Begin", "error": "InvalidRollbackError", "cause": "no good release"}
    found = decided(
        rollback["States"]["Rollback-Failure"],
        {"failure": failure},
        input=None,
        context=given(execution_input),
    )
    assert found[0] == following
    if "stopped" in execution_input:
        assert found[1]["alert"]["cause"] == (
            f"{EVENT['executionArn']} ended as ABORTED and could not be rolled back: no good release"
        )


def test_who_tells_what_became_of_the_endpoint(rollback: Definition, decided: Callable[..., Any]) -> None:
    who = rollback["States"]["Who-Tells"]
    context = given({"stopped": EVENT})
    happened = {"state": "ABORTED", "error": "Mistake", "cause": "the wrong posts"}
    ended = {"target": TARGET, "failed": FAILED, "happened": happened, "archive_checked": True}
    assert decided(who, ended | {"mode": "by_hand"}, context=context)[0] == "NotifySlackRollback"
    assert decided(who, ended | {"mode": "failed"}, context=context)[0] == "Rolled-Back"
    following, assigned = decided(who, ended | {"mode": "stopped"}, context=context)
    assert following == "NotifySlackFailure"
    assert assigned["alert"] == {
        "workflow": "moderation-dev-release",
        "execution": EVENT["executionArn"],
        "state": "ABORTED",
        "error": "Mistake",
        "cause": "the wrong posts",
        "further": {"rolled_back_to": "m-good"},
    }
    _, assigned = decided(who, ended | {"mode": "stopped", "archive_checked": False}, context=context)
    assert assigned["alert"]["further"] == {"rolled_back_to": f"m-good; {UNCHECKED}"}
    following, assigned = decided(who, ended | {"mode": "failed", "left_behind": {"state": "Discard"}}, context=context)
    assert (following, assigned["failure"]) == ("Rollback-Failure", {"state": "Discard"})


def test_the_end_is_a_failure_only_where_the_rollback_failed(rollback: Definition, decided: Callable[..., Any]) -> None:
    states = rollback["States"]
    assert states["NotifySlackFailure"]["Next"] == "Outcome"
    assert decided(states["Outcome"], {"failure": {"state": "Begin"}})[0] == "Failed"
    assert decided(states["Outcome"], {})[0] == "Rolled-Back"
    assert states["Failed"]["Error"] == "RollbackFailed"
    assert "Catch" not in states["NotifySlackFailure"]


def test_a_rollback_by_hand_says_from_where_to_where(rollback: Definition, evaluated: Callable[..., Any]) -> None:
    states = rollback["States"]
    described = {"EndpointConfigName": "m-bad"}
    variables = COUNTS | {"target": TARGET, "archive_checked": None}
    variables |= evaluated(states["Endpoint-Describing-Step"]["Assign"], variables, result=described)
    # What it served first, not what it serves when asked again.
    variables |= evaluated(
        states["Endpoint-Describing-Step"]["Assign"], variables, result={"EndpointConfigName": "m-good"}
    )
    message = evaluated(states["NotifySlackRollback"]["Arguments"]["Message"], variables, context=given({}))
    for part in ('"kind":"rollback"', '"from":"m-bad"', '"to":"m-good"', '"workflow":"m-rollback"'):
        assert part in message
    assert '"note":null' in message
    message = evaluated(
        states["NotifySlackRollback"]["Arguments"]["Message"], variables | {"archive_checked": False}, context=given({})
    )
    assert f'"note":"{UNCHECKED}"' in message
