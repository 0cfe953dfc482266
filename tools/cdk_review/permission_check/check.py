"""Checks, only from two assemblies, whether roles have the permissions that templates need; flags new denials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from zlib import crc32

from cdk_rehearsal.permissions import Call, Policies, Principal, judge
from cdk_review.assembly import Stack
from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.permission_check.declared_calls import DeclaredCall, calls_of
from cdk_review.permission_check.declared_policies import (
    Document,
    Role,
    on_any_resource,
    resource_policies_of,
    roles_of,
)
from cdk_review.permission_check.invocations import lost_invocations
from cdk_review.permission_check.known_names import ANY_ACCOUNT, ANY_REGION, UNKNOWN, NamedStack, Names, as_shown
from cdk_review.permission_check.named_resources import is_mentioned, named_resources
from cdk_review.reference_text import as_list

SHOWN = 4
# Principal, action and resource.
Asked = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A declared call and whether it is allowed; None if the templates do not determine it."""

    call: DeclaredCall
    stack: str
    role: Role | None
    allowed: bool | None


def permission_flags(stacks: Iterable[StackChange]) -> Iterator[Flag]:
    """One flag per role or service with a denied call that was allowed before or that the template newly needs."""
    changed = list(stacks)
    if not any(stack.changes for stack in changed):
        return
    names_before, names_after = (Names(side) for side in _sides(changed))
    yield from _no_longer_mentioned(names_before, names_after)
    yield from _no_longer_invoked(names_before, names_after)
    before, after = _judged(names_before), _judged(names_after)
    useless = _roles_that_allowed_nothing(before)
    denied: dict[tuple[str, str, str], list[Judged]] = {}
    for asked, judged in after.items():
        if judged.allowed is not False:
            continue
        was = before.get(asked)
        if was is None:
            # A new and stated call must be allowed. A role without any allowed call gets its permissions from
            # elsewhere.
            if not judged.call.stated or judged.role is None or asked[0] in useless:
                continue
        elif was.allowed is False:
            continue
        owner = judged.call.logical_id if judged.role is None else judged.role.logical_id
        denied.setdefault((judged.stack, owner, judged.call.what), []).append(judged)
    for (stack, owner, what), calls in sorted(denied.items()):
        yield _flag(stack, owner, what, calls)


def _no_longer_mentioned(before: Names, after: Names) -> Iterator[Flag]:
    old_roles, new_roles = roles_of(before), roles_of(after)
    old = {(each.role, each.arn) for stack in before.stacks.values() for each in named_resources(before, stack)}
    said = set()
    for stack in after.stacks.values():
        for each in named_resources(after, stack):
            was, now = old_roles.get(each.role), new_roles.get(each.role)
            if (each.role, each.arn) not in old or was is None or now is None or (each.role, each.arn) in said:
                continue
            if is_mentioned(each.arn, was.policies) and not is_mentioned(each.arn, now.policies):
                said.add((each.role, each.arn))
                yield Flag(
                    kind="permission",
                    severity="high",
                    stack=now.stack,
                    logical_id=now.logical_id,
                    sentence=f"{now.logical_id} is allowed nothing on {each.name} any more, which {each.what} names",
                    type="AWS::IAM::Role",
                )


def _no_longer_invoked(before: Names, after: Names) -> Iterator[Flag]:
    for path in sorted(before.stacks.keys() & after.stacks.keys()):
        for lost, caller in lost_invocations(before.stacks[path], after.stacks[path]):
            yield Flag(
                kind="permission",
                severity="high",
                stack=path,
                logical_id=lost.function,
                sentence=f"{lost.function} no longer lets {lost.service} invoke it, as {caller} has it do",
                type=str(after.stacks[path].resources[lost.function].get("Type")),
            )


def _sides(stacks: list[StackChange]) -> Iterator[dict[str, NamedStack]]:
    for before in (True, False):
        found = {}
        for stack in stacks:
            side = stack.stack_before if before else stack.stack_after
            if side is not None:
                found[stack.path] = NamedStack(
                    path=stack.path,
                    resources=stack.before if before else stack.after,
                    outputs=_outputs(side),
                    moved=stack.moved if before else {},
                    account=side.account or _account_of_stage(stack.path, {each.path for each in stacks}),
                    region=side.region or ANY_REGION,
                )
        yield found


def _account_of_stage(path: str, paths: set[str]) -> str:
    """One account per stage: stages with separate accounts may use the same resource names."""
    while (above := path.rpartition("/")[0]) in paths:
        path = above  # a nested stack has its parent's account
    stage = path.rpartition("/")[0]
    return f"{crc32(stage.encode()):012d}" if stage else ANY_ACCOUNT


def _outputs(stack: Stack) -> Mapping[str, object]:
    outputs = stack.template.get("Outputs")
    return outputs if isinstance(outputs, dict) else {}


def _judged(names: Names) -> dict[Asked, Judged]:
    roles, resources = roles_of(names), resource_policies_of(names)
    found: dict[Asked, Judged] = {}
    for path, stack in names.stacks.items():
        for call in calls_of(names, stack):
            role = roles.get(call.role)
            who = call.role or call.service
            place = path if role is None else role.stack
            asked = (who, call.need.action, call.need.resource)
            if asked not in found:
                allowed = _is_allowed(call, role, resources, account=stack.account)
                found[asked] = Judged(call=call, stack=place, role=role, allowed=allowed)
            trusted = (who, "sts:AssumeRole", call.service)
            if role is not None and trusted not in found:
                found[trusted] = Judged(
                    call=_assumption(call), stack=place, role=role, allowed=_may_assume(call.service, role)
                )
    return found


def _assumption(call: DeclaredCall) -> DeclaredCall:
    need = type(call.need)(action="sts:AssumeRole", resource=call.role, resource_account="")
    return DeclaredCall(
        logical_id=call.logical_id, what=call.what, role=call.role, service=call.service, need=need, stated=False
    )


def _is_allowed(
    call: DeclaredCall, role: Role | None, resources: Mapping[str, Document], *, account: str
) -> bool | None:
    need = call.need
    known = need.resource == "*" or not (UNKNOWN in need.resource or "*" in need.resource)
    own = resources.get(need.resource)
    if role is None:
        # A service principal needs the resource's policy; a role that is not in a template is not checked.
        if call.role or own is None or not known:
            return None
        if not own["Statement"] and ":sns:" in need.resource and call.service.startswith("cloudwatch"):
            return True  # by a topic's default policy
        principal = Principal(arn="", account=account, service=call.service)
        policies: tuple[Document, ...] = ()
    else:
        session = f"arn:aws:sts::{account}:assumed-role/{call.role.rpartition('/')[2]}/review"
        principal = Principal(arn=session, account=account, role_arn=call.role)
        policies = role.policies
    if ":key/" in need.resource or ":alias/" in need.resource:
        if own is None:
            return None
    elif need.action.startswith("kms:"):
        return None
    # Actions without resources, and resources known only at execution, are checked by action only.
    resource = need.resource if known and need.resource != "*" else "*"
    if resource == "*":
        policies = tuple(on_any_resource(policy) for policy in policies)
    try:
        verdict = judge(
            Call(
                principal=principal,
                action=need.action,
                resource=resource,
                resource_account=account,
                context=need.context,
            ),
            Policies(identity=policies, resource=own),
        )
    except ValueError:
        return None
    return verdict.allowed


def _may_assume(service: str, role: Role) -> bool:
    """By the service's global name: `states.us-east-1.amazonaws.com` is also `states.amazonaws.com`."""
    for statement in role.trust["Statement"]:
        principal = statement.get("Principal")
        if statement.get("Effect") != "Allow":
            continue
        if not isinstance(principal, dict):
            return True
        for name in as_list(principal.get("Service")):
            if "*" in str(name) or str(name).partition(".")[0] == service.partition(".")[0]:
                return True
    return False


def _roles_that_allowed_nothing(judged: Mapping[Asked, Judged]) -> set[str]:
    """Roles without any allowed stated call: their permissions come from elsewhere, or are missing altogether."""
    stated: dict[str, list[bool]] = {}
    for (who, _, _), each in judged.items():
        if each.call.stated and each.allowed is not None:
            stated.setdefault(who, []).append(each.allowed)
    return {who for who, allowed in stated.items() if not any(allowed)}


def _flag(stack: str, owner: str, what: str, calls: list[Judged]) -> Flag:
    first = calls[0]
    needs = [each.call.need for each in calls if each.call.need.action != "sts:AssumeRole"]
    listed = sorted({f"{need.action}{_on(need.resource)}" for need in needs})
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    if not listed:
        denied = f"{first.call.service} may not assume {owner}, in which it acts for {what}"
    elif first.role is None:
        denied = f"{first.call.service} is denied {', '.join(listed[:SHOWN])}{more}, which {what} needs"
    else:
        denied = f"{owner} is denied {', '.join(listed[:SHOWN])}{more}, which {what} needs"
    return Flag(
        kind="permission",
        severity="high" if first.call.stated or not listed else "medium",
        stack=stack,
        logical_id=owner,
        sentence=denied,
        type="AWS::IAM::Role" if first.role is not None else "",
    )


def _on(resource: str) -> str:
    name = resource.split(":", 5)[-1] if resource.startswith("arn:") else resource
    return "" if name in (UNKNOWN, "*", "") else f" on {as_shown(name)}"
