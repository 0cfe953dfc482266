"""Validates a request against the service's model, with AWS's error messages.

botocore itself checks only members, types and minima; the service checks enums, patterns and maxima.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

_Report = Callable[[str], None]


class UnreadableRequestError(ValueError):
    """A value has another type than in the model; the message names the value and its path."""


def request_faults(shape: Shape, value: Any, *, unknown_members: bool = False) -> list[str]:
    """The faults of a request: missing, too long, out of range, wrong pattern or enum value; empty if AWS accepts it.

    Args:
        shape: botocore's input shape of the operation.
        value: the request. Bytes, streams and datetimes are accepted, as by boto3.
        unknown_members: also reports members that the model lacks. Services ignore them; boto3 and the AWS SDK
            integrations of Step Functions refuse them.

    Raises:
        UnreadableRequestError: a value has another type than in the model.
    """
    faults: list[str] = []
    _check(shape, value, "", faults.append, unknown_members)
    return faults


def _check(shape: Shape, value: Any, path: str, report: _Report, unknown: bool) -> None:
    if isinstance(shape, StructureShape):
        _check_structure(shape, value, path, report, unknown)
    elif isinstance(shape, ListShape):
        _expect(value, (list, tuple), path)
        _check_size(shape, value, path, report)
        for index, item in enumerate(value):
            _check(shape.member, item, f"{path}.{index + 1}.member", report, unknown)
    elif isinstance(shape, MapShape):
        _expect(value, Mapping, path)
        _check_size(shape, value, path, report)
        for key, item in value.items():
            _check(shape.key, key, path, report, unknown)
            _check(shape.value, item, f"{path}.{key}.member", report, unknown)
    elif isinstance(shape, StringShape):
        _expect(value, str, path)
        _check_string(shape, value, path, report)
    elif shape.type_name in ("integer", "long", "float", "double"):
        if isinstance(value, bool):
            raise UnreadableRequestError(f"{path or 'the request'} can not be converted from {value!r}")
        _expect(value, (int,) if shape.type_name in ("integer", "long") else (int, float), path)
        _check_range(shape, value, path, report)
    elif shape.type_name == "boolean":
        _expect(value, bool, path)
    elif shape.type_name == "blob" and isinstance(value, (str, bytes, bytearray)):
        _check_size(shape, value, path, report)


def _check_structure(shape: StructureShape, value: Any, path: str, report: _Report, unknown: bool) -> None:
    _expect(value, Mapping, path)
    for name in shape.required_members:
        if value.get(name) is None:
            report(f"Value null at '{_member(path, name)}' failed to satisfy constraint: Member must not be null")
    for name, item in value.items():
        if name in shape.members:
            if item is not None:
                _check(shape.members[name], item, _member(path, name), report, unknown)
        elif unknown:
            report(f"'{_member(path, name)}' is no member: there are {', '.join(shape.members)}")
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        report(f"'{path or shape.name}' is a union: exactly one of {', '.join(shape.members)} has to be given")


def _check_string(shape: StringShape, value: str, path: str, report: _Report) -> None:
    if shape.enum and value not in shape.enum:
        report(_said(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
    _check_size(shape, value, path, report)
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        report(_said(value, path, f"Member must satisfy regular expression pattern: {pattern}"))


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value, re.ASCII | re.DOTALL) is not None
    except re.error:  # the models' patterns are Java's; the few that Python cannot read are not checked
        return True


def _check_range(shape: Shape, value: float, path: str, report: _Report) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        report(_said(value, path, f"Member must have value greater than or equal to {least}"))
    if most is not None and value > most:
        report(_said(value, path, f"Member must have value less than or equal to {most}"))


def _check_size(shape: Shape, value: Sequence[Any] | Mapping[str, Any], path: str, report: _Report) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        report(_said(value, path, f"Member must have length greater than or equal to {least}"))
    if most is not None and len(value) > most:
        report(_said(value, path, f"Member must have length less than or equal to {most}"))


def _said(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _expect(value: Any, kinds: type | tuple[type, ...], path: str) -> None:
    if not isinstance(value, kinds):
        raise UnreadableRequestError(f"{path or 'the request'} can not be converted from {value!r}")


def _member(path: str, name: str) -> str:
    lower = name[:1].lower() + name[1:]
    return f"{path}.{lower}" if path else lower
