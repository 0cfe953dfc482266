from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from ._acknowledgment import Acknowledgment, acknowledge
from ._checks import refusal
from ._construct_tree import stack_of
from ._readable_reference import readable_reference


def allow(
    role: iam.Role,
    actions: Sequence[str],
    *resources: str,
    conditions: Mapping[str, Any] | None = None,
    wildcard_reason: str | None = None,
) -> None:
    """Allows `role` to perform `actions` on exactly `resources`, under `conditions`.

    A resource with a wildcard needs `wildcard_reason`: an app's cdk-nag reads it as the acknowledgement of that one
    finding.

    Raises:
        InvalidArgumentError: a wildcard without a reason.
    """
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions))
    for resource in resources:
        name = _name(role, resource)
        if "*" not in name:
            continue
        if wildcard_reason is None:
            raise refusal("resources", name, "none with a wildcard", "name the resource, or give wildcard_reason")
        acknowledge(role, Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{name}]", reason=wildcard_reason))


_NAMES: WeakKeyDictionary[Stack, dict[str, str]] = WeakKeyDictionary()


def _name(role: iam.Role, resource: str) -> str:
    """The resource as cdk-nag writes it; a token is resolved once per stack."""
    if "Token[" not in resource:
        return resource
    stack = stack_of(role)
    names = _NAMES.setdefault(stack, {})
    if resource not in names:
        names[resource] = readable_reference(stack.resolve(resource))
    return names[resource]
