"""Decides whether AWS would allow a call, by AWS's published evaluation logic and without any I/O.

Sources, below https://docs.aws.amazon.com/IAM/latest/UserGuide/:
- one account: reference_policies_evaluation-logic_policy-eval-denyallow.html
- several accounts: reference_policies_evaluation-logic-cross-account.html
For KMS keys https://docs.aws.amazon.com/kms/latest/developerguide/control-access.html.

Why no library: ministack, which the rehearsal uses, has an evaluator. Of 5,000 generated calls it allows 95 that the
tests' independent evaluator denies, and denies 374 that it allows (`make bench-permissions`). It ignores policy
variables, NotPrincipal and grants, does not complete ARNs, lets wildcards of ARN operators match colons, and treats any
service as the account's root user. This package decides all 5,000 like the independent evaluator. moto's evaluator
ignores resources and conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cdk_rehearsal.permissions.call import Call, Principal
from cdk_rehearsal.permissions.policies import Policies
from cdk_rehearsal.permissions.policy import Policy, PolicyDocument
from cdk_rehearsal.permissions.principal_element import Named
from cdk_rehearsal.permissions.request_context import Context, request_context
from cdk_rehearsal.permissions.statement import Statement
from cdk_rehearsal.permissions.verdict import Verdict, Where, missing_statement

_POLICY_OF: dict[Where, str] = {
    "identity": "the identity policies",
    "boundary": "the permissions boundary",
    "session": "the session policies",
    "resource": "the resource's policy",
    "key": "the key policy",
    "trust": "the trust policy",
    "grant": "a grant",
}


def judge(call: Call, policies: Policies) -> Verdict:
    """Decide whether AWS allows a call.

    Any deny wins. A service principal needs an allow in the resource's policy. Within one account an allow in either
    the identity or the resource policy is enough. Exceptions are key policies and trust policies: they must allow,
    either the caller or the account, which delegates the decision to the identity policies. Across accounts both sides
    must allow. The permissions boundary and the session policies limit what identity policies allow, and what a
    resource's policy allows to a role. Within one account they do not limit what a resource's policy allows to the
    session itself, to a user or to everybody. A grant on a key counts like a statement of the key policy that names the
    grantee.
    """
    context = request_context(call)
    where = _resource_side(call)
    denied = _denial(call, policies, context, where)
    if denied is not None:
        return denied

    named, statement = policies.read_resource.allowing(call, context) if policies.read_resource else (Named.NOT, None)
    granted = next((grant for grant in policies.grants if grant.allows(call, context)), None)
    if granted is not None and named < Named.ROLE:
        by_session = granted.grantee != call.principal.role_arn
        named, statement = (Named.DIRECTLY if by_session else Named.ROLE), None
    decided: Where = where if statement is not None or granted is None else "grant"

    if call.principal.service is not None:
        if named is Named.DIRECTLY:
            return _allowed(call, decided, statement)
        return _lacking(call, policies, context, where)

    # An action without a resource belongs to the caller's account.
    same_account = call.resource == "*" or call.principal.account == call.resource_account
    if same_account and named is Named.DIRECTLY:
        return _allowed(call, decided, statement)

    identity = _first(policies.read_identity, call, context)
    from_identity = identity is not None or call.principal.is_root
    must_name = not same_account or where in ("key", "trust")
    if must_name and named is Named.NOT:
        return _lacking(call, policies, context, where, also_identity=not (same_account or from_identity))
    if not from_identity and (not same_account or named is not Named.ROLE):
        return _lacking(call, policies, context, "identity")
    limits: tuple[tuple[Where, tuple[Policy, ...] | None], ...] = (
        ("boundary", policies.read_boundary),
        ("session", policies.read_session),
    )
    for limit, limiting in limits:
        if limiting is not None and _first(limiting, call, context) is None:
            return _lacking(call, policies, context, limit)
    if from_identity:
        return _allowed(call, "identity", identity)
    return _allowed(call, decided, statement)


def judge_trust(
    principal: Principal,
    trust_policy: PolicyDocument,
    *,
    role_arn: str,
    action: str = "sts:AssumeRole",
    context: Mapping[str, str | tuple[str, ...]] | None = None,
    identity: tuple[PolicyDocument, ...] = (),
) -> Verdict:
    """Decide whether a principal may assume a role.

    Args:
        principal: the service, role or user that assumes it.
        trust_policy: the role's AssumeRolePolicyDocument.
        role_arn: the role's ARN.
        action: `sts:AssumeRole`, `sts:TagSession` or `sts:SetSourceIdentity`.
        context: the request's condition keys, such as `aws:SourceAccount`.
        identity: the principal's identity policies. They are needed where the trust policy names only the account, or
            where the role is in another account.
    """
    call = Call(
        principal=principal,
        action=action,
        resource=role_arn,
        resource_account=role_arn.split(":")[4],
        context=context or {},
    )
    return judge(call, Policies(identity=identity, resource=trust_policy))


def _resource_side(call: Call) -> Where:
    """Name the resource's policy. Only for keys and roles it must allow."""
    service = call.action.split(":")[0].lower()
    if service == "sts" and ":role/" in call.resource:
        return "trust"
    # An alias has no policy, nor has an action without a resource.
    return "key" if service == "kms" and ":key/" in call.resource else "resource"


def _denial(call: Call, policies: Policies, context: Context, where: Where) -> Verdict | None:
    sides: tuple[tuple[Where, tuple[Policy, ...] | None], ...] = (
        ("identity", policies.read_identity),
        ("boundary", policies.read_boundary),
        ("session", policies.read_session),
        (where, None if policies.read_resource is None else (policies.read_resource,)),
    )
    bounded = policies.read_boundary is not None
    for side, read in sides:
        for policy in read or ():
            statement = policy.denying(call, context, bounded=bounded)
            if statement is not None:
                reason = f"statement {statement.name} of {_POLICY_OF[side]} denies {_asked(call)}"
                return Verdict(allowed=False, reason=reason, explicit=True, where=side, missing=None)
    return None


def _first(policies: Iterable[Policy], call: Call, context: Context) -> Statement | None:
    for policy in policies:
        statement = policy.allowing(call, context)[1]
        if statement is not None:
            return statement
    return None


def _allowed(call: Call, where: Where, statement: Statement | None) -> Verdict:
    by = "the root user" if statement is None and where == "identity" else _POLICY_OF[where]
    reason = (
        f"{by} allows {_asked(call)}"
        if statement is None
        else f"statement {statement.name} of {by} allows {_asked(call)}"
    )
    return Verdict(allowed=True, reason=reason, explicit=False, where=where, missing=None)


def _lacking(call: Call, policies: Policies, context: Context, where: Where, *, also_identity: bool = False) -> Verdict:
    sides: dict[Where, tuple[Policy, ...] | None] = {
        "identity": policies.read_identity,
        "boundary": policies.read_boundary,
        "session": policies.read_session,
    }
    resource = () if policies.read_resource is None else (policies.read_resource,)
    reason = f"no statement of {_POLICY_OF[where]} allows {_asked(call)}"
    for policy in sides.get(where, resource) or ():
        nearly = policy.nearly_allowing(call, context)
        if nearly is not None:
            reason += f": statement {nearly[0].name} would, but its condition {nearly[1]} does not hold"
            break
    if also_identity:
        reason += ", and none of the identity policies does"
    return Verdict(allowed=False, reason=reason, explicit=False, where=where, missing=missing_statement(call, where))


def _asked(call: Call) -> str:
    return f"{call.principal.name} to do {call.action} on {call.resource}"
