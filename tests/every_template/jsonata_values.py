"""What parts of a state are worth, as Step Functions evaluates them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jsonata

_NULL = jsonata.utils.Utils.NULL_VALUE


class UndefinedError(Exception):
    """An expression is worth nothing: Step Functions ends the state with States.QueryEvaluationError."""


def is_expression(part: Any) -> bool:
    return isinstance(part, str) and part.startswith("{%")


def value_of(part: Any, variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    """A part of a state with each text of the form `{% … %}` in it evaluated; null is None.

    Raises:
        UndefinedError: an expression has no value.
    """
    match part:
        case dict():
            return {key: value_of(value, variables, states) for key, value in part.items()}
        case list():
            return [value_of(item, variables, states) for item in part]
        case str() if is_expression(part):
            text = part[2:-2].strip()
            worth = _evaluated(text, variables, states)
            # The library's answer is None for null, too.
            if worth is None and not _evaluated(f"$exists(({text}))", variables, states):
                raise UndefinedError(part)
            return _plain(worth)
    return part


def _evaluated(text: str, variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    bindings = {name: _NULL if value is None else value for name, value in variables.items()}
    expression = jsonata.Jsonata.jsonata(text)
    expression.register_lambda("parse", json.loads)
    expression.register_lambda("hash", _hash)
    return expression.evaluate(None, bindings | {"states": states})


def _hash(text: str, algorithm: str) -> str:
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if value is _NULL:
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
