"""The states of a definition as a graph."""

from collections.abc import Iterator
from typing import Any


def successors(state: dict[str, Any]) -> Iterator[str]:
    for step in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in step:
            yield step["Next"]
    if "Default" in state:
        yield state["Default"]


def reachable(states: dict[str, Any], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(successors(states[name]))
    return seen
