"""Every state machine that a workflow can be, before a linter that knows the language."""

import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import DynamoDbExport

MakeWorkflow = Callable[..., Any]
Faults = Callable[[Any], str]


def definitions(workflow: Any) -> list[Any]:
    machines = Template.from_stack(cdk.Stack.of(workflow)).find_resources("AWS::StepFunctions::StateMachine")
    return [machine["Properties"]["DefinitionString"] for machine in machines.values()]


def without_most(stack: cdk.Stack) -> dict[str, Any]:
    return dict.fromkeys(("extract", "train", "training_image", "evaluate", "check"))


def from_dynamodb(stack: cdk.Stack) -> dict[str, Any]:
    return {
        "extract": DynamoDbExport(table=dynamodb.Table.from_table_name(stack, "Posts", "posts")),
        "reviews": DynamoDbExport(table=dynamodb.Table.from_table_name(stack, "Reviews", "reviews")),
    }


@pytest.mark.parametrize("given", ["nothing", "everything", without_most, from_dynamodb])
def test_both_workflows_are_valid(
    make_workflow: MakeWorkflow, everything: Any, state_machine_faults: Faults, given: Any
) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    if given == "nothing":
        workflow = make_workflow(stack=stack)
    else:
        workflow = make_workflow(stack=stack, **(everything if given == "everything" else given)(stack))
    found = definitions(workflow)
    assert len(found) == 2
    for definition in found:
        assert state_machine_faults(definition) == ""


@pytest.mark.parametrize(
    ("state", "key", "value", "fault"),
    [
        ("Wait", "Next", "Nowhere", "Nowhere"),
        ("Wait", "Seconds", "soon", "Wait"),
        ("Begin", "Resource", 7, "Begin"),
        ("Begin", "Arguments", {"FunctionName": "{% $broken( %}"}, "Begin"),
    ],
)
def test_the_linter_would_be_heard(
    make_workflow: MakeWorkflow, definition: dict[str, Any], state_machine_faults: Faults, state: str, key: str,
    value: Any, fault: str
) -> None:  # fmt: skip
    text = json.dumps(definition).replace("<AWS::Partition>", "aws")
    assert state_machine_faults(text) == ""
    broken = json.loads(text)
    broken["States"][state][key] = value
    assert fault in state_machine_faults(json.dumps(broken))
