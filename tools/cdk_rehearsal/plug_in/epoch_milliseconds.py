"""Timestamps as in events and Step Functions' optimized integrations: milliseconds since 1970."""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.plug_in.json_service import service_model


def in_milliseconds(answer: dict[str, Any], *, service: str, operation: str) -> dict[str, Any]:
    """The operation's response with only the members of the service's model, timestamps in milliseconds."""
    shape = service_model(service).operation_model(operation).output_shape
    converted: dict[str, Any] = {} if shape is None else _converted(answer, shape)
    return converted


def _converted(value: Any, shape: Shape) -> Any:
    if shape.type_name == "timestamp":
        return int(value * 1000)
    if isinstance(shape, StructureShape):
        return {name: _converted(item, shape.members[name]) for name, item in value.items() if name in shape.members}
    if isinstance(shape, ListShape):
        return [_converted(item, shape.member) for item in value]
    if isinstance(shape, MapShape):
        return {name: _converted(item, shape.value) for name, item in value.items()}
    return value
