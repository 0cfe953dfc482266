import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import ModelImage, ModelReleaseWorkflow

MakeWorkflow = Callable[..., ModelReleaseWorkflow]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> ModelImage:
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return ModelImage.from_asset(folder)


@pytest.fixture(scope="session")
def make_workflow(image: ModelImage) -> MakeWorkflow:
    """A workflow in a stack of its own, with what a test does not give."""

    def make(**given: Any) -> ModelReleaseWorkflow:
        stack = cdk.Stack(cdk.App(), "Stack")
        defaults: dict[str, Any] = {
            "endpoint_name": "moderation-dev",
            "training_image": image,
            "inference_image": image,
            "data_bucket": s3.Bucket(stack, "Data"),
            "alerts_topic": AlertsTopic(stack, "Alerts").topic,
        }
        return ModelReleaseWorkflow(stack, "Release", **(defaults | given))

    return make


@pytest.fixture(scope="session")
def template(make_workflow: MakeWorkflow) -> Template:
    return Template.from_stack(cdk.Stack.of(make_workflow()))


@pytest.fixture(scope="session")
def definition_of() -> Callable[[Template], dict[str, Any]]:
    """The state machine of a template as JSON, each reference in it as `<LogicalId.Attribute>`."""

    def shown(part: Any) -> str:
        match part:
            case str():
                return part
            case {"Fn::GetAtt": [resource, attribute]}:
                return f"<{resource}.{attribute}>"
            case {"Ref": name}:
                return f"<{name}>"
        return "<" + json.dumps(part).replace('"', "") + ">"

    def definition(template: Template) -> dict[str, Any]:
        (machine,) = template.find_resources("AWS::StepFunctions::StateMachine").values()
        parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
        parsed: dict[str, Any] = json.loads("".join(map(shown, parts)))
        return parsed

    return definition


@pytest.fixture(scope="session")
def definition(template: Template, definition_of: Callable[[Template], dict[str, Any]]) -> dict[str, Any]:
    return definition_of(template)
