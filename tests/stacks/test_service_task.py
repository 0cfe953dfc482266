import json
from collections.abc import Callable
from pathlib import Path


def test_the_api_knows_how_long_it_has_to_end(synth: Callable[[str], Path]) -> None:
    template = json.loads((synth("dev") / "moderation-dev-service.template.json").read_text())
    (definition,) = [
        resource for resource in template["Resources"].values() if resource["Type"] == "AWS::ECS::TaskDefinition"
    ]
    (container,) = definition["Properties"]["ContainerDefinitions"]
    settings = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    assert settings["STOP_TIMEOUT_SECONDS"] == str(container["StopTimeout"])
