import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import EndpointAlarms
from cdk_fargate_sagemaker.sagemaker import (
    DynamoDbExport,
    EndpointConfiguration,
    EndpointVariant,
    EvaluationGate,
    FunctionStep,
    LabelledData,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    ProcessingJob,
    ReviewDecisions,
    TrainingJob,
)
from tests.constructs.sagemaker.state_graph import reachable

WAY = {
    "Input": "Choice",
    "Begin": "Task",
    "Extract": "Task",
    "Train": "Task",
    "Has-Current": "Choice",
    "Score-Current-Step": "Task",
    "Evaluate": "Task",
    "Evaluation-Gate": "Choice",
    "Archive-Copying-Step": "Task",
    "Model-Creating-Step": "Task",
    "EndpointConfig-Step": "Task",
    "Archive-Checking-Step": "Task",
    "Endpoint-Describing-Step": "Task",
    "Endpoint-Updating-Step": "Task",
    "Update-Marking-Step": "Task",
    "Wait": "Wait",
    "Describe": "Task",
    "In-Service": "Choice",
    "Check": "Task",
    "Record": "Task",
    "Clean-Up": "Task",
    "Released": "Succeed",
}
ASIDE = {
    "Refused": "Fail",
    "Endpoint-Missing": "Choice",
    "Endpoint-Creating-Step": "Task",
    "Roll-Back": "Task",
    "NotifySlackFailure": "Task",
    "NotifySlackCleanUp": "Task",
    "Failed": "Fail",
}
RESOURCES = {
    "Begin": "lambda:invoke",
    "Extract": "lambda:invoke",
    "Train": "sagemaker:createTrainingJob.sync",
    "Score-Current-Step": "sagemaker:createTransformJob.sync",
    "Evaluate": "lambda:invoke",
    "Archive-Copying-Step": "lambda:invoke",
    "Model-Creating-Step": "aws-sdk:sagemaker:createModel",
    "EndpointConfig-Step": "aws-sdk:sagemaker:createEndpointConfig",
    "Archive-Checking-Step": "lambda:invoke",
    "Endpoint-Describing-Step": "aws-sdk:sagemaker:describeEndpoint",
    "Endpoint-Creating-Step": "aws-sdk:sagemaker:createEndpoint",
    "Endpoint-Updating-Step": "aws-sdk:sagemaker:updateEndpoint",
    "Update-Marking-Step": "aws-sdk:cloudwatch:putMetricData",
    "Describe": "aws-sdk:sagemaker:describeEndpoint",
    "Check": "lambda:invoke",
    "Record": "lambda:invoke",
    "Clean-Up": "lambda:invoke",
    "Roll-Back": "states:startExecution.sync:2",
    "NotifySlackFailure": "sns:publish",
    "NotifySlackCleanUp": "sns:publish",
}
# What a choice goes to where nothing is missing and nothing is refused.
FORWARD = {
    "Input": "Begin",
    "Reviews-Exported": "Extract",
    "Has-Current": "Score-Current-Step",
    "Evaluation-Gate": "Archive-Copying-Step",
    "In-Service": "Check",
}
# What a release does after a failure, and what it goes on without.
NO_FAILURE = {"Roll-Back", "NotifySlackFailure", "NotifySlackCleanUp", "Update-Marking-Step"}
ENDS = {"Released", "Refused", "Failed"}
CURRENT = {"release": "moderation-dev-before", "model": "moderation-dev-before"}

Definition = dict[str, Any]
StatesOf = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def states_of(make_workflow: Callable[..., Any], definition_of: Callable[..., Definition]) -> StatesOf:
    """The states of the release workflow that is given these."""

    def states(**given: Any) -> dict[str, Any]:
        found: dict[str, Any] = definition_of(Template.from_stack(cdk.Stack.of(make_workflow(**given))))["States"]
        return found

    return states


@pytest.fixture(scope="module")
def whole(
    image: ModelImage, make_workflow: Callable[..., Any], everything: Any, definition_of: Callable[..., Definition]
) -> dict[str, Any]:
    """The states of a workflow that has all of them."""
    stack = cdk.Stack(cdk.App(), "Stack")
    workflow = make_workflow(stack=stack, **everything(stack))
    found: dict[str, Any] = definition_of(Template.from_stack(cdk.Stack.of(workflow)))["States"]
    return found


def function(name: str = "custom") -> lambda_.IFunction:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    return lambda_.Function.from_function_arn(cdk.Stack(), "Function", arn)


def way_of(states: dict[str, Any], start: str) -> list[str]:
    way = [start]
    while way[-1] != "Released":
        state = states[way[-1]]
        way.append(FORWARD.get(way[-1]) or state.get("Next") or state["Default"])
        assert len(way) <= len(states)
    return way


def test_the_states_have_the_names_that_people_know(definition: Definition) -> None:
    assert {name: state["Type"] for name, state in definition["States"].items()} == WAY | ASIDE
    assert definition["QueryLanguage"] == "JSONata"


def test_every_state_is_reached_and_every_state_comes_to_an_end(definition: Definition, whole: dict[str, Any]) -> None:
    for states in (definition["States"], whole):
        assert reachable(states, "Input") == set(states)
        for name in states:
            assert ENDS & reachable(states, name), name


def test_the_way_to_a_released_model(definition: Definition) -> None:
    states = definition["States"]
    assert way_of(states, definition["StartAt"]) == list(WAY)
    assert states["In-Service"]["Default"] == "Update-Marking-Step"
    assert states["Endpoint-Missing"]["Choices"][0]["Next"] == "Endpoint-Creating-Step"
    assert states["Endpoint-Creating-Step"]["Next"] == "Update-Marking-Step"


def test_the_way_with_every_step(whole: dict[str, Any]) -> None:
    way = way_of(whole, "Input")
    assert way[1:4] == ["Begin", "Inputs-Finding-Step", "Unload-Step"]
    assert way[4:6] == ["Reviews-Export-Starting-Step", "Reviews-Export-Wait"]
    assert way[6:11] == ["Reviews-Export-Describing-Step", "Reviews-Exported", "Extract", "Preprocess", "Train"]
    assert way[way.index("Endpoint-Describing-Step") + 1 :][:2] == ["Scaling-Lifting-Step", "Endpoint-Updating-Step"]
    served = whole["In-Service"]["Choices"][0]["Next"]
    assert served == "Scaling-Registering-Step"
    assert whole[served]["Next"] == "Scaling-Policy-Step"
    assert whole["Scaling-Policy-Step"]["Next"] == "Check"


@pytest.mark.parametrize("name", RESOURCES)
def test_each_task_calls_its_service(definition: Definition, name: str) -> None:
    assert definition["States"][name]["Resource"] == f"arn:<AWS::Partition>:states:::{RESOURCES[name]}"


@pytest.mark.parametrize("name", sorted(set(RESOURCES) - NO_FAILURE))
def test_each_tasks_failure_is_caught(definition: Definition, name: str, evaluated: Callable[..., Any]) -> None:
    catch = definition["States"][name]["Catch"][-1]
    assert catch["ErrorEquals"] == ["States.ALL"]
    assert catch["Next"] == ("NotifySlackCleanUp" if name == "Clean-Up" else "Roll-Back")
    failure = evaluated(catch["Assign"], errorOutput={"Error": "Oops", "Cause": "it broke"})["failure"]
    assert failure == {"state": name, "error": "Oops", "cause": "it broke"}


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("it broke", "it broke"),
        (None, ""),
        (
            '{"errorMessage": "line 3: label is 2", "errorType": "InvalidPostsError", "stackTrace": []}',
            "line 3: label is 2",
        ),
        ('{"TrainingJobName": "x", "FailureReason": "AlgorithmError: no posts"}', "AlgorithmError: no posts"),
        ('{"Status": "FAILED", "Error": "RollbackFailed", "Cause": "Begin: no"}', "Begin: no"),
        ('{"errorMessage": ""}', '{"errorMessage": ""}'),
        ('{"cut', '{"cut'),
        ("x" * 40000, "x" * 4000),
    ],
)
def test_a_cause_is_told_as_a_sentence(
    definition: Definition, cause: str | None, told: str, evaluated: Callable[..., Any]
) -> None:
    catch = definition["States"]["Train"]["Catch"][-1]
    output = {"Error": "Oops"} if cause is None else {"Error": "Oops", "Cause": cause}
    assert evaluated(catch["Assign"], errorOutput=output)["failure"]["cause"] == told


def test_a_release_that_is_refused_ends_with_the_ledgers_words_and_undoes_nothing(
    definition: Definition, evaluated: Callable[..., Any]
) -> None:
    states = definition["States"]
    catch = states["Begin"]["Catch"][0]
    assert (catch["ErrorEquals"], catch["Next"]) == (["ReleaseInProgressError"], "Refused")
    message = (
        '{"errorMessage": "release x has been running since …: wait for it", "errorType": "ReleaseInProgressError"}'
    )
    assigned = evaluated(catch["Assign"], errorOutput={"Error": "ReleaseInProgressError", "Cause": message})
    refused = states["Refused"]
    assert refused["Error"] == "ReleaseInProgressError"
    assert evaluated(refused["Cause"], assigned) == "release x has been running since …: wait for it"


@pytest.mark.parametrize("name", RESOURCES)
def test_each_task_is_retried_with_back_off_and_jitter(definition: Definition, name: str) -> None:
    retries = definition["States"][name]["Retry"]
    expected = {
        "lambda": "Lambda.TooManyRequestsException",
        "sagemaker": "SageMaker.AmazonSageMakerException",
        "aws-sdk:sagemaker": "SageMaker.SageMakerException",
        "sns": "SNS.AmazonSNSException",
        "states": "StepFunctions.AWSStepFunctionsException",
        "aws-sdk:cloudwatch": "CloudWatch.CloudWatchException",
    }[RESOURCES[name].removesuffix(".sync:2").rpartition(":")[0]]
    assert any(expected in retry["ErrorEquals"] for retry in retries)
    for retry in retries:
        assert not {"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"])
        assert (retry["BackoffRate"], retry["JitterStrategy"]) == (2, "FULL")
        assert retry["MaxAttempts"] >= 2


def test_only_what_may_be_asked_twice_is_asked_again_after_no_answer(definition: Definition) -> None:
    again = {
        name
        for name, state in definition["States"].items()
        for retry in state.get("Retry", [])
        if "Sandbox.Timedout" in retry["ErrorEquals"]
    }
    assert again == {"Begin", "Archive-Copying-Step", "Archive-Checking-Step", "Record", "Clean-Up"}


def test_a_failure_is_rolled_back_before_it_is_told(definition: Definition, evaluated: Callable[..., Any]) -> None:
    states = definition["States"]
    roll_back = states["Roll-Back"]
    failure = {"state": "Check", "error": "EndpointRefusedError", "cause": "post 1"}
    context = {"Execution": {"Name": "x", "Id": "arn:x"}}
    arguments = evaluated(roll_back["Arguments"], {"release": "moderation-dev-x", "failure": failure}, context=context)
    assert arguments["Input"] == {"failed": {"release": "moderation-dev-x", "execution": "arn:x", "failure": failure}}
    # A second call for the same execution finds the first one's rollback.
    assert arguments["Name"] == "x"
    assert roll_back["Next"] == "NotifySlackFailure"
    assert states["NotifySlackFailure"]["Next"] == "Failed"
    assert states["Failed"]["Error"] == "ReleaseFailed"


def test_a_rollback_that_fails_is_told_in_the_same_alert(definition: Definition, evaluated: Callable[..., Any]) -> None:
    states = definition["States"]
    (catch,) = states["Roll-Back"]["Catch"]
    assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "NotifySlackFailure")
    cause = '{"Status": "FAILED", "Error": "RollbackFailed", "Cause": "Discard: still in use"}'
    variables = {"failure": {"state": "Check", "error": "EndpointRefusedError", "cause": "post 1"}}
    variables |= evaluated(catch["Assign"], variables, errorOutput={"Error": "States.TaskFailed", "Cause": cause})
    context = {"Execution": {"Id": "arn:x"}, "StateMachine": {"Name": "moderation-dev-release"}}
    message = evaluated(states["NotifySlackFailure"]["Arguments"]["Message"], variables, context=context)
    for part in ('"state":"Check"', "post 1", '"rollback_failure":"States.TaskFailed: Discard: still in use"'):
        assert part in message
    assert "the rollback failed too: States.TaskFailed: Discard" in evaluated(states["Failed"]["Cause"], variables)


def test_an_alert_says_what_failed_where_and_what_serves(definition: Definition, evaluated: Callable[..., Any]) -> None:
    states = definition["States"]
    variables = {"failure": {"state": "Check", "error": "EndpointRefusedError", "cause": "post 1"}}
    result = {"Output": {"failed": {"release": "moderation-dev-x"}, "target": {"release": "moderation-dev-before"}}}
    variables |= evaluated(states["Roll-Back"]["Assign"], variables, result=result)
    notify = states["NotifySlackFailure"]
    context = {"Execution": {"Id": "arn:x"}, "StateMachine": {"Name": "moderation-dev-release"}}
    message = evaluated(notify["Arguments"]["Message"], variables, context=context)
    for part in (
        '"kind":"workflow_failure"',
        '"workflow":"moderation-dev-release"',
        '"execution":"arn:x"',
        '"error":"EndpointRefusedError"',
        '"rolled_back_to":"moderation-dev-before"',
        "/v2/executions/details/arn:x",
    ):
        assert part in message
    assert "rollback_failure" not in message
    assert notify["Arguments"]["TopicArn"].startswith("<Alerts")
    # Where it cannot be published, the execution ends with that error, which the rule has told.
    assert "Catch" not in notify


@pytest.mark.parametrize(
    ("failed", "target", "told"),
    [
        ({"release": "moderation-dev-x"}, {"release": "moderation-dev-before"}, "moderation-dev-before"),
        ({"release": "moderation-dev-x"}, None, "nothing: no release served before"),
        (None, {"release": "moderation-dev-before"}, "nothing: the endpoint stays as it was"),
        (None, None, "nothing: the endpoint stays as it was"),
    ],
)
@pytest.mark.parametrize("checked", [None, True, False])
def test_what_the_endpoint_was_put_back_to_is_told_as_it_is(
    definition: Definition, evaluated: Callable[..., Any], failed: Any, target: Any, told: str, checked: bool | None
) -> None:
    output = {"failed": failed, "target": target, "archive_checked": checked}
    assigned = evaluated(definition["States"]["Roll-Back"]["Assign"], result={"Output": output})
    if checked is False and failed and target:
        told += "; its archive was not checked: the release was recorded before hashes were introduced"
    assert assigned == {"rolled_back_to": told}


def test_a_clean_up_that_fails_is_told_and_the_release_stays(definition: Definition) -> None:
    notify = definition["States"]["NotifySlackCleanUp"]
    assert notify["Next"] == "Released"
    assert "the new model serves" in notify["Arguments"]["Message"]


@pytest.mark.parametrize("given", [[], "text", 7, None])
def test_an_input_that_is_no_object_is_refused_in_one_line(
    definition: Definition, decided: Callable[..., Any], given: Any
) -> None:
    following, assigned = decided(definition["States"]["Input"], input=given)
    assert following == "NotifySlackFailure"
    assert assigned["failure"]["error"] == "InvalidInput"
    assert "it must be an object, such as {}" in assigned["failure"]["cause"]


@pytest.mark.parametrize(
    ("given", "started_by"),
    [({}, "hand"), ({"started_by": "schedule"}, "schedule"), ({"Comment": "Insert your JSON here"}, "hand")],
)
def test_an_empty_input_will_do(
    definition: Definition, decided: Callable[..., Any], given: dict[str, str], started_by: str
) -> None:
    # $hash is Step Functions' own; a name that fits does not need it.
    start = {"Execution": {"Name": "first"}}
    following, assigned = decided(definition["States"]["Input"], input=given, context=start)
    assert following == "Begin"
    assert assigned["release"] == "moderation-dev-first"
    assert assigned["started_by"] == started_by


def test_who_started_it_is_a_text(definition: Definition, decided: Callable[..., Any]) -> None:
    following, assigned = decided(definition["States"]["Input"], input={"started_by": 7})
    assert following == "NotifySlackFailure"
    assert "started_by is of type number: it must be a string" in assigned["failure"]["cause"]


def test_the_gate_asks_for_each_minimum(states_of: StatesOf, decided: Callable[..., Any]) -> None:
    gate = states_of(evaluate=ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0.9, "recall": 0.5})))[
        "Evaluation-Gate"
    ]
    first: dict[str, Any] = {"current": None, "current_metrics": None}
    assert decided(gate, first | {"metrics": {"auc": 0.9, "recall": 0.5}}) == ("Archive-Copying-Step", {})
    for metrics, cause in (
        ({"auc": 0.89, "recall": 0.5}, "auc is 0.89, needed at least 0.9: at_least of the gate"),
        ({"auc": 0.95}, "recall is missing, needed at least 0.5: at_least of the gate"),
    ):
        following, assigned = decided(gate, first | {"metrics": metrics})
        assert following == "Roll-Back"
        assert assigned["failure"] == {"state": "Evaluation-Gate", "error": "GateRefused", "cause": cause}


def compared(auc: tuple[float, float, float], drop: tuple[float, float, float] | None = None) -> dict[str, Any]:
    """What the evaluation says of how sure it is: of each, its value and between what it may be."""
    names = ("value", "low", "high")
    found = {"confidence": 0.95, "posts": 160, "violations": 33, "auc": dict(zip(names, auc, strict=True))}
    return found if drop is None else found | {"auc_drop": dict(zip(names, drop, strict=True))}


@pytest.mark.parametrize(
    ("auc", "cause"),
    [
        ((0.76, 0.7, 0.81), None),
        ((0.93, 0.9, 0.95), None),
        (
            (0.7, 0.62, 0.77),
            "auc is 0.7 (at most 0.77 with 95 % confidence, on 33 held-out violations), needed at least 0.8: at_least "
            "of the gate; about 1617 held-out violations measure it to 0.01",
        ),
        (
            (0.7, 0.45, 0.85),
            "auc is 0.7 (at least 0.45 with 95 % confidence, on 33 held-out violations), which a random model may "
            "reach too: "
            "at_least of the gate asks for 0.8; about 52 held-out violations would show the difference: add labelled "
            "posts",
        ),
    ],
    ids=["may reach it", "reaches it", "does not", "chance"],
)
def test_the_gate_refuses_what_cannot_reach_the_minimum(
    definition: Definition, decided: Callable[..., Any], auc: tuple[float, float, float], cause: str | None
) -> None:
    variables = {"current": None, "current_metrics": None, "metrics": {"auc": auc[0]}, "comparison": compared(auc)}
    following, assigned = decided(definition["States"]["Evaluation-Gate"], variables)
    assert following == ("Roll-Back" if cause else "Archive-Copying-Step")
    if cause:
        assert assigned["failure"]["cause"] == cause


def test_a_gate_without_a_minimum_takes_what_chance_reaches(states_of: StatesOf, decided: Callable[..., Any]) -> None:
    gate = states_of(evaluate=ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0})))["Evaluation-Gate"]
    found = {"metrics": {"auc": 0.6}, "comparison": compared((0.6, 0.0, 1.0))}
    assert decided(gate, {"current": None, "current_metrics": None, **found})[0] == "Archive-Copying-Step"


@pytest.mark.parametrize(
    ("auc", "drop", "refused"),
    [
        (0.85, (0.05, -0.01, 0.11), False),  # as likely of two equal models
        (0.85, (0.05, 0.0, 0.1), False),
        (0.895, (0.005, 0.002, 0.008), False),  # for certain, and forgiven
        (0.85, (0.05, 0.02, 0.08), True),
    ],
)
def test_the_gate_refuses_a_fall_that_is_not_chance(
    definition: Definition,
    decided: Callable[..., Any],
    auc: float,
    drop: tuple[float, float, float],
    refused: bool,
) -> None:
    comparison = compared((auc, auc - 0.05, auc + 0.05), drop)
    variables = {"current": CURRENT, "current_metrics": {"auc": 0.9}, "metrics": {"auc": auc}, "comparison": comparison}
    following, assigned = decided(definition["States"]["Evaluation-Gate"], variables)
    assert following == ("Roll-Back" if refused else "Archive-Copying-Step")
    if refused:
        assert assigned["failure"]["cause"] == (
            "auc is 0.85; the current model moderation-dev-before has 0.9 on the same posts: it may fall by at "
            "most 0.01, may_worsen of the gate, and has fallen by at least 0.02 with 95 % confidence; on about 297 "
            "held-out violations, not 33, a fall of 0.01 shows"
        )


@pytest.mark.parametrize(
    ("current", "current_metrics", "auc", "refused"),
    [
        (None, None, 0.8, None),
        (CURRENT, {"auc": 0.9}, 0.95, None),
        (CURRENT, {"auc": 0.9}, 0.89, None),  # 0.9 - 0.89 is a little more than 0.01 in binary
        (CURRENT, {"auc": 0.9}, 0.889, "the current model moderation-dev-before has 0.9 on the same posts"),
        (CURRENT, {}, 0.99, "the current model moderation-dev-before has no known value"),
        (CURRENT, None, 0.99, "the current model moderation-dev-before has no known value"),
    ],
)
def test_the_gate_compares_with_the_current_model(
    definition: Definition, decided: Callable[..., Any], current: Any, current_metrics: Any, auc: float, refused: Any
) -> None:
    variables = {"current": current, "current_metrics": current_metrics, "metrics": {"auc": auc}}
    following, assigned = decided(definition["States"]["Evaluation-Gate"], variables)
    assert following == ("Roll-Back" if refused else "Archive-Copying-Step")
    if refused:
        assert refused in assigned["failure"]["cause"]
        assert "it may fall by at most 0.01" in assigned["failure"]["cause"]


def test_a_gate_that_compares_nothing_scores_nothing(states_of: StatesOf) -> None:
    states = states_of(evaluate=ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0.8})))
    assert "Score-Current-Step" not in states
    assert states["Train"]["Next"] == "Evaluate"


def test_the_current_model_is_asked_about_the_texts_of_the_same_posts(
    definition: Definition, decided: Callable[..., Any], evaluated: Callable[..., Any]
) -> None:
    states = definition["States"]
    posts = {"test": {"uri": "s3://data/runs/x/test/", "texts_uri": "s3://data/runs/x/texts/"}}
    variables = {"current": CURRENT, "posts": posts, "release": "moderation-dev-x"}
    assert decided(states["Has-Current"], variables)[0] == "Score-Current-Step"
    assert decided(states["Has-Current"], variables | {"current": None})[0] == "Evaluate"
    assert decided(states["Has-Current"], variables | {"posts": {"test": {}}})[0] == "Evaluate"
    context = {"Execution": {"Name": "x"}}
    job = evaluated(states["Score-Current-Step"]["Arguments"], variables, context=context)
    assert (job["TransformJobName"], job["ModelName"]) == ("moderation-dev-x", "moderation-dev-before")
    assert job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://data/runs/x/texts/"
    assert (job["BatchStrategy"], job["TransformInput"]["SplitType"]) == ("SingleRecord", "Line")
    assert job["TransformOutput"]["S3OutputPath"].endswith("/runs/x/current/")
    scores = evaluated(states["Score-Current-Step"]["Assign"], variables, context=context)["current_scores"]
    assert scores == job["TransformOutput"]["S3OutputPath"] + "posts.jsonl.out"


@pytest.mark.parametrize(
    ("status", "configuration", "polls", "following", "error"),
    [
        ("InService", "moderation-dev-x", 1, "Check", None),
        ("InService", "moderation-dev-before", 1, "Roll-Back", "EndpointNotReleased"),
        ("Updating", "moderation-dev-before", 1, "Update-Marking-Step", None),
        ("Creating", "moderation-dev-x", 1, "Update-Marking-Step", None),
        ("SystemUpdating", "moderation-dev-before", 1, "Update-Marking-Step", None),
        ("Updating", "moderation-dev-before", 110, "Roll-Back", "EndpointNotInTime"),
        ("RollingBack", "moderation-dev-before", 1, "Roll-Back", "EndpointNotReleased"),
        ("Failed", "moderation-dev-x", 1, "Roll-Back", "EndpointNotReleased"),
        ("OutOfService", "moderation-dev-x", 1, "Roll-Back", "EndpointNotReleased"),
        ("UpdateRollbackFailed", "moderation-dev-x", 1, "Roll-Back", "EndpointNotReleased"),
    ],
)
def test_in_service_is_the_new_configuration_in_service(
    definition: Definition,
    decided: Callable[..., Any],
    status: str,
    configuration: str,
    polls: int,
    following: str,
    error: str | None,
) -> None:
    endpoint = {"EndpointStatus": status, "EndpointConfigName": configuration, "FailureReason": "no capacity"}
    variables = {"endpoint": endpoint, "polls": polls, "release": "moderation-dev-x"}
    gone, assigned = decided(definition["States"]["In-Service"], variables)
    assert gone == following
    assert assigned.get("failure", {}).get("error") == error
    if error == "EndpointNotReleased":
        assert assigned["failure"]["cause"].endswith("needed InService with moderation-dev-x: no capacity")


def test_only_an_endpoint_that_is_not_there_is_created(definition: Definition, decided: Callable[..., Any]) -> None:
    missing = definition["States"]["Endpoint-Missing"]
    gone = {"error": "SageMaker.SageMakerException", "cause": 'Could not find endpoint "arn:…" (Service: SageMaker'}
    assert decided(missing, {"description_error": gone})[0] == "Endpoint-Creating-Step"
    denied = {"error": "SageMaker.SageMakerException", "cause": "User is not authorized"}
    following, assigned = decided(missing, {"description_error": denied})
    assert following == "Roll-Back"
    assert assigned["failure"] == {"state": "Endpoint-Describing-Step", **denied}


def test_the_training_job_is_isolated_encrypted_and_limited(
    definition: Definition, evaluated: Callable[..., Any]
) -> None:
    train = definition["States"]["Train"]
    job = train["Arguments"]
    assert job["TrainingJobName"] == "{% $release %}"
    assert job["EnableNetworkIsolation"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * 3600}
    assert train["TimeoutSeconds"] == 5 * 3600
    assert job["ResourceConfig"]["VolumeKmsKeyId"].startswith("<ReleaseKey")
    output = evaluated(job["OutputDataConfig"]["S3OutputPath"], context={"Execution": {"Name": "x"}})
    assert output.endswith("/runs/x/trained/")
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["train", "test"]
    assert not {"EnableManagedSpotTraining", "CheckpointConfig", "VpcConfig"} & set(job)


def test_training_on_spare_machines_keeps_checkpoints(whole: dict[str, Any], evaluated: Callable[..., Any]) -> None:
    train = whole["Train"]
    job = train["Arguments"]
    assert job["EnableManagedSpotTraining"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * 3600, "MaxWaitTimeInSeconds": 6 * 3600}
    assert train["TimeoutSeconds"] == 7 * 3600
    checkpoints = evaluated(job["CheckpointConfig"], context={"Execution": {"Name": "x"}})
    assert checkpoints["S3Uri"].endswith("/runs/x/checkpoints/")
    assert job["VpcConfig"] == {"SecurityGroupIds": ["sg-22222222"], "Subnets": ["subnet-aaaaaaaa"]}


def test_a_machine_is_kept_warm(states_of: StatesOf, image: ModelImage) -> None:
    states = states_of(train=TrainingJob(image=image, keep_alive=cdk.Duration.minutes(30)))
    assert states["Train"]["Arguments"]["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1800


def test_what_a_training_needs_is_looked_for_first_and_reaches_it_by_a_channel(
    whole: dict[str, Any], evaluated: Callable[..., Any]
) -> None:
    finding = whole["Inputs-Finding-Step"]
    assert whole["Begin"]["Next"] == "Inputs-Finding-Step"
    (wanted,) = finding["Arguments"]["Payload"]["inputs"]
    assert wanted["uri"].endswith("/pretrained/1/")
    assert wanted["remedy"] == "upload it"
    failure = {
        "errorMessage": "there is no object below s3://b/pretrained/1/: upload it",
        "errorType": "InputMissingError",
    }
    caught = evaluated(finding["Catch"][-1]["Assign"], errorOutput={"Error": "x", "Cause": json.dumps(failure)})
    assert caught["failure"]["cause"] == failure["errorMessage"]
    channels = whole["Train"]["Arguments"]["InputDataConfig"]
    assert [channel["ChannelName"] for channel in channels] == ["train", "test", "pretrained"]
    assert channels[2]["DataSource"]["S3DataSource"]["S3Uri"] == wanted["uri"]


def test_what_is_served_is_the_copy_that_was_hashed(definition: Definition, evaluated: Callable[..., Any]) -> None:
    states = definition["States"]
    variables = {
        "release": "moderation-dev-x",
        "model_data": "s3://data/runs/x/trained/moderation-dev-x/output/model.tar.gz",
    }
    copying = states["Archive-Copying-Step"]
    assert evaluated(copying["Arguments"]["Payload"], variables) == {"operation": "keep", **variables}
    kept = {"model_data": "s3://data/models/moderation-dev-x/output/model.tar.gz", "sha256": "00ff"}
    variables |= evaluated(copying["Assign"], variables, result={"Payload": kept})
    assert (
        evaluated(states["Model-Creating-Step"]["Arguments"]["PrimaryContainer"]["ModelDataUrl"], variables)
        == (kept["model_data"])
    )
    checking = states["Archive-Checking-Step"]
    assert states["EndpointConfig-Step"]["Next"] == "Archive-Checking-Step"
    assert checking["Next"] == "Endpoint-Describing-Step"
    assert evaluated(checking["Arguments"]["Payload"], variables) == {
        "operation": "check",
        "release": "moderation-dev-x",
        **kept,
    }
    recorded = states["Record"]["Arguments"]["Payload"]
    assert evaluated({name: recorded[name] for name in ("model_data", "archive_sha256")}, variables) == {
        "model_data": kept["model_data"],
        "archive_sha256": "00ff",
    }


def test_a_training_that_fetches_a_checkpoint_is_not_isolated(states_of: StatesOf, image: ModelImage) -> None:
    states = states_of(train=TrainingJob(image=image, network_isolation=False))
    assert states["Train"]["Arguments"]["EnableNetworkIsolation"] is False
    assert states["Model-Creating-Step"]["Arguments"]["EnableNetworkIsolation"] is True


def test_the_model_knows_its_name_and_is_isolated(definition: Definition) -> None:
    model = definition["States"]["Model-Creating-Step"]["Arguments"]
    assert model["ModelName"] == model["PrimaryContainer"]["Environment"]["MODEL_NAME"] == "{% $release %}"
    assert model["EnableNetworkIsolation"] is True


def test_the_settings_reach_the_jobs(states_of: StatesOf, image: ModelImage) -> None:
    states = states_of(
        train=TrainingJob(
            image=image,
            instance_type="g4dn.xlarge",
            volume_gib=50,
            max_runtime=cdk.Duration.hours(1),
            hyperparameters={"recipe": "bert", "epochs": 3},
        ),
        configuration=EndpointConfiguration(variants=[EndpointVariant(instance_type="ml.c6i.large", count=2)]),
        inference_environment={"THREADS": "2"},
        poll_interval=cdk.Duration.seconds(7),
        in_service_within=cdk.Duration.minutes(1),
        keep_releases=3,
    )
    assert states["Train"]["Arguments"]["HyperParameters"] == {"recipe": "bert", "epochs": "3"}
    # Its own disks are encrypted by hardware; SageMaker refuses a key for them.
    assert states["Train"]["Arguments"]["ResourceConfig"] == {
        "InstanceType": "ml.g4dn.xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 50,
    }
    (variant,) = states["EndpointConfig-Step"]["Arguments"]["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.c6i.large", 2)
    assert states["Model-Creating-Step"]["Arguments"]["PrimaryContainer"]["Environment"]["THREADS"] == "2"
    assert states["Wait"]["Seconds"] == 7
    assert "$polls >= 9" in states["In-Service"]["Choices"][2]["Condition"]
    assert states["Clean-Up"]["Arguments"]["Payload"] == {"operation": "clean_up", "keep": 3}


def test_alarms_know_that_the_release_tells_while_it_changes_the_endpoint(definition: Definition) -> None:
    marking = definition["States"]["Update-Marking-Step"]
    (datum,) = marking["Arguments"]["MetricData"]
    assert (marking["Arguments"]["Namespace"], datum["MetricName"]) == ("ModelReleases", "EndpointUpdates")
    assert datum["Dimensions"] == [{"Name": "EndpointName", "Value": "moderation-dev"}]
    # An alarm that is told as well is better than a release that is given up half done.
    assert marking["Next"] == "Wait"
    assert marking["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "Wait"}]


def test_alarms_that_were_made_of_the_workflow_take_its_update_back(
    definition: Definition, make_workflow: Callable[..., ModelReleaseWorkflow], definition_of: Callable[..., Definition]
) -> None:
    before = definition["States"]["Endpoint-Updating-Step"]["Arguments"]["DeploymentConfig"]
    assert "AutoRollbackConfiguration" not in before
    workflow = make_workflow()
    stack = cdk.Stack.of(workflow)
    alarms = EndpointAlarms(stack, "Alarms", endpoint=workflow)
    workflow.roll_back_on(alarms)
    states = definition_of(Template.from_stack(stack))["States"]
    after = states["Endpoint-Updating-Step"]["Arguments"]["DeploymentConfig"]
    names = [alarm["AlarmName"] for alarm in after["AutoRollbackConfiguration"]["Alarms"]]
    assert len(names) == 3
    assert [name.strip("<>") for name in names] == [
        stack.resolve(alarm.alarm_name)["Ref"] for alarm in alarms.guardrail_alarms
    ]
    role = stack.resolve(workflow.endpoint_role.role_name)
    (policy,) = (
        policy
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if policy["Properties"]["Roles"] == [role]
    )
    described = [
        statement["Resource"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "cloudwatch:DescribeAlarms"
    ]
    assert described == [[stack.resolve(alarm.alarm_arn) for alarm in alarms.guardrail_alarms]]


def test_an_update_shifts_traffic_and_keeps_the_count_that_scaling_reached(whole: dict[str, Any]) -> None:
    update = whole["Endpoint-Updating-Step"]["Arguments"]
    assert update["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    assert update["DeploymentConfig"]["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "latency"}]}
    assert update["RetainAllVariantProperties"] is True
    assert update["ExcludeRetainedVariantProperties"] == [
        {"VariantPropertyType": "DesiredWeight"},
        {"VariantPropertyType": "DataCaptureConfig"},
    ]
    assert "DeploymentConfig" not in whole["Endpoint-Creating-Step"]["Arguments"]


def test_without_scaling_the_count_is_the_settings(definition: Definition) -> None:
    assert "RetainAllVariantProperties" not in definition["States"]["Endpoint-Updating-Step"]["Arguments"]


def test_scaling_is_lifted_around_the_update(whole: dict[str, Any]) -> None:
    lifting = whole["Scaling-Lifting-Step"]
    assert lifting["Resource"].endswith(":aws-sdk:applicationautoscaling:deregisterScalableTarget")
    assert lifting["Arguments"]["ResourceId"] == "endpoint/moderation-dev/variant/primary"
    # What is not registered need not be lifted.
    assert lifting["Catch"][0] == {
        "ErrorEquals": ["ApplicationAutoScaling.ObjectNotFoundException"],
        "Next": "Endpoint-Updating-Step",
    }
    registering = whole["Scaling-Registering-Step"]["Arguments"]
    assert (registering["MinCapacity"], registering["MaxCapacity"]) == (2, 6)


def test_preprocessed_posts_are_trained_on_and_the_extracted_ones_are_judged(
    whole: dict[str, Any], evaluated: Callable[..., Any]
) -> None:
    preprocess = whole["Preprocess"]
    assert preprocess["Resource"].endswith(":sagemaker:createProcessingJob.sync")
    extracted = {
        "train": {"uri": "s3://data/runs/x/train/", "posts": 80},
        "test": {"uri": "s3://data/runs/x/test/", "posts": 20, "texts_uri": "s3://data/runs/x/texts/"},
        "fingerprint": "sha256:1",
    }
    context = {"Execution": {"Name": "x"}}
    job = evaluated(preprocess["Arguments"], {"posts": extracted, "release": "moderation-dev-x"}, context=context)
    assert job["ProcessingJobName"] == "moderation-dev-x"
    assert job["AppSpecification"]["ContainerArguments"] == ["--strip"]
    assert [given["S3Input"]["LocalPath"] for given in job["ProcessingInputs"]] == [
        "/opt/ml/processing/input/train",
        "/opt/ml/processing/input/test",
    ]
    assert [given["S3Input"]["S3Uri"] for given in job["ProcessingInputs"]] == [
        "s3://data/runs/x/train/",
        "s3://data/runs/x/test/",
    ]
    written = [output["S3Output"]["S3Uri"] for output in job["ProcessingOutputConfig"]["Outputs"]]
    posts = evaluated(preprocess["Assign"], {"posts": extracted}, context=context)["posts"]
    assert [posts["train"]["uri"], posts["test"]["uri"]] == written
    assert written[0].endswith("/runs/x/preprocessed/train/")
    assert (posts["train"]["posts"], posts["test"]["texts_uri"]) == (80, "s3://data/runs/x/texts/")
    assert posts["fingerprint"] == "sha256:1"
    assert whole["Evaluate"]["Arguments"]["Payload"]["test_uri"] == "{% $held_out %}"
    machines = whole["Evaluate"]["Arguments"]["Payload"]["machines"]
    assert machines == [{"name": "ml.m5.large", "mib": 8192, "workers": 1}]
    assert whole["Check"]["Arguments"]["Payload"]["posts"] == "{% $held_out & 'posts.jsonl' %}"


def test_athena_writes_where_the_extractor_reads(whole: dict[str, Any], evaluated: Callable[..., Any]) -> None:
    context = {"Execution": {"Name": "x"}}
    query = evaluated(whole["Unload-Step"]["Arguments"], context=context)
    assert query["QueryString"].startswith(
        "UNLOAD (SELECT text, label FROM posts WHERE source = 'reviews \"2026\"') TO 's3://"
    )
    assert query["QueryString"].endswith("/runs/x/unload/' WITH (format = 'JSON', compression = 'GZIP')")
    assert query["ResultConfiguration"]["OutputLocation"].endswith("/runs/x/athena/")
    payload = evaluated(whole["Extract"]["Arguments"]["Payload"], context=context)
    assert (payload["posts_prefix"], payload["format"]) == ("runs/x/unload/", "json_lines")


def test_a_dynamodb_table_is_exported_and_waited_for(
    states_of: StatesOf, decided: Callable[..., Any], evaluated: Callable[..., Any]
) -> None:
    table = dynamodb.Table.from_table_name(cdk.Stack(), "Posts", "posts")
    states = states_of(source=DynamoDbExport(table=table, max_runtime=cdk.Duration.minutes(3)))
    context = {"Execution": {"Name": "x"}}
    export = evaluated(states["Export-Starting-Step"]["Arguments"], context=context)
    assert (export["S3Prefix"], export["ClientToken"]) == ("runs/x/export", "x")
    payload = evaluated(states["Extract"]["Arguments"]["Payload"], context=context)
    assert (payload["posts_prefix"], payload["format"]) == ("runs/x/export/", "dynamodb_export")

    def following(status: str, polls: int) -> tuple[str, Any]:
        described = {"ExportStatus": status, "TableArn": "arn:posts", "FailureMessage": "no access"}
        gone: tuple[str, Any] = decided(states["Exported"], {"export": described, "export_polls": polls})
        return gone

    assert following("COMPLETED", 3)[0] == "Extract"
    assert following("IN_PROGRESS", 2)[0] == "Export-Wait"
    assert following("IN_PROGRESS", 3)[1]["failure"]["cause"] == "the export of arn:posts still runs after 3 minutes"
    gone, assigned = following("FAILED", 1)
    assert (gone, assigned["failure"]["error"]) == ("Roll-Back", "ExportFailed")
    assert assigned["failure"]["cause"] == "the export of arn:posts: no access"


@pytest.mark.parametrize(
    ("current", "known"),
    [
        (None, None),
        ({"release": "a", "sides": 4177}, 4177),
        ({"release": "a", "sides": None}, 0),
        ({"release": "a"}, 0),
    ],
    ids=["nothing serves", "written down", "of before, as the ledger says it", "of before"],
)
def test_extraction_is_given_how_many_sides_the_release_that_serves_knew(
    whole: dict[str, Any], evaluated: Callable[..., Any], current: dict[str, Any] | None, known: int | None
) -> None:
    context = {"Execution": {"Name": "x"}}
    given = evaluated(whole["Extract"]["Arguments"]["Payload"], {"current": current}, context=context)["known_sides"]
    assert json.dumps(given, default=str) in (("null", '"null"') if known is None else (json.dumps(known),))


def test_reviews_are_exported_after_the_posts_and_merged_by_the_extraction(
    whole: dict[str, Any], states_of: StatesOf, decided: Callable[..., Any], evaluated: Callable[..., Any]
) -> None:
    assert whole["Unload-Step"]["Next"] == "Reviews-Export-Starting-Step"
    context = {"Execution": {"Name": "x"}}
    export = evaluated(whole["Reviews-Export-Starting-Step"]["Arguments"], context=context)
    assert (export["S3Prefix"], export["ClientToken"]) == ("runs/x/reviews", "Reviews-x")
    assert export["TableArn"].endswith(":table/reviewed")

    def reviews(current: dict[str, Any] | None) -> Any:
        return evaluated(whole["Extract"]["Arguments"]["Payload"], {"current": current}, context=context)["reviews"]

    seen = {"release": "a", "labels_as_of": "2026-11-24T12:00:00.000Z"}
    limits = {"max_changed_percent": 10, "min_changed": 20, "max_reviewer_percent": 60, "min_labels": 100}
    assert reviews(seen) == {"prefix": "runs/x/reviews/", "since": seen["labels_as_of"], "limits": limits}
    # Nothing serves yet; what serves was made before there were reviews.
    for current in (None, {"release": "a", "labels_as_of": None}, {"release": "a"}):
        assert json.dumps(reviews(current)["since"], default=str) in ("null", '"null"')

    exported = {"ExportStatus": "IN_PROGRESS", "TableArn": "arn:reviewed"}
    gone, assigned = decided(whole["Reviews-Exported"], {"export": exported, "export_polls": 3})
    assert (gone, assigned["failure"]["state"]) == ("Roll-Back", "Reviews-Exported")
    assert decided(whole["Reviews-Exported"], {"export": exported, "export_polls": 2})[0] == "Reviews-Export-Wait"
    done = {"export": exported | {"ExportStatus": "COMPLETED"}, "export_polls": 3}
    assert decided(whole["Reviews-Exported"], done)[0] == "Extract"
    table = dynamodb.Table.from_table_name(cdk.Stack(), "Reviews", "reviews")
    assert (
        states_of(source=LabelledData(reviews=ReviewDecisions(table=table)))["Begin"]["Next"]
        == "Reviews-Export-Starting-Step"
    )


@pytest.mark.parametrize(
    ("step", "state"), [("source", "Extract"), ("preprocess", "Preprocess"), ("evaluate", "Evaluate"),
                        ("check", "Check")]
)  # fmt: skip
def test_a_step_can_be_a_function_of_the_teams_own(states_of: StatesOf, step: str, state: str) -> None:
    def states_with(stage: FunctionStep) -> dict[str, Any]:
        return states_of(**{step: ModelEvaluation(measure=stage) if step == "evaluate" else stage})

    own = states_with(FunctionStep(function=function()))
    assert own[state]["Arguments"]["FunctionName"].endswith(":function:custom")
    given = states_with(FunctionStep(function=function(), payload={"release": "{% $release %}", "depth": 3}))
    assert given[state]["Arguments"]["Payload"] == {"release": "{% $release %}", "depth": 3}
    assert given[state]["Assign"] if step != "check" else True


def test_a_processing_job_runs_as_its_own_role(states_of: StatesOf, image: ModelImage) -> None:
    job = ProcessingJob(image=image, entry_point=["python", "prepare.py"], environment={"DEPTH": "3"})
    preprocess = states_of(preprocess=job)["Preprocess"]["Arguments"]
    assert preprocess["RoleArn"].startswith("<ReleaseProcessingRole")
    assert preprocess["AppSpecification"]["ContainerEntrypoint"] == ["python", "prepare.py"]
    assert preprocess["Environment"] == {"DEPTH": "3"}
    assert preprocess["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert preprocess["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def test_a_release_of_posts_that_the_input_gives(states_of: StatesOf, decided: Callable[..., Any]) -> None:
    states = states_of(source=None)
    assert states["Begin"]["Next"] == "Train"
    context = {"Execution": {"Name": "x"}}
    posts = {"train": {"uri": "s3://data/train/"}, "test": {"uri": "s3://data/test/"}}
    following, assigned = decided(states["Input"], input={"posts": posts}, context=context)
    assert following == "Begin"
    assert (assigned["posts"], assigned["held_out"]) == (posts, "s3://data/test/")
    for given, cause in (
        ({}, "posts.train.uri is missing: this workflow needs it as s3://…/"),
        ({"posts": posts | {"test": {"uri": "s3://data/test"}}}, "posts.test.uri is s3://data/test: this workflow"),
        ({"posts": posts | {"test": {"uri": 7}}}, "posts.test.uri is missing"),
    ):
        following, assigned = decided(states["Input"], input=given, context=context)
        assert following == "NotifySlackFailure"
        assert assigned["failure"]["cause"].startswith(cause)


def test_a_release_of_a_model_that_the_input_gives(states_of: StatesOf, decided: Callable[..., Any]) -> None:
    states = states_of(source=None, train=None, evaluate=None, check=None)
    assert states["Begin"]["Next"] == "Archive-Copying-Step"
    assert states["In-Service"]["Choices"][0]["Next"] == "Record"
    context = {"Execution": {"Name": "x"}}
    given = {"model_data": "s3://models/model.tar.gz"}
    following, assigned = decided(states["Input"], input=given, context=context)
    assert (following, assigned["model_data"]) == ("Begin", "s3://models/model.tar.gz")
    following, assigned = decided(states["Input"], input={"model_data": "model.zip"}, context=context)
    assert following == "NotifySlackFailure"
    assert assigned["failure"]["cause"] == ("model_data is model.zip: this workflow needs it as s3://…/model.tar.gz")
