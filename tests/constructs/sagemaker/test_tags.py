"""Tags of an app on what its workflows make at run time, of which CloudFormation knows nothing."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template

MADE = {
    "-release": [
        "Preprocess",
        "Train",
        "Score-Current-Step",
        "Model-Creating-Step",
        "EndpointConfig-Step",
        "Endpoint-Creating-Step",
    ],
    "-rollback": ["Endpoint-Creating-Step"],
}
TAGS = [{"Key": "cost-center", "Value": "4711"}, {"Key": "stack", "Value": "<AWS::StackName>"}]


def tagged(template: Template, definition_of: Callable[..., Any], machine: str) -> dict[str, Any]:
    """The tags of each request of a machine that has some."""
    states = definition_of(template, machine)["States"]
    requests = {name: state["Arguments"] for name, state in states.items() if "Arguments" in state}
    return {name: request["Tags"] for name, request in requests.items() if "Tags" in request}


def test_whatever_a_release_or_a_rollback_makes_has_the_tags_of_the_app(
    make_workflow: Callable[..., Any], everything: Callable[..., Any], definition_of: Callable[..., Any]
) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    workflow = make_workflow(stack, **everything(stack))
    # After all constructs were made, as an app does it.
    cdk.Tags.of(app).add("cost-center", "4711")
    cdk.Tags.of(stack).add("stack", cdk.Aws.STACK_NAME)
    cdk.Tags.of(workflow.log_group).add("logs", "only")
    template = Template.from_stack(stack)
    for machine, made in MADE.items():
        assert tagged(template, definition_of, machine) == dict.fromkeys(made, TAGS), machine
    begin = definition_of(template, "-rollback")["States"]["Begin"]
    assert begin["Arguments"]["Payload"]["tags"] == TAGS


def test_without_tags_no_request_says_anything_of_them(template: Template, definition_of: Callable[..., Any]) -> None:
    for machine in MADE:
        assert tagged(template, definition_of, machine) == {}
    assert "tags" not in definition_of(template, "-rollback")["States"]["Begin"]["Arguments"]["Payload"]
