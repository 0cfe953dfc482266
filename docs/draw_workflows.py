"""Draws each state machine of a cloud assembly into the pages that show it. `make docs` runs it after `cdk synth`.

A picture stands behind `<!-- state machine: NAME -->`. Most states hand any failure to the same one: they are drawn in
a frame, and the frame has the one dotted line.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloud_assembly import state_machines

PICTURE = re.compile(r"(?P<marker><!-- state machine: (?P<name>\S+) -->\n)(?:```mermaid\n.*?```\n)?", re.DOTALL)
SHAPES = {"Choice": ("{", "}"), "Wait": ("{{", "}}"), "Succeed": ("([", "])"), "Fail": ("([", "])")}
FRAME = "guarded"


def mermaid(definition: Mapping[str, Any]) -> str:
    """A definition in the Amazon States Language as a flowchart for Mermaid."""
    states = dict(_in_reading_order(definition))
    handler, guarded = _common_handler(states)
    lines = ["flowchart TD", "    begin((start)) --> " + _id(definition["StartAt"])]
    if guarded:
        lines.append(f'    subgraph {FRAME} ["any failure in here"]')
        lines += [f"        {_node(name, states[name])}" for name in states if name in guarded]
        lines.append("    end")
    lines += [f"    {_node(name, state)}" for name, state in states.items() if name not in guarded]
    for name, state in states.items():
        for target in dict.fromkeys(_followers(state)):
            lines.append(f"    {_id(name)} --> {_id(target)}")
        for error, target in dict.fromkeys(_handlers(state)):
            if not (name in guarded and target == handler and error == "States.ALL"):
                label = "" if error == "States.ALL" else f"|{error}|"
                lines.append(f"    {_id(name)} -.->{label} {_id(target)}")
    if guarded and handler:
        lines.append(f"    {FRAME} -.-> {_id(handler)}")
    return "\n".join(lines) + "\n"


def _in_reading_order(definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The states by how many steps they are from the first, failures after what follows."""
    waiting, seen = [definition["StartAt"]], {definition["StartAt"]}
    for name in waiting:
        state = definition["States"][name]
        yield name, state
        for following in (*_followers(state), *(target for _, target in _handlers(state))):
            if following not in seen:
                seen.add(following)
                waiting.append(following)


def _common_handler(states: Mapping[str, Any]) -> tuple[str | None, set[str]]:
    """The state that most hand any failure to, and those that do; nothing where fewer than three do."""
    wholesale = {
        name: target for name, state in states.items() for error, target in _handlers(state) if error == "States.ALL"
    }
    if not wholesale:
        return None, set()
    ((handler, count),) = Counter(wholesale.values()).most_common(1)
    return (handler, {name for name, target in wholesale.items() if target == handler}) if count > 2 else (None, set())


def _followers(state: Mapping[str, Any]) -> Iterator[str]:
    for rule in state.get("Choices", []):
        yield rule["Next"]
    for key in ("Default", "Next"):
        if key in state:
            yield state[key]


def _handlers(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for catch in state.get("Catch", []):
        for error in catch["ErrorEquals"]:
            yield error, catch["Next"]


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _node(name: str, state: Mapping[str, Any]) -> str:
    opening, closing = SHAPES.get(state["Type"], ("[", "]"))
    return f'{_id(name)}{opening}"{name}"{closing}'


def main(assembly: Path, pages: list[Path]) -> None:
    definitions = state_machines(assembly)

    def drawn(match: re.Match[str]) -> str:
        if match["name"] not in definitions:
            sys.exit(
                f"{match['name']}: no such state machine in {assembly}, which has {', '.join(sorted(definitions))}"
            )
        return f"{match['marker']}```mermaid\n{mermaid(definitions[match['name']])}```\n"

    for page in pages:
        text = page.read_text(encoding="utf-8")
        page.write_text(PICTURE.sub(drawn, text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sorted(Path(__file__).parent.glob("*.md")))
