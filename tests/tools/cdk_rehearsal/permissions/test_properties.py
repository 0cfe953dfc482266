"""What holds for every call and every policy, over the generated cases."""

import dataclasses
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_rehearsal.permissions import Policies, PolicyDocument, judge
from tests.tools.cdk_rehearsal.permissions.generated_cases import Case, generated_cases

cases = st.integers(min_value=0, max_value=10**9).map(lambda seed: next(generated_cases(1, seed=seed)))
many = settings(max_examples=300, deadline=None)


def statements(document: PolicyDocument) -> list[dict[str, Any]]:
    value = document["Statement"]
    return list(value) if isinstance(value, list) else [value]


def plus(document: PolicyDocument | None, statement: Any) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": [*(statements(document) if document else []), statement]}


def with_statement(policies: Policies, where: str, statement: Any) -> Policies:
    """The policies and one statement more; a limit that is not there does not come to be."""
    if where == "identity":
        return dataclasses.replace(policies, identity=(*policies.identity, plus(None, statement)))
    if where == "boundary":
        return dataclasses.replace(policies, boundary=policies.boundary and plus(policies.boundary, statement))
    if where == "session":
        return dataclasses.replace(policies, session=policies.session and (*policies.session, plus(None, statement)))
    return dataclasses.replace(policies, resource=plus(policies.resource, statement))


def another_statement(number: int, where: str, effect: str) -> dict[str, Any]:
    """A statement of some other case, in the form of the policy."""
    form = "resource" if where == "resource" else "identity"
    for other in generated_cases(60, seed=number):
        documents = (other.policies.resource,) if form == "resource" else other.policies.identity
        for document in documents:
            for statement in statements(document) if document else []:
                if not (effect == "Allow" and "NotPrincipal" in statement):
                    return statement | {"Effect": effect}
    raise AssertionError(f"no {form} statement among 60 cases of seed {number}")


wheres = st.sampled_from(["identity", "boundary", "session", "resource"])
numbers = st.integers(min_value=0, max_value=10**6)


@many
@given(cases, wheres, numbers)
def test_a_deny_more_never_allows_more(case: Case, where: str, number: int) -> None:
    more = with_statement(case.policies, where, another_statement(number, where, "Deny"))
    assert judge(case.call, case.policies).allowed or not judge(case.call, more).allowed


@many
@given(cases, wheres, numbers)
def test_an_allow_more_never_denies_more(case: Case, where: str, number: int) -> None:
    more = with_statement(case.policies, where, another_statement(number, where, "Allow"))
    assert judge(case.call, more).allowed or not judge(case.call, case.policies).allowed


@many
@given(cases)
def test_a_deny_of_everything_denies(case: Case) -> None:
    denying = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    verdict = judge(case.call, with_statement(case.policies, "resource", denying))
    assert not verdict.allowed
    assert verdict.explicit


@many
@given(cases)
def test_the_missing_statements_make_a_call_allowed(case: Case) -> None:
    """One a policy at most: the resource's, the caller's, the boundary's and the session's."""
    policies = case.policies
    verdict = judge(case.call, policies)
    for _ in range(4):
        if verdict.allowed or verdict.explicit:
            break
        assert verdict.missing is not None
        policies = with_statement(policies, verdict.where, verdict.missing)
        verdict = judge(case.call, policies)
    assert verdict.allowed or verdict.explicit, verdict.reason


@many
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_statements_and_policies_decides_nothing(case: Case, chance: random.Random) -> None:
    def shuffled(document: PolicyDocument | None) -> PolicyDocument | None:
        return document and {**document, "Statement": chance.sample(all_ := statements(document), len(all_))}

    identity = [shuffled(document) or {} for document in case.policies.identity]
    chance.shuffle(identity)
    other = dataclasses.replace(
        case.policies,
        identity=tuple(identity),
        boundary=shuffled(case.policies.boundary),
        resource=shuffled(case.policies.resource),
    )
    before, after = judge(case.call, case.policies), judge(case.call, other)
    assert (before.allowed, before.explicit) == (after.allowed, after.explicit)


@many
@given(cases)
def test_the_case_of_actions_and_of_keys_decides_nothing(case: Case) -> None:
    call = dataclasses.replace(
        case.call,
        action=case.call.action.swapcase(),
        context={key.swapcase(): value for key, value in case.call.context.items()},
    )
    assert judge(call, case.policies).allowed is judge(case.call, case.policies).allowed


@many
@given(cases)
def test_a_limit_that_allows_everything_limits_nothing(case: Case) -> None:
    if case.call.principal.service is not None or "NotPrincipal" in case.features:
        return
    everything: PolicyDocument = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    policies = case.policies
    limited = dataclasses.replace(
        policies,
        boundary=everything if policies.boundary is None else policies.boundary,
        session=(everything,) if policies.session is None else policies.session,
    )
    assert judge(case.call, limited).allowed is judge(case.call, policies).allowed
