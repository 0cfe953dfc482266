"""What Lambda does with a function's role: it passes credentials to the program and writes its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting import ActingNeed, lambda_role_needs
from cdk_rehearsal.plug_in.iam.acting_role import ActingRole
from cdk_rehearsal.plug_in.iam.permissions import Permissions
from cdk_rehearsal.plug_in.ministack_adapter import lambda_, lambda_runtime


def install(permissions: Permissions) -> None:
    def credentials(configuration: Mapping[str, Any]) -> dict[str, str]:
        """The function's credentials.

        Checks what Lambda does at start: create network interfaces, decrypt the environment.
        """
        asked = lambda_role_needs(configuration, world=permissions.world)
        permissions.require_acting(filter(_at_start, asked), operation="lambda:start")
        return dict(function_role(permissions, configuration).credentials)

    lambda_runtime.execution_credentials = credentials
    lambda_.execution_credentials = credentials
    lambda_.emit_logs = _where_allowed(lambda_.emit_logs, permissions)


def function_role(permissions: Permissions, configuration: Mapping[str, Any]) -> ActingRole:
    """Raises AccessDeniedError if Lambda may not assume it."""
    return permissions.assume(
        configuration["Role"], service="lambda.amazonaws.com", session=configuration["FunctionName"]
    )


def _where_allowed(emit: Callable[..., None], permissions: Permissions) -> Callable[..., None]:
    """A function runs without a log or traces if its role lacks the permission to write them."""

    def emit_where_allowed(function: Mapping[str, Any], *details: Any, **more: Any) -> None:
        asked = lambda_role_needs(function.get("config") or function, world=permissions.world)
        permissions.allows_acting(filter(_trace, asked), operation="lambda:trace")
        if permissions.allows_acting(filter(_log, asked), operation="lambda:log"):
            emit(function, *details, **more)

    return emit_where_allowed


def _at_start(asked: ActingNeed) -> bool:
    return asked.need.action.startswith(("ec2:", "kms:"))


def _log(asked: ActingNeed) -> bool:
    return asked.need.action.startswith("logs:")


def _trace(asked: ActingNeed) -> bool:
    return asked.need.action.startswith("xray:")
