"""A role that a service has assumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.permissions import Principal
from cdk_rehearsal.plug_in.aws_clients import own_client


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActingRole:
    """`credentials` are the environment variables with which a program uses the role; `client` makes calls with it."""

    arn: str
    principal: Principal
    credentials: Mapping[str, str] = dataclasses.field(repr=False)

    def client(self, service: str) -> Any:
        return own_client(service, self.credentials)
