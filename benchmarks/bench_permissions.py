"""Prints how many generated calls two evaluators decide differently from the tests' evaluator, and their speed.

The tests' evaluator is npm's iam-simulate, in a separate process. ministack's evaluator gets the input that its server
would pass: the parsed policies, the boundary and the session policies as limits, and every condition key of the
request.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from ministack.core import iam_evaluator

from cdk_rehearsal.permissions import Call, Policies, judge, request_context
from tests.tools.cdk_rehearsal.permissions.generated_cases import Case, generated_cases
from tests.tools.cdk_rehearsal.permissions.independent_judge import judge_independently


def ours(call: Call, policies: Policies) -> bool:
    return judge(call, policies).allowed


def by_ministack(call: Call, policies: Policies) -> bool:
    """Decide a call with the functions that ministack's server calls for it."""
    keys = {key: list(value) if isinstance(value, tuple) else value for key, value in request_context(call).items()}
    # It reads the condition keys of its server's request; here they are replaced by the case's.
    iam_evaluator._resolve_condition_key = lambda key, context: keys.get(key.lower())
    principal = call.principal
    context = iam_evaluator.EvalContext(
        # It has no principal for service calls; the account's root user would match any service.
        principal_arn=principal.arn,
        principal_type="",
        principal_account=principal.account,
        action=call.action,
        resource_arn=call.resource,
        region="",
        source_ip="",
        secure_transport=True,
    )
    must_name = call.action.startswith(("kms:", "sts:"))
    if principal.service is not None and call.action.startswith("sts:"):
        return bool(
            iam_evaluator.evaluate_trust_policy(policies.resource, f"arn:aws:iam::{principal.account}:root", context)
        )
    if principal.service is not None:
        decision = iam_evaluator.evaluate_resource_policy(
            policies.resource, context, service=principal.service
        ).decision
        return bool(decision == "Allow")
    read = iam_evaluator.parse_policy_document
    limits = [[read(policies.boundary)]] if policies.boundary is not None else []
    limits += [[read(policy) for policy in policies.session]] if policies.session is not None else []
    result = iam_evaluator.evaluate(context, [read(policy) for policy in policies.identity], *limits)
    if policies.resource is not None:
        result = iam_evaluator.combine_resource_policy(
            result, context, policies.resource, call.resource_account, required=must_name, limits=tuple(limits)
        )
    elif call.resource_account != principal.account:
        return False
    return bool(result.decision == "Allow")


def report(
    name: str, evaluator: Callable[[Call, Policies], bool], cases: Sequence[Case], judged: Sequence[bool]
) -> None:
    decided = [evaluator(case.call, case.policies) for case in cases]
    start = time.perf_counter()
    for case in cases:
        evaluator(case.call, case.policies)
    seconds = time.perf_counter() - start
    allowed = sum(decision and not expected for decision, expected in zip(decided, judged, strict=True))
    denied = sum(expected and not decision for decision, expected in zip(decided, judged, strict=True))
    print(
        f"{name:10} allows {allowed} calls and denies {denied} otherwise than the judge, of {len(cases)}; "
        f"{len(cases) / seconds:,.0f} calls a second"
    )


def main(
    cases: Annotated[int, typer.Option(help="How many calls to generate.")] = 5000,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 13,
) -> None:
    made = list(generated_cases(cases, seed=seed))
    judged = [answer.result == "Allowed" for answer in judge_independently((case.call, case.policies) for case in made)]
    print(f"the judge allows {sum(judged)} of {len(judged)} calls")
    report("ours", ours, made, judged)
    report("ministack", by_ministack, made, judged)


if __name__ == "__main__":
    typer.run(main)
