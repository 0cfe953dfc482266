"""The use of a KMS key by a service on behalf of a principal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from cdk_rehearsal.permissions.needs.arns import account_of, dns_suffix, key_arn
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.request_context import encryption_context
from cdk_rehearsal.permissions.needs.world import World


def key_use(
    key: str,
    actions: tuple[str, ...],
    *,
    world: World,
    because: str,
    via: str = "",
    encrypting: Mapping[str, str] | None = None,
    or_of_role: str = "",
) -> Iterator[Need]:
    """
    Args:
        key: the key's id, ARN or alias.
        actions: actions without the prefix: "Decrypt".
        world: look-ups in the account's state.
        because: the sentence of AWS's documentation that requires it.
        via: the service that calls KMS on behalf of the principal, as in kms:ViaService; empty where a service calls
            for itself. https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
        encrypting: the encryption context that the service sends.
        or_of_role: the ARN of a role whose permission is enough instead. Default: none.
    """
    resource = key_arn(world, key)
    for action in actions:
        context: dict[str, str | tuple[str, ...]] = {"kms:CallerAccount": world.account}
        if via:
            context["kms:ViaService"] = f"{via}.{world.region}.{dns_suffix(world)}"
        if action == "CreateGrant":
            context["kms:GrantIsForAWSResource"] = "true"
        elif action != "DescribeKey":
            context |= encryption_context(encrypting or {})
        yield Need(
            action=f"kms:{action}",
            resource=resource,
            resource_account=account_of(resource, world),
            context=MappingProxyType(context),
            because=because,
            or_of_role=or_of_role,
        )
