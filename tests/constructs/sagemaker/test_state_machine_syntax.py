"""Every state machine that a workflow can be, before a linter that knows the language."""

import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import ModelImage
from tests.constructs.sagemaker.workflow_variants import VARIANTS, make_release_workflow

MakeWorkflow = Callable[..., Any]
Faults = Callable[[Any], str]


def definitions(workflow: Any) -> list[Any]:
    machines = Template.from_stack(cdk.Stack.of(workflow)).find_resources("AWS::StepFunctions::StateMachine")
    return [machine["Properties"]["DefinitionString"] for machine in machines.values()]


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_workflows_are_valid(image: ModelImage, state_machine_faults: Faults, variant: str) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    found = definitions(make_release_workflow(stack, image, **VARIANTS[variant](stack, image)))
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
