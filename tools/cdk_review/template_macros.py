"""Expands macros of templates: loops over resources, and look-ups in mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOOP = "Fn::ForEach::"


def expanded(resources: Mapping[str, Any]) -> dict[str, Any]:
    """The resources with `Fn::ForEach` over literal lists expanded; other loops are unchanged."""
    found: dict[str, Any] = {}
    for name, value in resources.items():
        match value:
            case [str() as identifier, [*values], {**bodies}] if name.startswith(LOOP):
                for each in values:
                    if isinstance(each, str):
                        made = {_replaced(key, identifier, each): body for key, body in bodies.items()}
                        found |= expanded({key: _replaced(body, identifier, each) for key, body in made.items()})
            case _:
                found[name] = value
    return found


def looked_up(value: Any, mappings: Mapping[str, Any]) -> Any:
    """A value with literal look-ups resolved; a look-up by a key known only at deployment keeps its whole mapping."""
    if isinstance(value, list):
        return [looked_up(item, mappings) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Fn::FindInMap": [str() as name, first, second, *_]} if len(value) == 1 and name in mappings:
            if isinstance(first, str) and isinstance(second, str):
                return (mappings[name].get(first) or {}).get(second, value)
            return {"Fn::FindInMap": [name, first, second, mappings[name]]}
    return {name: looked_up(item, mappings) for name, item in value.items()}


def _replaced(value: Any, identifier: str, by: str) -> Any:
    if isinstance(value, str):
        # `&{Name}` removes non-alphanumeric characters, so that the result is a valid logical id.
        plain = "".join(filter(str.isalnum, by))
        return value.replace(f"${{{identifier}}}", by).replace(f"&{{{identifier}}}", plain)
    if isinstance(value, list):
        return [_replaced(item, identifier, by) for item in value]
    if isinstance(value, dict):
        if value == {"Ref": identifier}:
            return by
        return {_replaced(name, identifier, by): _replaced(item, identifier, by) for name, item in value.items()}
    return value
