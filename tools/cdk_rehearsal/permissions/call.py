"""One permission that a principal requests."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

ROLE_SESSION = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/(?P<session>.+)"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a call.

    Args:
        arn: the ARN of a role session (`arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`), a user or an account's root
            user; empty for a service.
        account: the principal's account, 12 digits; for a service, the account of the resource for which it calls.
        service: for a service principal its name, `events.amazonaws.com`. It has no identity policy.
        role_arn: for a role session, the role's ARN with its path. A session's ARN omits the path, so without
            `role_arn` the role is assumed to have no path.
        tags: the tags of role and session, which `aws:PrincipalTag/…` reads.
    """

    arn: str
    account: str
    service: str | None = None
    role_arn: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.arn) == bool(self.service):
            raise ValueError(
                f'arn is "{self.arn}" and service is "{self.service}": allowed one of them; empty the other'
            )
        session = ROLE_SESSION.fullmatch(self.arn)
        if session is None:
            if self.role_arn is not None:
                raise ValueError(f'role_arn is "{self.role_arn}": allowed only for a role session; arn is "{self.arn}"')
        elif self.role_arn is None:
            role = f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
            object.__setattr__(self, "role_arn", role)
        elif self.role_arn.rsplit("/", 1)[-1] != session["role"]:
            raise ValueError(
                f'role_arn is "{self.role_arn}": allowed the role of "{self.arn}"; give the ARN of that role'
            )

    @property
    def is_root(self) -> bool:
        """Whether the caller is the account's root user, which no identity policy limits."""
        return self.arn.startswith("arn:") and self.arn.endswith(":root")

    @property
    def name(self) -> str:
        """The principal's name for messages."""
        return self.service or self.role_arn or self.arn


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One requested permission; an API call may need several.

    Args:
        action: `sns:Publish`.
        resource: an ARN, or `*` for an action without resource types.
        resource_account: the account that owns the resource, 12 digits; a bucket's ARN lacks it. Ignored for `*`.
        context: the request's condition keys, case-insensitive; a tuple is a multivalued key. Keys that follow from
            principal and resource are added unless given: `request_context` lists them.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Mapping[str, str | tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.action.count(":") != 1 or "*" in self.action:
            raise ValueError(
                f'action is "{self.action}": allowed a service and an operation; give one like "sns:Publish"'
            )
        if self.resource != "*" and self.resource.count(":") < 5:
            raise ValueError(f'resource is "{self.resource}": allowed an ARN or "*"; give the whole ARN')
        for key, value in self.context.items():
            if not all(isinstance(one, str) for one in (value if isinstance(value, tuple) else (value,))):
                raise ValueError(
                    f'context of "{key}" is {value!r}: allowed a text or a tuple of texts; write "true" or "7"'
                )
