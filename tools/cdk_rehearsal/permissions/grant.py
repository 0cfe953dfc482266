"""A grant on a KMS key."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cdk_rehearsal.permissions.call import Call
from cdk_rehearsal.permissions.request_context import Context

_ENCRYPTION_CONTEXT = "kms:encryptioncontext:"
_WITH_ENCRYPTION_CONTEXT = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Allows one principal to use a KMS key: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html.

    A constraint counts only for operations with an encryption context: "Grant constraints are not applied to operations
    that do not support an encryption context", such as DescribeKey. Its keys are case-insensitive, its values
    case-sensitive: https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html.

    Args:
        grantee: the ARN of a role, a role session or a user, or a service's name.
        operations: CreateGrant's Operations, such as `Decrypt` or `GenerateDataKey`.
        key_arn: the key; None for the key of the evaluated call.
        encryption_context_equals: the whole encryption context that the request must have.
        encryption_context_subset: the pairs that the request's encryption context must contain.
    """

    grantee: str
    operations: tuple[str, ...]
    key_arn: str | None = None
    encryption_context_equals: Mapping[str, str] | None = None
    encryption_context_subset: Mapping[str, str] | None = None

    def allows(self, call: Call, context: Context) -> bool:
        """Whether the grant allows this call."""
        principal = call.principal
        service, operation = call.action.split(":")
        if service.lower() != "kms" or operation not in self.operations:
            return False
        if self.grantee not in (principal.service, principal.arn or None, principal.role_arn):
            return False
        if self.key_arn is not None and self.key_arn != call.resource:
            return False
        if operation not in _WITH_ENCRYPTION_CONTEXT:
            return True
        used = {
            key.removeprefix(_ENCRYPTION_CONTEXT): value
            for key, value in context.items()
            if key.startswith(_ENCRYPTION_CONTEXT)
        }
        equals, subset = _lower_keys(self.encryption_context_equals), _lower_keys(self.encryption_context_subset)
        return (equals is None or equals == used) and (subset is None or subset.items() <= used.items())


def _lower_keys(pairs: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if pairs is None else {key.lower(): value for key, value in pairs.items()}
