"""The emulator's own pages for the process that started it, on the same port as AWS's services."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from cdk_rehearsal.permissions.needs.acting import ecs_execution_role_needs, ecs_task_actor
from cdk_rehearsal.plug_in.cloudformation.resource_types import resource_types
from cdk_rehearsal.plug_in.iam.acting_role import ActingRole
from cdk_rehearsal.plug_in.iam.deployed_permissions import judge_deployed
from cdk_rehearsal.plug_in.iam.deployed_resources import made_of
from cdk_rehearsal.plug_in.iam.permissions import AccessDeniedError, Permissions
from cdk_rehearsal.plug_in.ministack_adapter import ecs

JUDGED_CALLS = "/_embedded/judged-calls"
DEPLOYED_RESOURCES = "/_embedded/deployed-resources"
RESOURCE_TYPES = "/_embedded/resource-types"
TASK_CREDENTIALS = "/_embedded/task-credentials"

Page = tuple[int, Any]


class EmbeddedPages:
    """`JUDGED_CALLS`: every authorized or denied call. `DEPLOYED_RESOURCES`: the resource of each stack's logical ids.
    `RESOURCE_TYPES`: the CloudFormation types that this AWS can create. `TASK_CREDENTIALS?definition=ARN`: what ECS
    does before it starts a task's containers. It checks the execution role and answers the task role's credentials as
    environment variables.
    """

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    def answer(self, path: str, query: str) -> Page | None:
        """The status and the JSON body; None for any other path."""
        if path == JUDGED_CALLS:
            judge_deployed(self._permissions)
            return 200, self._permissions.record.as_json()
        if path == DEPLOYED_RESOURCES:
            return 200, made_of()
        if path == RESOURCE_TYPES:
            return 200, resource_types()
        if path == TASK_CREDENTIALS:
            return self._task_credentials(parse_qs(query)["definition"][0])
        return None

    def _task_credentials(self, definition: str) -> Page:
        described = ecs.describe_task_definition({"taskDefinition": definition})
        task: dict[str, Any] = json.loads(described[2])["taskDefinition"]
        try:
            if "executionRoleArn" in task:
                asked = ecs_execution_role_needs(task, world=self._permissions.world)
                self._permissions.require_acting(asked, operation="ecs:start")
            credentials = dict(self._acting(task["taskRoleArn"]).credentials) if "taskRoleArn" in task else {}
        except AccessDeniedError as error:
            return 403, {"message": f"ResourceInitializationError: {error}"}
        return 200, credentials

    def _acting(self, role_arn: str) -> ActingRole:
        actor = ecs_task_actor(role_arn, world=self._permissions.world)
        return self._permissions.assume(role_arn, service=actor.service, session="task", source=actor.source)


def page_response(page: Page) -> tuple[int, dict[str, str], bytes]:
    status, body = page
    return status, {"Content-Type": "application/json"}, json.dumps(body, default=dict).encode()
