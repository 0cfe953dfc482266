"""Authorizes each call of a Step Functions task for the state machine's role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdk_rehearsal.permissions.needs import task_needs
from cdk_rehearsal.plug_in.iam.permissions import AccessDeniedError, Permissions
from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions
from cdk_rehearsal.plug_in.stepfunctions.running_task import running_task
from cdk_rehearsal.plug_in.stepfunctions.task_errors import denied_task_error


def install(permissions: Permissions) -> None:
    stepfunctions.invoke_resource = _judged(stepfunctions.invoke_resource, permissions)


def _judged(invoke: Callable[..., Any], permissions: Permissions) -> Callable[..., Any]:
    def invoke_judged(resource: str, request: Any) -> Any:
        task = running_task.get()
        machine = stepfunctions.state_machines.get(task.execution["stateMachineArn"]) if task else None
        if machine is None:
            return invoke(resource, request)
        assert task is not None
        try:
            role = permissions.assume(
                machine["roleArn"],
                service="states.amazonaws.com",
                session=task.execution["name"],
                source=task.execution["stateMachineArn"],
            )
            asked = task_needs(resource, request, world=permissions.world)
            permissions.require(role.principal, asked, operation=resource.rpartition(":::")[2] or resource)
        except AccessDeniedError as error:
            raise stepfunctions.ExecutionError(*denied_task_error(resource, str(error))) from error
        return invoke(resource, request)

    return invoke_judged
