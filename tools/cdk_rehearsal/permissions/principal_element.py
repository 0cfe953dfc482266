"""A statement's Principal or NotPrincipal.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.permissions.call import Principal

_ACCOUNT = re.compile(r"(?:arn:[^:]+:iam::)?(\d{12})(?::root)?")


class Named(enum.IntEnum):
    """How specifically a statement names the caller, which decides what else must allow the call."""

    NOT = 0
    ACCOUNT = 1
    """Only the caller's account: a delegation, the identity policies must allow as well."""
    ROLE = 2
    """The role of a session: permissions boundary and session policies limit what the statement allows."""
    DIRECTLY = 3
    """The session, the user, the service or everybody: only a deny limits what the statement allows."""


class PrincipalElement:
    """Decides whether a statement applies to a caller.

    Args:
        element: the element as written in the policy.
        negated: whether it is a NotPrincipal.
    """

    __slots__ = ("_accounts", "_arns", "_everybody", "_negated", "_services")

    def __init__(self, element: object, *, negated: bool) -> None:
        by_kind: Mapping[str, Any] = {"AWS": "*"} if element == "*" else element if isinstance(element, Mapping) else {}
        if not by_kind:
            raise ValueError(f'Principal is {element!r}: allowed "*" or an object; correct the policy')
        arns = _texts(by_kind.get("AWS"))
        self._everybody = "*" in arns
        self._accounts = {account[1] for arn in arns if (account := _ACCOUNT.fullmatch(arn))}
        self._arns = frozenset(arns)
        self._services = frozenset(_texts(by_kind.get("Service")))
        self._negated = negated

    def names(self, principal: Principal) -> Named:
        """Return how specifically the statement names a caller.

        A NotPrincipal names, as DIRECTLY, every caller that it does not exclude.
        """
        if not self._negated:
            return self._find(principal)
        # "AWS might validate the account first, then the role, and then the assumed-role user": a caller is excluded
        # only where the list also has its account. What AWS might deny is denied here.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
        found = self._find(principal)
        excepted = found is not Named.NOT and (
            principal.service is not None
            or self._everybody
            or (principal.account in self._accounts and (principal.is_root or found is not Named.ACCOUNT))
        )
        return Named.NOT if excepted else Named.DIRECTLY

    def _find(self, principal: Principal) -> Named:
        if self._everybody or (principal.service or principal.arn) in (
            self._services if principal.service else self._arns
        ):
            return Named.DIRECTLY
        if principal.service is not None:
            return Named.NOT
        if principal.role_arn is not None and principal.role_arn in self._arns:
            return Named.ROLE
        return Named.ACCOUNT if principal.account in self._accounts else Named.NOT


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    for text in values:
        if not isinstance(text, str):
            raise ValueError(f"Principal holds {text!r}: allowed a text; resolve the template's functions first")
    return list(values)
