"""Numbers that are known at deployment only stand in the state machines' JSON as numbers, and in JSONata as its own."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import jsonata
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import (
    DataCapture,
    DynamoDbExport,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    EvaluationGate,
    ModelEvaluation,
    ModelReleaseWorkflow,
    ProcessingJob,
    ReviewDecisions,
    TrafficShifting,
    TrainingJob,
)
from tests.constructs.construct_tree import sibling
from tests.constructs.known_at_deployment import whole
from tests.constructs.minimal.sagemaker import bucket, image, inference_endpoint, release_workflow

# As the deployment fills it in.
VALUE = 4177


@pytest.fixture(scope="module")
def machines() -> dict[str, Any]:
    stack = cdk.Stack(cdk.App(), "Stack")
    number = whole(cdk.CfnParameter(stack, "Number", type="Number").value_as_number)
    seconds = cdk.Duration.seconds(number)
    elsewhere = sibling(stack, "Elsewhere")
    release_workflow(
        stack,
        source=DynamoDbExport(
            table=cdk.aws_dynamodb.Table.from_table_name(stack, "Posts", "posts"),
            reviews=ReviewDecisions(table=cdk.aws_dynamodb.Table.from_table_name(stack, "Reviews", "reviews")),
        ),
        preprocess=ProcessingJob(image=image(elsewhere), volume_gib=number),
        train=TrainingJob(
            image=image(sibling(stack, "Training")),
            volume_gib=number,
            keep_alive=seconds,
            hyperparameters={"seed": number},
        ),
        evaluate=ModelEvaluation(
            gate=EvaluationGate(
                at_least=dict.fromkeys(("auc", "average_precision", "precision", "recall", "f1"), number),
                at_most={"rmse": number},
                may_worsen={"auc": number, "rmse": number},
            )
        ),
        keep_releases=number,
        start_on_new_labels=number,
        configuration=EndpointConfiguration(
            variants=[
                EndpointVariant(
                    count=number,
                    weight=number,
                    volume_gib=number,
                    startup_timeout=seconds,
                    scaling=EndpointScaling(
                        min_instances=number,
                        max_instances=number,
                        invocations_per_instance=number,
                        scale_out_cooldown=seconds,
                        scale_in_cooldown=seconds,
                    ),
                )
            ],
            data_capture=DataCapture(bucket=bucket(elsewhere), percent=number),
        ),
        traffic_shifting=TrafficShifting.linear(percent=number, wait=seconds, bake=seconds, max_duration=seconds),
        in_service_within=cdk.Duration.hours(2),
    )
    found = Template.from_stack(stack).find_resources("AWS::StepFunctions::StateMachine").values()
    return {
        machine["Properties"]["StateMachineName"]: json.loads(
            "".join(_deployed(part) for part in machine["Properties"]["DefinitionString"]["Fn::Join"][1])
        )
        for machine in found
    }


def _deployed(part: Any) -> str:
    if isinstance(part, str):
        return part
    return str(VALUE) if part == {"Ref": "Number"} else "reference"


def _fields(part: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _fields(value, key)
    elif isinstance(part, list):
        for value in part:
            yield from _fields(value, name)
    else:
        yield name, part


def test_where_asl_wants_a_number_it_is_one(machines: dict[str, Any]) -> None:
    given = [(name, value) for name, value in _fields(machines["reviews-release"]) if value in (VALUE, str(VALUE))]
    # SageMaker's hyperparameters are texts.
    assert [name for name, value in given if isinstance(value, str)] == ["seed"]
    assert sorted(name for name, value in given if isinstance(value, int)) == sorted(
        [
            "ContainerStartupHealthCheckTimeoutInSeconds",
            "InitialInstanceCount",
            "InitialSamplingPercentage",
            "InitialVariantWeight",
            "KeepAlivePeriodInSeconds",
            "MaxCapacity",
            "MaximumExecutionTimeoutInSeconds",
            "MinCapacity",
            "ScaleInCooldown",
            "ScaleOutCooldown",
            "TargetValue",
            "TerminationWaitInSeconds",
            "Value",
            "VolumeSizeInGB",
            "VolumeSizeInGB",
            "VolumeSizeInGB",
            "WaitIntervalInSeconds",
            "keep",
        ]
    )


def test_expressions_stay_valid(machines: dict[str, Any]) -> None:
    expressions = [
        value
        for definition in machines.values()
        for _, value in _fields(definition)
        if isinstance(value, str) and value.startswith("{%")
    ]
    assert len(expressions) > 100
    for expression in expressions:
        jsonata.Jsonata.jsonata(expression[2:-2].strip())


def test_the_gate_compares_with_the_number(machines: dict[str, Any], decided: Callable[..., tuple[str, Any]]) -> None:
    gate = machines["reviews-release"]["States"]["Evaluation-Gate"]
    names = ("auc", "average_precision", "precision", "recall", "f1")
    reached = dict.fromkeys((*names, "rmse"), VALUE)
    assert decided(gate, {"metrics": reached, "current": None, "current_metrics": None})[0] == gate["Default"]
    for name in names:
        missed = {"metrics": reached | {name: VALUE - 1}, "current": None, "current_metrics": None}
        state, assigned = decided(gate, missed)
        assert state == "Roll-Back"
        assert assigned["failure"]["cause"] == f"{name} is {VALUE - 1}, needed at least {VALUE}: at_least of the gate"


def test_fails_when_nobody_could_say_how_long_an_update_waits() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    later = cdk.Duration.seconds(cdk.CfnParameter(stack, "Number", type="Number").value_as_number)
    with pytest.raises(ValueError, match="in_service_within: got none, allowed: a Duration beside a traffic_shifting"):
        release_workflow(stack, traffic_shifting=TrafficShifting.all_at_once(bake=later))


def test_labels_are_counted_against_the_number() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    number = whole(cdk.CfnParameter(stack, "Number", type="Number").value_as_number)
    made = release_workflow(stack, start_on_new_labels=number)
    assert isinstance(made, ModelReleaseWorkflow)
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    (labels,) = [
        function["Properties"]["Environment"]["Variables"]["NEW_LABELS"]
        for function in functions
        if "NEW_LABELS" in function["Properties"].get("Environment", {}).get("Variables", {})
    ]
    assert labels == {"Ref": "Number"}


def test_a_custom_resource_gets_numbers_too() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    number = whole(cdk.CfnParameter(stack, "Number", type="Number").value_as_number)
    scaling = EndpointScaling(min_instances=number, max_instances=number, invocations_per_instance=number)
    inference_endpoint(
        stack, configuration=EndpointConfiguration(variants=[EndpointVariant(count=number, scaling=scaling)])
    )
    for resource in Template.from_stack(stack).find_resources("Custom::EndpointScaling").values():
        (variant,) = json.loads("".join(map(_deployed, resource["Properties"]["Variants"]["Fn::Join"][1])))
        target, policy = variant["target"], variant["policy"]["TargetTrackingScalingPolicyConfiguration"]
        assert (target["MinCapacity"], target["MaxCapacity"], policy["TargetValue"]) == (VALUE, VALUE, VALUE)
