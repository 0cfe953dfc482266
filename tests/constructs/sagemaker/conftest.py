import functools
import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import jsonata
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import ModelImage, ModelReleaseWorkflow
from tests.constructs.sagemaker.workflow_variants import make_release_workflow, with_everything

MakeWorkflow = Callable[..., ModelReleaseWorkflow]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> ModelImage:
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return ModelImage.from_asset(folder)


@pytest.fixture(scope="session")
def make_workflow(image: ModelImage) -> MakeWorkflow:
    """A workflow in a stack of its own, with what a test does not give."""

    def make(stack: cdk.Stack | None = None, **given: Any) -> ModelReleaseWorkflow:
        return make_release_workflow(stack or cdk.Stack(cdk.App(), "Stack"), image, **given)

    return make


@pytest.fixture(scope="session")
def everything(image: ModelImage) -> Callable[[cdk.Stack], dict[str, Any]]:
    """What a workflow is given that has every state and every permission."""
    return functools.partial(with_everything, image=image)


@pytest.fixture(scope="session")
def template(make_workflow: MakeWorkflow) -> Template:
    return Template.from_stack(cdk.Stack.of(make_workflow()))


@pytest.fixture(scope="session")
def definition_of() -> Callable[..., dict[str, Any]]:
    """A state machine of a template as JSON, by the end of its name; references in it are `<LogicalId.Attribute>`."""

    def shown(part: Any) -> str:
        match part:
            case str():
                return part
            case {"Fn::GetAtt": [resource, attribute]}:
                return f"<{resource}.{attribute}>"
            case {"Ref": name}:
                return f"<{name}>"
        return "<" + json.dumps(part).replace('"', "") + ">"

    def definition(template: Template, name: str = "-release") -> dict[str, Any]:
        machines = template.find_resources("AWS::StepFunctions::StateMachine").values()
        (machine,) = [m for m in machines if m["Properties"]["StateMachineName"].endswith(name)]
        parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
        parsed: dict[str, Any] = json.loads("".join(map(shown, parts)))
        return parsed

    return definition


@pytest.fixture(scope="session")
def definition(template: Template, definition_of: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return definition_of(template)


@pytest.fixture(scope="session")
def rollback(template: Template, definition_of: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return definition_of(template, "-rollback")


@pytest.fixture(scope="session")
def evaluated() -> Callable[..., Any]:
    """What a part of a state is worth: each text of the form `{% … %}` in it evaluated, as Step Functions does."""

    def evaluate(part: Any, variables: dict[str, Any] | None = None, **states: Any) -> Any:
        match part:
            case dict():
                return {key: evaluate(value, variables, **states) for key, value in part.items()}
            case list():
                return [evaluate(value, variables, **states) for value in part]
            case str() if part.startswith("{%"):
                null = jsonata.utils.Utils.NULL_VALUE
                bindings = {name: null if value is None else value for name, value in (variables or {}).items()}
                expression = jsonata.Jsonata.jsonata(part[2:-2].strip())
                expression.register_lambda("parse", json.loads)
                return expression.evaluate(None, bindings | {"states": states})
        return part

    return evaluate


@pytest.fixture(scope="session")
def decided(evaluated: Callable[..., Any]) -> Callable[..., tuple[str, Any]]:
    """Where a choice goes, and what it assigns on the way."""

    def decide(choice: dict[str, Any], variables: dict[str, Any] | None = None, **states: Any) -> tuple[str, Any]:
        for rule in choice["Choices"]:
            if evaluated(rule["Condition"], variables, **states) is True:
                return rule["Next"], evaluated(rule.get("Assign", {}), variables, **states)
        return choice["Default"], evaluated(choice.get("Assign", {}), variables, **states)

    return decide
