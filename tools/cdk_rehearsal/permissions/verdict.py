"""The result of evaluating a call's permission."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from cdk_rehearsal.permissions.call import Call

Where = Literal["identity", "boundary", "session", "resource", "key", "trust", "grant"]
"""The policy that decided: `resource` is that of a topic, a bucket, a function; `key` a key's, `trust` a role's."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of evaluating one call.

    Args:
        allowed: whether AWS would make the call.
        reason: one sentence: which statement allowed or denied it, or which policy lacks one.
        explicit: whether a statement denies it.
        where: the policy that decided; for a denied call the policy to change.
        missing: the statement to add to that policy, ready to paste; None where the call is allowed or a statement
            denies it.
    """

    allowed: bool
    reason: str
    explicit: bool
    where: Where
    missing: Mapping[str, Any] | None


def missing_statement(call: Call, where: Where) -> dict[str, Any]:
    """Return the statement that would allow a call, in the form that the lacking policy needs."""
    statement: dict[str, Any] = {"Effect": "Allow"}
    if where in ("resource", "key", "trust"):
        principal = call.principal
        statement["Principal"] = (
            {"Service": principal.service} if principal.service else {"AWS": principal.role_arn or principal.arn}
        )
    statement["Action"] = call.action
    if where == "key":
        # "In a key policy, the value of the Resource element is "*", which means "this KMS key.""
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
        statement["Resource"] = "*"
    elif where != "trust":
        statement["Resource"] = call.resource
    return statement
