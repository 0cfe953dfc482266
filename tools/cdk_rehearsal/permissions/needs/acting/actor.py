"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass

from cdk_rehearsal.permissions.needs.need import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A service as itself, or in a role that it assumes."""

    service: str  # "lambda.amazonaws.com"
    role: str = ""  # its ARN; the role's trust policy has to let the service in. Empty: resource policies decide


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingNeed:
    """A need and who has it."""

    actor: Actor
    need: Need
