"""Values of templates as text: `Fn::Join`, `Fn::Sub` and references as one string, to show and to compare."""

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
            # Without quotation marks: it may stand within JSON.
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
    """What a property that holds JSON says, with references as text; None where it is no JSON."""
    text = text_of(value)
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        # A reference may stand where JSON has a number.
        return json.loads(_BARE_REFERENCE.sub(r'"\1"', text))
    except (ValueError, RecursionError):
        return None


def number_of(value: Any) -> float | None:
    """A number, or a string that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def as_list(value: Any) -> list[Any]:
    """What AWS takes as one value or as a list of them."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def shown(value: Any) -> str:
    """A value for a sentence: short, on one line."""
    if value is None:
        return "none"
    number = number_of(value)
    text = f"{number:.10g}" if number is not None else text_of(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}…"
