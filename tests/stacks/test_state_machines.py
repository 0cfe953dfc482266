import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_state_machine_is_valid(
    environment: str, synth: Callable[[str], Path], state_machine_faults: Callable[[Any], str]
) -> None:
    machines = {
        f"{path.name}: {name}": resource["Properties"]["DefinitionString"]
        for path in synth(environment).glob("*.template.json")
        for name, resource in json.loads(path.read_text())["Resources"].items()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    }
    assert len(machines) >= 2
    assert {name: faults for name, machine in machines.items() if (faults := state_machine_faults(machine))} == {}
