"""Converts values of templates to text for messages and comparison: `Fn::Join`, `Fn::Sub` and references."""

from __future__ import annotations

import json
import re
from typing import Any

_BARE_REFERENCE = re.compile(r"(?<=[:\[,])\s*(\$\{[^}\"]*\})(?=\s*[,\]}])")


def text_of(value: Any) -> str:
    """A value as one string: `arn:${AWS::Partition}:s3:::${Bucket}/*`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Ref":
            return f"${{{argument}}}"
        if name == "Fn::GetAtt":
            parts = argument if isinstance(argument, list) else str(argument).split(".", 1)
            return "${" + ".".join(map(text_of, parts)) + "}"
        if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], list):
            return text_of(argument[0]).join(map(text_of, argument[1]))
        if name == "Fn::Sub":
            return _substituted(argument)
        if name == "Fn::ImportValue":
            return f"${{import {text_of(argument)}}}"
        if name.startswith("Fn::"):
            # Without quotation marks, because it may be part of JSON.
            return f"${{{name} {json.dumps(argument, sort_keys=True)}}}".replace('"', "'")
    if value is None:
        return "null"
    return json.dumps(value, sort_keys=True)


def _substituted(argument: Any) -> str:
    if isinstance(argument, str):
        return argument
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
        text = str(argument[0])
        for name, value in argument[1].items():
            text = text.replace(f"${{{name}}}", text_of(value))
        return text
    return json.dumps(argument, sort_keys=True)


def json_of(value: Any) -> Any:
    """The parsed JSON of a property, with references as text; None if it is not JSON."""
    text = text_of(value)
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        # A reference may replace a number.
        return json.loads(_BARE_REFERENCE.sub(r'"\1"', text))
    except (ValueError, RecursionError):
        return None


def number_of(value: Any) -> float | None:
    """Converts a number or a numeric string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def as_list(value: Any) -> list[Any]:
    """A value that AWS accepts alone or in a list, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def shown(value: Any) -> str:
    """A value for messages: short, on one line."""
    if value is None:
        return "none"
    number = number_of(value)
    text = f"{number:.10g}" if number is not None else text_of(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}…"
