"""Each statement of the reference system's policies is needed by a call that a rehearsal made, or says why it is there.

`recorded_calls.json` is what `make record-permissions` wrote: every permission that a rehearsal asked for, and what it
had deployed. Nothing runs here: the recording is judged by the policies of today's templates, with each statement taken
away in its turn.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.permissions import Call, Principal, judge
from tests.stacks.permissions.deployment import ACCOUNT, DeclaredStatement, Deployment, holder_of
from tests.stacks.permissions.explained_statements import EXPLAINED

RECORDING: dict[str, Any] = json.loads((Path(__file__).parent / "recorded_calls.json").read_text())


@pytest.fixture(scope="module")
def deployment(synth: Callable[[str], Path]) -> Deployment:
    return Deployment(synth("dev"), RECORDING["resources"])


def recorded_calls() -> list[Call]:
    return [call_of(recorded) for recorded in RECORDING["calls"]]


def call_of(recorded: dict[str, Any]) -> Call:
    return Call(
        principal=principal_of(recorded["caller"]),
        action=recorded["action"],
        resource=recorded["resource"],
        resource_account=ACCOUNT,
        context={
            name: value if isinstance(value, str) else tuple(value) for name, value in recorded["context"].items()
        },
    )


def principal_of(caller: str) -> Principal:
    if not caller.startswith("arn:"):
        return Principal(arn="", account=ACCOUNT, service=caller)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{caller.rpartition('/')[2]}/session"
    return Principal(arn=session, account=ACCOUNT, role_arn=caller)


def is_allowed(call: Call, deployment: Deployment, *, without: DeclaredStatement | None = None) -> bool:
    policies = deployment.policies(role=call.principal.role_arn, resource=call.resource, without=without)
    return judge(call, policies).allowed


def test_every_recorded_call_is_allowed_by_todays_templates(deployment: Deployment) -> None:
    denied = [
        f"{call.principal.name}: {call.action} on {call.resource}"
        for call in recorded_calls()
        if not is_allowed(call, deployment)
    ]
    assert not denied, "\n".join(denied)


def test_a_statement_that_nothing_needs_says_why_it_is_there(deployment: Deployment) -> None:
    calls = recorded_calls()
    unneeded = {statement.name for statement in deployment.statements if not is_needed(statement, calls, deployment)}
    assert unneeded == set(EXPLAINED), (
        f"not needed and not explained: {sorted(unneeded - set(EXPLAINED))}; "
        f"explained, but needed or gone: {sorted(set(EXPLAINED) - unneeded)}"
    )


def is_needed(statement: DeclaredStatement, calls: list[Call], deployment: Deployment) -> bool:
    """Whether taking it away changes what a recorded call is answered. One that denies is tried on the calls without
    TLS, which is what all of them deny."""
    concerned = [call for call in calls if concerns(statement, call)]
    if statement.denies:
        concerned = [
            dataclasses.replace(call, context={**call.context, "aws:SecureTransport": "false"}) for call in concerned
        ]
    return any(is_allowed(call, deployment) != is_allowed(call, deployment, without=statement) for call in concerned)


def concerns(statement: DeclaredStatement, call: Call) -> bool:
    if statement.kind == "identity":
        return call.principal.role_arn == statement.holder
    return holder_of(call.resource) == statement.holder
