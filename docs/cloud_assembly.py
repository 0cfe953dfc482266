"""What the pages say of the reference system is read from its templates, as `cdk synth` writes them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def resources(assembly: Path, kind: str, *, stacks: str = "*") -> Iterator[dict[str, Any]]:
    """The properties of every resource of a type in a cloud assembly; `stacks` is a pattern of names (all)."""
    for path in sorted(assembly.glob(f"{stacks}.template.json")):
        for resource in json.loads(path.read_text(encoding="utf-8"))["Resources"].values():
            if resource["Type"] == kind:
                yield resource["Properties"]


def state_machines(assembly: Path) -> dict[str, dict[str, Any]]:
    """The definition of every state machine that has a name; what only the deployment knows is `<?>` in it."""
    found = {}
    for properties in resources(assembly, "AWS::StepFunctions::StateMachine"):
        definition = properties["DefinitionString"]
        parts = definition["Fn::Join"][1] if isinstance(definition, dict) else [definition]
        text = "".join(part if isinstance(part, str) else "<?>" for part in parts)
        if isinstance(name := properties.get("StateMachineName"), str):
            found[name] = json.loads(text)
    return found
