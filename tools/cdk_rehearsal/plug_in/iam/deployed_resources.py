"""The resources that CloudFormation has created here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudformation


def deployed_resources() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The type and ministack's record of every resource: `PhysicalResourceId`, `Properties`, resolved, `Attributes`."""
    for stack in list(cloudformation.stacks.values()):
        for record in list(stack.get("_resources", {}).values()):
            if "Properties" in record:
                yield record["ResourceType"], record


def made_of() -> dict[str, dict[str, dict[str, Any]]]:
    """Maps stack and logical id to the physical id, as `ref`, and the attributes.

    The stack itself is `AWS::StackId`.
    """
    return {
        name: {"AWS::StackId": {"ref": stack["StackId"], "attributes": {}}}
        | {
            logical_id: {"ref": record["PhysicalResourceId"], "attributes": record.get("Attributes") or {}}
            for logical_id, record in stack.get("_resources", {}).items()
        }
        for name, stack in cloudformation.stacks.items()
    }
