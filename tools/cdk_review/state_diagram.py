"""Draws a state machine as a flowchart for Mermaid, which GitHub and GitLab show as a picture.

States that share one error handler are drawn in a frame with a single dotted line to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cdk_review.reference_text import as_list, text_of

SHAPES = {"Choice": ("{", "}"), "Wait": ("{{", "}}"), "Succeed": ("([", "])"), "Fail": ("([", "])")}
FRAME = "guarded"
# Mermaid's keywords.
RESERVED = {"begin", "class", "click", "end", "graph", "style", "subgraph", FRAME}
MARKS = {
    "added": "stroke:#1f7a3d,stroke-width:3px",
    "changed": "stroke:#b35c00,stroke-width:3px",
    "removed": "stroke:#b3261e,stroke-width:3px,stroke-dasharray:5 3",
}


def mermaid(definition: Mapping[str, Any], *, marks: Mapping[str, str] | None = None) -> str:
    """A definition in the Amazon States Language as a flowchart for Mermaid.

    Args:
        definition: the state machine's definition; nested states are not drawn.
        marks: marks by state name, each one of `MARKS`. Default: none.
    """
    states = dict(_in_reading_order(definition))
    handler, guarded = _common_handler(states)
    lines = ["flowchart TD", "    begin((start)) --> " + _id(text_of(definition.get("StartAt")))]
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
    marked = {name: mark for name, mark in (marks or {}).items() if name in states}
    lines += [f"    classDef {mark} {MARKS[mark]}" for mark in dict.fromkeys(marked.values())]
    lines += [f"    class {_id(name)} {mark}" for name, mark in marked.items()]
    return "\n".join(lines) + "\n"


def _in_reading_order(definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The states by distance from the first; failure paths last."""
    states = {name: state for name, state in definition.get("States", {}).items() if isinstance(state, dict)}
    begin = text_of(definition.get("StartAt"))
    waiting, seen = [begin], {begin}
    for name in waiting:
        state = states.pop(name, None)
        if state is None:
            continue
        yield name, state
        for following in (*_followers(state), *(target for _, target in _handlers(state))):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    yield from states.items()


def _common_handler(states: Mapping[str, Any]) -> tuple[str | None, set[str]]:
    """The most common error handler and its states; none if fewer than three states share it."""
    wholesale = {
        name: target for name, state in states.items() for error, target in _handlers(state) if error == "States.ALL"
    }
    if not wholesale:
        return None, set()
    ((handler, count),) = Counter(wholesale.values()).most_common(1)
    return (handler, {name for name, target in wholesale.items() if target == handler}) if count > 2 else (None, set())


def _followers(state: Mapping[str, Any]) -> Iterator[str]:
    for rule in as_list(state.get("Choices")):
        if isinstance(rule, dict) and isinstance(rule.get("Next"), str):
            yield rule["Next"]
    for key in ("Default", "Next"):
        if isinstance(state.get(key), str):
            yield state[key]


def _handlers(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for catch in as_list(state.get("Catch")):
        if isinstance(catch, dict) and isinstance(catch.get("Next"), str):
            for error in as_list(catch.get("ErrorEquals")):
                yield _label(text_of(error)), catch["Next"]


def _id(name: str) -> str:
    written = re.sub(r"\W", "_", name)
    return f"{written}_" if written in RESERVED else written


def _label(name: str) -> str:
    """Escapes a name so that it cannot end its quotation marks or the page's code block."""
    return re.sub(r"[^\w .,:;()/+-]", "_", name)[:80]


def _node(name: str, state: Mapping[str, Any]) -> str:
    opening, closing = SHAPES.get(text_of(state.get("Type")), ("[", "]"))
    return f'{_id(name)}{opening}"{_label(name)}"{closing}'
