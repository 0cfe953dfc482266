"""Converts a template's container definitions to ECS's API; ministack leaves secrets in the template's case."""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.plug_in.json_service import service_model
from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources


def install() -> None:
    cloudformation_resources.normalize_container_definitions = container_definitions


def container_definitions(template: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shape = service_model("ecs").shape_for("ContainerDefinitions")
    converted: list[dict[str, Any]] = _in_api_case(shape, template)
    return converted


def _in_api_case(shape: Shape, value: Any) -> Any:
    """Converts the keys of structures to the API's case; the keys of maps (labels, log options) are data and stay."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {name.lower(): name for name in shape.members}
        named = {members[name.lower()]: item for name, item in value.items() if name.lower() in members}
        return {name: _in_api_case(shape.members[name], item) for name, item in named.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_in_api_case(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _in_api_case(shape.value, item) for name, item in value.items()}
    if shape.type_name in ("integer", "long") and isinstance(value, str):
        return int(value)
    if shape.type_name == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    return value
