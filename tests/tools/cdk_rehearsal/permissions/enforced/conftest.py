"""Roles with few permissions in a running embedded AWS."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import Statement, make_role
from tests.denied_calls import DeniedCalls

ROLE_PREFIX = "enforced-"


@pytest.fixture
def unique() -> str:
    return f"{ROLE_PREFIX}{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="module", autouse=True)
def these_roles_are_denied(denied_calls: DeniedCalls) -> None:
    """Each test here that is denied something says so itself."""
    denied_calls.expect_all_of(f"*role/{ROLE_PREFIX}*")
    denied_calls.expect("*.amazonaws.com", "sts:AssumeRole", f"*role/{ROLE_PREFIX}*")


@pytest.fixture
def role_for(embedded_aws: EmbeddedAws, unique: str) -> Callable[..., str]:
    """Makes the test's role, or gives it other statements: `role_for("ecs-tasks", allow("s3:GetObject"))`."""

    def make(service: str, *statements: Statement) -> str:
        return make_role(embedded_aws, unique, *statements, trusts=f"{service}.amazonaws.com")

    return make


@pytest.fixture
def acting(embedded_aws: EmbeddedAws, role_for: Callable[..., str], unique: str) -> Callable[..., Callable[[str], Any]]:
    """boto3 clients of a task whose role has these statements: `acting(allow("sqs:SendMessage"))("sqs")`."""

    def start(*statements: Statement) -> Callable[[str], Any]:
        definition = embedded_aws.client("ecs").register_task_definition(
            family=unique,
            taskRoleArn=role_for("ecs-tasks", *statements),
            containerDefinitions=[{"name": "program", "image": "program:1", "memory": 128}],
        )["taskDefinition"]["taskDefinitionArn"]
        credentials = embedded_aws.task_credentials(definition)
        session = boto3.session.Session(
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            region_name=embedded_aws.region,
        )

        def client(service: str) -> Any:
            return session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=embedded_aws.endpoint_url,
                config=Config(proxies={}, retries={"total_max_attempts": 1}),
            )

        return client

    return start


@pytest.fixture
def deployed(embedded_aws: EmbeddedAws, unique: str) -> Callable[..., dict[str, str]]:
    """Deploys resources as a stack of the test's own, or changes it; returns each one's physical id by its logical."""
    made: list[str] = []

    def deploy(**resources: tuple[str, dict[str, Any]]) -> dict[str, str]:
        formation = embedded_aws.client("cloudformation")
        template = {
            "Resources": {name: {"Type": kind, "Properties": given} for name, (kind, given) in resources.items()}
        }
        verb = "update" if made else "create"
        getattr(formation, f"{verb}_stack")(
            StackName=unique, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        made.append(unique)
        formation.get_waiter(f"stack_{verb}_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})
        return {name: each["ref"] for name, each in embedded_aws.deployed_resources()[unique].items()}

    return deploy


@pytest.fixture
def judged(embedded_aws: EmbeddedAws) -> Callable[..., list[dict[str, Any]]]:
    """What was judged of an action on a resource: `judged("sqs:SendMessage", arn)`."""

    def find(action: str, resource: str) -> list[dict[str, Any]]:
        calls = embedded_aws.judged_calls()
        return [call for call in calls if (call["action"], call["resource"]) == (action, resource)]

    return find
