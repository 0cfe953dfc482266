"""The query protocol: each form field's name is a path into the parameters (`Tags.member.1.Key`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.permissions.api_request.wire_values import from_text

Tree = dict[str, Any]


def form_fields(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def form_parameters(fields: Mapping[str, str], shape: StructureShape | None) -> dict[str, Any]:
    """Converts a form's fields to parameters of the operation's input shape."""
    if shape is None:
        return {}
    tree: Tree = {}
    for name, value in fields.items():
        node: Any = tree
        *path, last = name.split(".")
        for step in path:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):  # both a value and a path below it: no SDK sends that
                break
        else:
            node[last] = value
    return _structure(tree, shape)


def _value(node: Any, shape: Shape) -> Any:
    match shape:
        case StructureShape():
            return _structure(node, shape) if isinstance(node, dict) else {}
        case ListShape():
            return _list(node, shape)
        case MapShape():
            return _map(node, shape)
    return from_text(node, shape) if isinstance(node, str) else node


def _structure(node: Tree, shape: StructureShape) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        for wire in _wire_names(name, member):
            if wire in node:
                found[name] = _value(node[wire], member)
                break
    return found


def _wire_names(name: str, member: Shape) -> tuple[str, ...]:
    """A flattened list has its element's name; EC2's protocol uses queryName, or capitalizes the first letter."""
    given = member.serialization
    names = [given["queryName"]] if "queryName" in given else []
    names.append(given.get("name", name))
    names.append(names[-1][:1].upper() + names[-1][1:])
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        names.append(member.member.serialization.get("name", name))
    names.append(name)
    return tuple(names)


def _list(node: Any, shape: ListShape) -> list[Any]:
    if not isinstance(node, dict):
        return []  # a name without a value is an empty list
    items = _numbered(node)
    return [_value(items[number], shape.member) for number in sorted(items, key=int)]


def _map(node: Any, shape: MapShape) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {}
    key = shape.key.serialization.get("name", "key")
    value = shape.value.serialization.get("name", "value")
    entries = _numbered(node).values()
    return {entry[key]: _value(entry.get(value, ""), shape.value) for entry in entries if key in entry}


def _numbered(node: Tree) -> Tree:
    """The entries 1, 2, …: directly below a flattened list, otherwise below "member" or "entry"."""
    if len(node) == 1 and not next(iter(node)).isdecimal():
        below = next(iter(node.values()))
        return _numbered(below) if isinstance(below, dict) else {}
    return {number: entry for number, entry in node.items() if number.isdecimal()}
