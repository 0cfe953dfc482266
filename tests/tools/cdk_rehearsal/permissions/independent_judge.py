"""The judge of the tests: npm's @cloud-copilot/iam-simulate, in a process of its own.

Its licence is AGPL-3.0, ours Apache-2.0: it may judge in tests, as a separate program, and is never a dependency of a
wheel. It is independent of the code that it judges: another author, another language, AWS's service-authorization data.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from cdk_rehearsal.permissions import Call, Policies, request_context
from tests.policy_elements import listed

PROJECT = Path(__file__).parents[4]
SCRIPT = Path(__file__).with_name("judge_cases.mjs")


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What the judge says; `refusal` is why it did not take the case as it is."""

    result: Literal["Allowed", "ExplicitlyDenied", "ImplicitlyDenied"] | None
    refusal: object


def judge_independently(cases: Iterable[tuple[Call, Policies]]) -> list[Judged]:
    """Have the judge decide cases."""
    asked = json.dumps([_case(call, policies) for call, policies in cases])
    done = subprocess.run(
        [PROJECT / ".venv/bin/node", SCRIPT], input=asked, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [
        Judged(answer["result"], answer["errors"] or [f"{key} is no key of the action" for key in answer["ignored"]])
        for answer in json.loads(done.stdout)
    ]


def _case(call: Call, policies: Policies) -> dict[str, Any]:
    # The judge takes one session policy; several allow together, as statements of one do.
    session = policies.session and {
        "Version": "2012-10-17",
        "Statement": [statement for policy in policies.session for statement in listed(policy["Statement"])],
    }
    return {
        "call": {
            "principal": call.principal.arn or call.principal.service,
            "action": call.action,
            "resource": call.resource,
            "resource_account": call.resource_account,
            "context": request_context(call),
        },
        "policies": {
            "identity": policies.identity,
            "boundary": policies.boundary,
            "session": session or None,
            "resource": policies.resource,
        },
    }
