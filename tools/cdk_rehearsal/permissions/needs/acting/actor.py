"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass

from cdk_rehearsal.permissions.needs.need import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A service as itself, or in a role that it assumes.

    `source` is for what it assumes the role, which trust policies ask for as aws:SourceArn: a state machine, a rule.
    """

    service: str  # "lambda.amazonaws.com"
    role: str = ""  # its ARN; the role's trust policy has to let the service in. Empty: resource policies decide
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingNeed:
    """A need and who has it."""

    actor: Actor
    need: Need
