"""Values that are serialized as text."""

from __future__ import annotations

from typing import Any

from botocore.model import Shape


def from_text(text: str, shape: Shape) -> Any:
    """Converts the text of a query string, header, form or XML element to its number or boolean."""
    match shape.type_name:
        case "boolean":
            return text.lower() == "true"
        case "integer" | "long":
            return _number(text, int)
        case "float" | "double":
            return _number(text, float)
    return text


def _number(text: str, kind: type[int] | type[float]) -> Any:
    try:
        return kind(text)
    except ValueError:  # AWS refuses such a value; the text itself explains more than an exception here
        return text
