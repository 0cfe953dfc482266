"""Names a template's secret, and resolves references to it, as on AWS.

On AWS `Ref` is the ARN, and a generated name is the logical id plus twelve random characters; the CDK relies on this
form to extract the name from the ARN. ministack's `Ref` is the name, which begins with the stack's name.
"""

from __future__ import annotations

import secrets
import string
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources

_KIND = "AWS::SecretsManager::Secret"


def install() -> None:
    ministacks = dict(cloudformation_resources.handlers[_KIND])
    create, update, delete = ministacks["create"], ministacks["update"], ministacks["delete"]

    def create_with_arn(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        named = properties if properties.get("Name") else {**properties, "Name": f"{logical_id}-{_random()}"}
        _, attributes = create(logical_id, named, stack)
        return attributes["Arn"], attributes

    def update_with_arn(physical_id: str, *arguments: Any) -> Any:
        _, attributes = update(_name(physical_id), *arguments)
        return attributes["Arn"], attributes

    def delete_with_arn(physical_id: str, properties: dict[str, Any]) -> None:
        delete(_name(physical_id), properties)

    cloudformation_resources.handlers[_KIND] = {
        **ministacks,
        "create": create_with_arn,
        "update": update_with_arn,
        "delete": delete_with_arn,
    }


def _name(arn: str) -> str:
    return arn.rpartition(":secret:")[2].rpartition("-")[0]


def _random() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))
