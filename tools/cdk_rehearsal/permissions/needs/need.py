"""One permission that AWS requires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Context = Mapping[str, str | tuple[str, ...]]
NO_CONTEXT: Context = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """An action on a resource that some caller must be allowed."""

    action: str  # "dynamodb:UpdateItem"
    resource: str  # an ARN, or "*" for an action without resource types
    resource_account: str
    context: Context = field(
        default_factory=lambda: NO_CONTEXT, hash=False
    )  # keys that the service sets; several values are a tuple
    because: str = ""  # the reason for a need other than the call's own action
    or_of_role: str = ""  # the ARN of a role whose permission is enough instead of the caller's
