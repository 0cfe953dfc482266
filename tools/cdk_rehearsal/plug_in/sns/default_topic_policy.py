"""Gives a template's topic SNS's default policy, which allows its own account.

ministack's API does this, but its CloudFormation omits the condition, so that everybody may publish.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources, sns

_KIND = "AWS::SNS::Topic"
_OF_SNS = "__default_policy_ID"


def install() -> None:
    handlers = cloudformation_resources.handlers[_KIND]
    cloudformation_resources.handlers[_KIND] = {
        **handlers,
        "create": _for_its_account(handlers["create"]),
        "update": _for_its_account(handlers["update"]),
    }


def _for_its_account(handler: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        arn, resource_attributes = handler(*arguments)
        attributes = sns.topics[arn]["attributes"]
        policy = json.loads(attributes["Policy"] or "{}")
        if policy.get("Id") == _OF_SNS:
            for statement in policy["Statement"]:
                statement["Condition"] = {"StringEquals": {"AWS:SourceOwner": attributes["Owner"]}}
            attributes["Policy"] = json.dumps(policy)
        return arn, resource_attributes

    return run
