"""Policies of keys, topics, buckets, secrets and repositories, which may belong to another app or account.

The CDK changes the policy of a resource that the app makes. It drops each statement for an imported resource, and only
its result shows that. This module reads the result: a dropped statement becomes a warning of the app, once per resource
and principal, with the statement as JSON for the owner to add.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import jsii
from aws_cdk import Annotations, Aspects, IAspect, IResource, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk.region_info import RegionInfo
from constructs import IConstruct

from ._construct_tree import once, stack_of
from ._readable_reference import readable_reference

_WARNING = "cdk-fargate-sagemaker:missing-statement"
_AWS_OWN_KEYS = ":alias/aws/"


class _HasPolicy(IResource, Protocol):
    def add_to_resource_policy(self, statement: iam.PolicyStatement) -> iam.AddToResourcePolicyResult: ...


def add_statement(resource: _HasPolicy, arn: str, statement: iam.PolicyStatement) -> bool:
    """Adds `statement` to the policy of `resource`, or makes the app warn that the owner of `arn` has to add it.

    Returns whether it was added.
    """
    if resource.add_to_resource_policy(statement).statement_added:
        return True
    _missing(resource, arn).statements.append(statement)
    return False


def open_to_account(
    resource: _HasPolicy, arn: str, grantee: iam.IGrantable, actions: Sequence[str], *resources: str
) -> None:
    """If `resource` and `grantee` belong to different accounts, allows the grantee's account to perform `actions`.

    Within an account the policy of a role is enough: a key's default policy delegates access to its account's policies,
    and so do topics, buckets and secrets. Across accounts both sides have to allow it
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html). An
    account that is not known at synthesis is treated as the same.
    """
    if _known_env(resource)[0] is None:
        return
    account = grantee.grant_principal.principal_account
    if account is not None and is_of_other_account(resource, account):
        add_statement(
            resource,
            arn,
            iam.PolicyStatement(
                principals=[iam.AccountPrincipal(account)], actions=list(actions), resources=list(resources) or None
            ),
        )


def is_of_other_account(resource: IResource, account: str) -> bool:
    """Whether synthesis knows that `resource` does not belong to `account`."""
    return _differ(_known_env(resource)[0], account)


def is_of_other_region(resource: IResource, region: str) -> bool:
    """Whether synthesis knows that `resource` is not in `region`."""
    return _differ(_known_env(resource)[1], region)


@once
def _known_env(resource: IResource) -> tuple[str | None, str | None]:
    """The account and the region of `resource`; None for one that is known at deployment only."""
    env = resource.env
    account, region = (None if Token.is_unresolved(value) else value for value in (env.account, env.region))
    return account, region


def _differ(known: str | None, other: str) -> bool:
    return known not in (None, other) and not Token.is_unresolved(other)


def _missing(resource: IResource, arn: str) -> "_MissingStatements":
    for aspect in Aspects.of(resource).all:
        if isinstance(aspect, _MissingStatements):
            return aspect
    missing = _MissingStatements(arn, path=resource.node.path)
    Aspects.of(resource).add(missing)
    return missing


@jsii.implements(IAspect)
class _MissingStatements:
    """The statements that an imported resource's policy lacks: collected from the constructs, reported at synthesis."""

    def __init__(self, arn: str, *, path: str) -> None:
        self._arn = arn
        self._path = path
        self.statements: list[iam.PolicyStatement] = []

    def visit(self, node: IConstruct) -> None:
        if node.node.path != self._path:
            return
        stack = stack_of(node)
        arn = readable_reference(_readable(stack.resolve(self._arn), stack))
        of_principals: dict[str, list[dict[str, Any]]] = {}
        for statement in self.statements:
            content = _readable(stack.resolve(statement.to_statement_json()), stack)
            _merge(of_principals.setdefault(_principal_name(content["Principal"]), []), content)
        for principal, contents in of_principals.items():
            text = " and ".join(json.dumps(content, ensure_ascii=False) for content in contents)
            _warn_once(node, f"{_WARNING}:{principal}", _message(arn, text))


def _message(arn: str, statements: str) -> str:
    if _AWS_OWN_KEYS in arn:
        return f"nobody can change the policy of {arn}: use a key of your own, whose policy has {statements}"
    return (
        f"this app cannot change the policy of {arn}: have its owner add {statements}; then acknowledge this warning "
        "on the imported resource"
    )


def _warn_once(node: IConstruct, id: str, message: str) -> None:
    # An app may import a resource in each of its stacks. The note is in the root's metadata, which no output contains.
    root, line = node.node.root.node, f"{id} {message}"
    if any(entry.type == _WARNING and entry.data == line for entry in root.metadata):
        return
    root.add_metadata(_WARNING, line)
    Annotations.of(node).add_warning_v2(id, message)


def _merge(contents: list[dict[str, Any]], further: dict[str, Any]) -> None:
    """Adds the actions of `further` to a statement that is otherwise the same, or adds the statement."""
    actions = _listed(further["Action"])
    for content in contents:
        if {**content, "Action": None} == {**further, "Action": None}:
            content["Action"] = sorted({*_listed(content["Action"]), *actions})
            return
    contents.append({**further, "Action": sorted(actions)})


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def _principal_name(principal: Any) -> str:
    """A name for the warning's id: that of the service, such as `logs`, or `account`."""
    service = principal.get("Service") if isinstance(principal, dict) else None
    return service.split(".", 1)[0] if isinstance(service, str) else "account"


def _readable(content: Any, stack: Stack) -> Any:
    """Resolved `content` with each reference as text; one that the region of `stack` determines gets its value."""
    match content:
        case {"Ref": "AWS::Partition" | "AWS::URLSuffix" as name} if not Token.is_unresolved(stack.region):
            region = RegionInfo.get(stack.region)
            known = region.partition if name == "AWS::Partition" else region.domain_suffix
            return known or f"<{name}>"
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(readable_reference(_readable(part, stack)) for part in parts)
        case dict() if len(content) == 1 and next(iter(content)).startswith(("Ref", "Fn::")):
            return readable_reference(content)
        case dict():
            return {key: _readable(value, stack) for key, value in content.items()}
        case list():
            return [_readable(value, stack) for value in content]
        case _:
            return content
