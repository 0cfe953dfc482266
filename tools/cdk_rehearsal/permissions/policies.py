"""The policies that apply to a call."""

from __future__ import annotations

import dataclasses

from cdk_rehearsal.permissions.grant import Grant
from cdk_rehearsal.permissions.policy import Policy, PolicyDocument, read_policy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All policies that apply to a call. The documents are parsed on construction; later changes to them have no
    effect.

    Args:
        identity: the caller's inline and managed policies.
        boundary: the caller's permissions boundary.
        session: the session policies given when the role was assumed, evaluated together; None without any.
        resource: the resource's policy: a topic's, a bucket's, a key's; for `sts:AssumeRole` the trust policy.
        grants: the key's grants.

    Raises:
        ValueError: AWS refuses one of the policies, or a function of the template is not resolved.
    """

    identity: tuple[PolicyDocument, ...] = ()
    boundary: PolicyDocument | None = None
    session: tuple[PolicyDocument, ...] | None = None
    resource: PolicyDocument | None = None
    grants: tuple[Grant, ...] = ()
    read_identity: tuple[Policy, ...] = dataclasses.field(init=False, repr=False, compare=False)
    read_boundary: tuple[Policy, ...] | None = dataclasses.field(init=False, repr=False, compare=False)
    read_session: tuple[Policy, ...] | None = dataclasses.field(init=False, repr=False, compare=False)
    read_resource: Policy | None = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        identity = tuple(read_policy(document, "identity") for document in self.identity)
        boundary = None if self.boundary is None else (read_policy(self.boundary, "identity"),)
        session = (
            None if self.session is None else tuple(read_policy(document, "identity") for document in self.session)
        )
        resource = None if self.resource is None else read_policy(self.resource, "resource")
        object.__setattr__(self, "read_identity", identity)
        object.__setattr__(self, "read_boundary", boundary)
        object.__setattr__(self, "read_session", session)
        object.__setattr__(self, "read_resource", resource)
