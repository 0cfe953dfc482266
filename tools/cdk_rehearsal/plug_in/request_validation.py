"""Checks a request against the service's own model, and words what is wrong as AWS does."""

from __future__ import annotations

import re
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from cdk_rehearsal.plug_in.aws_error import AwsError, validation_error


def check_request(shape: Shape, value: Any) -> None:
    """Raises ValidationException for what is missing, too long, out of range or of a wrong pattern or choice."""
    faults: list[str] = []
    _check(shape, value, "", faults)
    if faults:
        errors = "error" if len(faults) == 1 else "errors"
        raise validation_error(f"{len(faults)} validation {errors} detected: {'; '.join(faults)}")


def _check(shape: Shape, value: Any, path: str, faults: list[str]) -> None:
    if isinstance(shape, StructureShape):
        _check_structure(shape, value, path, faults)
    elif isinstance(shape, ListShape):
        _expect(value, list, path)
        _check_size(shape, value, len(value), path, faults)
        for index, item in enumerate(value):
            _check(shape.member, item, f"{path}.{index + 1}.member", faults)
    elif isinstance(shape, MapShape):
        _expect(value, dict, path)
        for key, item in value.items():
            _check(shape.value, item, f"{path}.{key}.member", faults)
    elif isinstance(shape, StringShape):
        _expect(value, str, path)
        _check_string(shape, value, path, faults)
    elif shape.type_name in ("integer", "long") and not isinstance(value, bool) and isinstance(value, int):
        _check_range(shape, value, path, faults)
    elif shape.type_name in ("integer", "long", "boolean", "float", "double"):
        _expect(value, (bool,) if shape.type_name == "boolean" else (int, float), path)


def _check_structure(shape: StructureShape, value: Any, path: str, faults: list[str]) -> None:
    _expect(value, dict, path)
    for name in shape.required_members:
        if value.get(name) is None:
            faults.append(
                f"Value null at '{_member(path, name)}' failed to satisfy constraint: Member must not be null"
            )
    for name, item in value.items():
        if name in shape.members and item is not None:
            _check(shape.members[name], item, _member(path, name), faults)


def _check_string(shape: StringShape, value: str, path: str, faults: list[str]) -> None:
    said = f"Value '{value}' at '{path}' failed to satisfy constraint: "
    if shape.enum and value not in shape.enum:
        faults.append(f"{said}Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    if len(value) > shape.metadata.get("max", len(value)):
        faults.append(f"{said}Member must have length less than or equal to {shape.metadata['max']}")
    if len(value) < shape.metadata.get("min", 0):
        faults.append(f"{said}Member must have length greater than or equal to {shape.metadata['min']}")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        faults.append(f"{said}Member must satisfy regular expression pattern: {pattern}")


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value, re.ASCII | re.DOTALL) is not None
    except re.error:  # the models' patterns are Java's; the few that Python cannot read are not checked
        return True


def _check_range(shape: Shape, value: int, path: str, faults: list[str]) -> None:
    said = f"Value '{value}' at '{path}' failed to satisfy constraint: "
    if value < shape.metadata.get("min", value):
        faults.append(f"{said}Member must have value greater than or equal to {shape.metadata['min']}")
    if value > shape.metadata.get("max", value):
        faults.append(f"{said}Member must have value less than or equal to {shape.metadata['max']}")


def _check_size(shape: Shape, value: Any, size: int, path: str, faults: list[str]) -> None:
    said = f"Value '{value}' at '{path}' failed to satisfy constraint: "
    if size < shape.metadata.get("min", 0):
        faults.append(f"{said}Member must have length greater than or equal to {shape.metadata['min']}")
    if size > shape.metadata.get("max", size):
        faults.append(f"{said}Member must have length less than or equal to {shape.metadata['max']}")


def _expect(value: Any, kinds: type | tuple[type, ...], path: str) -> None:
    if not isinstance(value, kinds):
        raise AwsError("SerializationException", f"{path or 'the request'} can not be converted from {value!r}")


def _member(path: str, name: str) -> str:
    lower = name[:1].lower() + name[1:]
    return f"{path}.{lower}" if path else lower
