"""The principal of a service's calls."""

from __future__ import annotations

from dataclasses import dataclass

from cdk_rehearsal.permissions.needs.need import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A service principal, or a role that the service assumes.

    `source` is the ARN of the resource for which it assumes the role (a state machine, a rule): trust policies check it
    as aws:SourceArn.
    """

    service: str  # "lambda.amazonaws.com"
    role: str = ""  # its ARN; its trust policy must allow the service. Empty: resource policies decide
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingNeed:
    """A need and its actor."""

    actor: Actor
    need: Need
