from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import EndpointConfiguration, EndpointVariant, EvaluationGate, TrainingJob

NAMES = {
    "Extract": "Task",
    "Train": "Task",
    "Evaluate": "Task",
    "Evaluation-Gate": "Choice",
    "Model-Creating-Step": "Task",
    "EndpointConfig-Step": "Task",
    "Endpoint-Describing-Step": "Task",
    "Endpoint-Missing": "Choice",
    "Endpoint-Creating-Step": "Task",
    "Endpoint-Updating-Step": "Task",
    "Wait": "Wait",
    "Describe": "Task",
    "In-Service": "Choice",
    "Check": "Task",
    "Released": "Succeed",
    "NotifySlackFailure": "Task",
    "Failed": "Fail",
}
RESOURCES = {
    "Extract": "lambda:invoke",
    "Train": "sagemaker:createTrainingJob.sync",
    "Evaluate": "lambda:invoke",
    "Model-Creating-Step": "aws-sdk:sagemaker:createModel",
    "EndpointConfig-Step": "aws-sdk:sagemaker:createEndpointConfig",
    "Endpoint-Describing-Step": "aws-sdk:sagemaker:describeEndpoint",
    "Endpoint-Creating-Step": "aws-sdk:sagemaker:createEndpoint",
    "Endpoint-Updating-Step": "aws-sdk:sagemaker:updateEndpoint",
    "Describe": "aws-sdk:sagemaker:describeEndpoint",
    "Check": "lambda:invoke",
    "NotifySlackFailure": "sns:publish",
}


def successors(state: dict[str, Any]) -> Iterator[str]:
    for step in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in step:
            yield step["Next"]
    if "Default" in state:
        yield state["Default"]


def reachable(states: dict[str, Any], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(successors(states[name]))
    return seen


def refusals(choice: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in choice["Choices"] if rule["Next"] == "NotifySlackFailure"]


def test_the_states_have_the_names_that_people_know(definition: dict[str, Any]) -> None:
    assert {name: state["Type"] for name, state in definition["States"].items()} == NAMES
    assert definition["QueryLanguage"] == "JSONata"


def test_every_state_is_reached_and_every_state_comes_to_an_end(definition: dict[str, Any]) -> None:
    states = definition["States"]
    assert reachable(states, definition["StartAt"]) == set(states)
    for name in states:
        assert {"Released", "Failed"} & reachable(states, name), name


def test_the_way_to_a_released_model(definition: dict[str, Any]) -> None:
    states = definition["States"]
    way = ["Extract"]
    while way[-1] != "Released":
        state = states[way[-1]]
        way.append(
            {"Evaluation-Gate": "Model-Creating-Step", "In-Service": "Check"}.get(way[-1]) or state["Next"],
        )
    assert way == [name for name in NAMES if name not in
                   ("Endpoint-Missing", "Endpoint-Creating-Step", "NotifySlackFailure", "Failed")]  # fmt: skip
    assert states["Evaluation-Gate"]["Default"] == "Model-Creating-Step"
    assert states["In-Service"]["Choices"][0]["Next"] == "Check"
    assert states["In-Service"]["Default"] == "Wait"
    assert states["Endpoint-Missing"]["Choices"][0]["Next"] == "Endpoint-Creating-Step"
    assert states["Endpoint-Creating-Step"]["Next"] == "Wait"


@pytest.mark.parametrize("name", RESOURCES)
def test_each_task_calls_its_service(definition: dict[str, Any], name: str) -> None:
    assert definition["States"][name]["Resource"] == f"arn:<AWS::Partition>:states:::{RESOURCES[name]}"


@pytest.mark.parametrize("name", [name for name in RESOURCES if name != "NotifySlackFailure"])
def test_each_tasks_failure_is_told(definition: dict[str, Any], name: str) -> None:
    catch = definition["States"][name]["Catch"][-1]
    assert catch["ErrorEquals"] == ["States.ALL"]
    assert catch["Next"] == "NotifySlackFailure"
    assert catch["Assign"]["failure"] == {
        "state": name,
        "error": "{% $states.errorOutput.Error %}",
        "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
    }


@pytest.mark.parametrize("name", RESOURCES)
def test_each_task_is_retried_with_back_off_and_jitter(definition: dict[str, Any], name: str) -> None:
    (retry,) = definition["States"][name]["Retry"]
    service = RESOURCES[name].rpartition(":")[0]
    expected = {
        "lambda": "Lambda.TooManyRequestsException",
        "sagemaker": "SageMaker.AmazonSageMakerException",
        "aws-sdk:sagemaker": "SageMaker.SageMakerException",
        "sns": "SNS.AmazonSNSException",
    }[service]
    assert expected in retry["ErrorEquals"]
    assert not {"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"])
    assert (retry["BackoffRate"], retry["JitterStrategy"]) == (2, "FULL")
    assert retry["MaxAttempts"] >= 3


def test_every_alert_is_followed_by_failure(definition: dict[str, Any]) -> None:
    notify = definition["States"]["NotifySlackFailure"]
    assert notify["Next"] == "Failed"
    # Where it cannot be published, the execution ends with that error, which the rule tells.
    assert "Catch" not in notify
    assert notify["Arguments"]["TopicArn"].startswith("<AlertsTopic")
    for key in ("kind", "workflow", "execution", "state", "error", "cause", "console"):
        assert f"'{key}': " in notify["Arguments"]["Message"]
    assert definition["States"]["Failed"]["Error"] == "ReleaseFailed"


@pytest.mark.parametrize("name", ["Evaluation-Gate", "In-Service", "Endpoint-Missing"])
def test_each_choices_refusal_says_why(definition: dict[str, Any], name: str) -> None:
    rules = refusals(definition["States"][name])
    assert rules
    for rule in rules:
        assert set(rule["Assign"]["failure"]) == {"state", "error", "cause"}


def test_the_gate_asks_for_each_minimum(
    make_workflow: Callable[..., Any], definition_of: Callable[[Template], dict[str, Any]]
) -> None:
    workflow = make_workflow(gate=EvaluationGate(minimum_auc=0.9, minimum_recall=0.5))
    gate = definition_of(Template.from_stack(cdk.Stack.of(workflow)))["States"]["Evaluation-Gate"]
    assert [rule["Condition"] for rule in gate["Choices"]] == [
        "{% ($metrics.auc >= 0.9) ? false : true %}",
        "{% ($metrics.recall >= 0.5) ? false : true %}",
    ]
    assert "needed at least 0.9" in gate["Choices"][0]["Assign"]["failure"]["cause"]


def test_the_training_job_is_isolated_encrypted_and_limited(definition: dict[str, Any]) -> None:
    job = definition["States"]["Train"]["Arguments"]
    assert job["TrainingJobName"] == "{% $release %}"
    assert job["EnableNetworkIsolation"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * 3600}
    assert job["ResourceConfig"]["VolumeKmsKeyId"].startswith("<ReleaseKey")
    assert job["OutputDataConfig"]["S3OutputPath"].endswith("/models/")
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["train", "test"]


def test_a_training_that_fetches_a_checkpoint_is_not_isolated(
    make_workflow: Callable[..., Any], definition_of: Callable[[Template], dict[str, Any]]
) -> None:
    workflow = make_workflow(training=TrainingJob(network_isolation=False))
    states = definition_of(Template.from_stack(cdk.Stack.of(workflow)))["States"]
    assert states["Train"]["Arguments"]["EnableNetworkIsolation"] is False
    assert states["Model-Creating-Step"]["Arguments"]["EnableNetworkIsolation"] is True


def test_the_model_knows_its_name_and_is_isolated(definition: dict[str, Any]) -> None:
    model = definition["States"]["Model-Creating-Step"]["Arguments"]
    assert model["ModelName"] == model["PrimaryContainer"]["Environment"]["MODEL_NAME"] == "{% $release %}"
    assert model["EnableNetworkIsolation"] is True


def test_the_settings_reach_the_jobs(
    make_workflow: Callable[..., Any], definition_of: Callable[[Template], dict[str, Any]]
) -> None:
    workflow = make_workflow(
        training=TrainingJob(
            instance_type="g4dn.xlarge",
            volume_gib=50,
            max_runtime=cdk.Duration.hours(1),
            hyperparameters={"recipe": "bert", "epochs": 3},
        ),
        configuration=EndpointConfiguration(variants=[EndpointVariant(instance_type="ml.c6i.large", count=2)]),
        inference_environment={"THREADS": "2"},
        poll_interval=cdk.Duration.seconds(7),
        in_service_within=cdk.Duration.minutes(1),
    )
    states = definition_of(Template.from_stack(cdk.Stack.of(workflow)))["States"]
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
