"""Decides whether AWS would make a call, from AWS's published logic, without any I/O.

Of https://docs.aws.amazon.com/IAM/latest/UserGuide/:
- one account: reference_policies_evaluation-logic_policy-eval-denyallow.html
- several accounts: reference_policies_evaluation-logic-cross-account.html
And for keys https://docs.aws.amazon.com/kms/latest/developerguide/control-access.html.

Why not a library: ministack, on which the rehearsal builds, has an evaluator. Of 5,000 generated calls it allows 95
that the independent judge of the tests denies, and denies 374 that it allows (`make bench-permissions`): it reads no
policy variables and completes no ARNs, lets wildcards of ARN operators reach past colons, and knows no NotPrincipal. It
knows no grants either, and takes the account's root user for any service. This package decides all 5,000 like the
judge. moto's evaluator knows neither resources nor conditions.
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
    """Decide a call as AWS does.

    A deny anywhere wins. A service that calls as itself needs the resource's policy. In one account an allow of either
    side is enough, except that a key's policy and a role's trust policy must allow, be it only by naming the account,
    which leaves the decision to the identity policies. Across accounts both sides must allow. The permissions boundary
    and the session policies limit what identity policies allow, and what a resource's policy allows to a role; in one
    account they do not limit what it allows to the session itself, to a user or to everybody. A grant on a key allows
    like a statement of the key policy that names the grantee.
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

    # What knows no resource is of the caller's own account.
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
        principal: who assumes it: a service, or a role or user.
        trust_policy: the role's AssumeRolePolicyDocument.
        role_arn: the role.
        action: `sts:AssumeRole`, `sts:TagSession` or `sts:SetSourceIdentity`.
        context: the request's condition keys, such as `aws:SourceAccount`.
        identity: the principal's identity policies. They count where the trust policy names only its account or is of
            another account.
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
    """Name the policy of the resource. Only keys and roles must have one that allows."""
    service = call.action.split(":")[0].lower()
    if service == "sts" and ":role/" in call.resource:
        return "trust"
    # An alias has no policy, nor have the actions that know no resource.
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
