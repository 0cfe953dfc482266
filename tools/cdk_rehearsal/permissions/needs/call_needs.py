"""All permissions that the caller of an operation needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.arns import account_of
from cdk_rehearsal.permissions.needs.authorization_data import action as reference_action
from cdk_rehearsal.permissions.needs.calls_with_several_actions import parts_of
from cdk_rehearsal.permissions.needs.extra_needs import extra_needs
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.operation_actions import own_action
from cdk_rehearsal.permissions.needs.passed_roles import pass_role_needs
from cdk_rehearsal.permissions.needs.request_context import request_context
from cdk_rehearsal.permissions.needs.resource_arns import resource_arns
from cdk_rehearsal.permissions.needs.world import World

# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: "No permissions are required".
_FREE = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")})


def needs(service: str, operation: str, parameters: Mapping[str, Any], *, world: World) -> tuple[Need, ...]:
    """The permissions that the caller needs: the operation's own action first, then the additional ones.

    Args:
        service: botocore's name of the service, as in `boto3.client(service)`.
        operation: botocore's name of the operation, such as GetObject.
        parameters: the parameters under botocore's names, as `api_request.read_request` returns them.
        world: look-ups in the account's state.
    """
    if (service, operation) in _FREE:
        return ()
    found = [
        need
        for part_service, part, part_parameters in parts_of(service, operation, parameters)
        for need in own_needs(part_service, part, part_parameters, world=world)
    ]
    found += pass_role_needs(service, operation, parameters, world)
    found += extra_needs(service, operation, parameters, world=world)
    return tuple(dict.fromkeys(found))


def own_needs(service: str, operation: str, parameters: Mapping[str, Any], *, world: World) -> Iterator[Need]:
    """The operation's own action, on each resource that AWS checks."""
    name = own_action(service, operation)
    prefix, _, verb = name.partition(":")
    action = reference_action(prefix, verb)
    if action is None:
        because = f"the service authorization reference has no {name}: a policy can only allow it everywhere"
        yield Need(action=name, resource="*", resource_account=world.account, because=because)
        return
    for resource in resource_arns(action, service, parameters, world):
        yield Need(
            action=action.name,
            resource=resource,
            resource_account=account_of(resource, world),
            context=request_context(action, service, parameters, resource, world),
        )
