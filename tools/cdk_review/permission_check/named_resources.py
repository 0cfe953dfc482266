"""Resources whose names are in a program's environment and in its role's policies.

The calls of programs are not in templates. But a program probably uses a table whose name is in its environment and on
which its role has a permission.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdk_review.permission_check.declared_policies import Document
from cdk_review.permission_check.known_names import UNKNOWN, NamedStack, Names, listed
from cdk_review.reference_text import as_list

_REFERENCES = ("Ref", "Fn::GetAtt")
# Names in a program's environment usually mean that it calls the resource; these types are often informational.
_FOR_SHOW = {"AWS::ECS::Cluster", "AWS::IAM::Role", "AWS::Logs::LogGroup"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedResource:
    """A resource in a program's environment.

    Args:
        what: the program, in words.
        role: the ARN of its role.
        arn: the resource's ARN.
        name: the resource's logical id.
    """

    what: str
    role: str
    arn: str
    name: str


def named_resources(names: Names, stack: NamedStack) -> Iterator[NamedResource]:
    """The stack's resources whose names are in the environment of its functions and containers."""
    for logical_id, resource in stack.resources.items():
        properties = resource.get("Properties") or {}
        kind = str(resource.get("Type"))
        if kind == "AWS::Lambda::Function":
            environment = properties.get("Environment")
            values = environment.get("Variables") if isinstance(environment, Mapping) else None
            given, role = list(values.values()) if isinstance(values, Mapping) else [], properties.get("Role")
        elif kind == "AWS::ECS::TaskDefinition":
            containers = listed(properties.get("ContainerDefinitions"))
            given = [pair.get("Value") for each in containers for pair in listed(each.get("Environment"))]
            role = properties.get("TaskRoleArn")
        else:
            continue
        owner = names.text(stack, role)
        if UNKNOWN in owner:
            continue
        what = f"{kind.removeprefix('AWS::').replace('::', ' ')} {logical_id}"
        for named in dict.fromkeys(_referred(given)):
            arn = names.arn(stack, named)
            if arn is not None and stack.resources[named].get("Type") not in _FOR_SHOW:
                yield NamedResource(what=what, role=owner, arn=arn, name=named)


def is_mentioned(arn: str, policies: Iterable[Document]) -> bool:
    """Whether any statement allows anything on the resource or on resources below it."""
    service = arn.split(":")[2]
    for policy in policies:
        for statement in policy["Statement"]:
            if statement.get("Effect") != "Allow":
                continue
            actions = [str(action).lower() for action in as_list(statement.get("Action"))]
            if actions and not any(action.startswith(("*", f"{service}:")) for action in actions):
                continue
            resources = [str(each) for each in as_list(statement.get("Resource"))]
            if not resources or any(each.startswith(arn) or _fits(each, arn) for each in resources):
                return True
    return False


def _fits(pattern: str, arn: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), arn) is not None


def _referred(value: Any) -> Iterator[str]:
    """The logical ids that a value refers to, if it is only a reference."""
    if isinstance(value, list):
        for item in value:
            yield from _referred(item)
    elif isinstance(value, Mapping) and len(value) == 1:
        name, argument = next(iter(value.items()))
        if name in _REFERENCES:
            yield str(argument[0] if isinstance(argument, list) else argument).partition(".")[0]
