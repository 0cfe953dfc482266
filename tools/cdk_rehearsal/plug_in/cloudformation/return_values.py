"""Attributes (`Fn::GetAtt`) that ministack's resource types lack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources

_Attributes = Callable[[dict[str, Any]], dict[str, Any]]


def install() -> None:
    _complete("AWS::EC2::VPC", _vpc)


def _complete(kind: str, attributes: _Attributes) -> None:
    """`attributes` computes missing attributes from the resource's properties; ministack's own values stay."""
    ministacks = cloudformation_resources.handlers[kind]
    create, update = ministacks["create"], ministacks.get("update")

    def create_in_full(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        physical_id, known = create(logical_id, properties, stack)
        return physical_id, {**attributes(properties), **known}

    def update_in_full(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        assert update is not None
        physical_id, known = update(physical_id, old, new, *rest)
        return physical_id, {**attributes(new), **known}

    completed = {**ministacks, "create": create_in_full}
    if update is not None:
        completed["update"] = update_in_full
    cloudformation_resources.handlers[kind] = completed


def _vpc(properties: dict[str, Any]) -> dict[str, Any]:
    return {"CidrBlock": properties.get("CidrBlock", ""), "CidrBlockAssociations": [], "Ipv6CidrBlocks": []}
