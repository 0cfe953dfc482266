"""Flags widened permissions: new grants, wider grants and removed denials."""

from __future__ import annotations

from collections.abc import Iterator

from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.policies import EVERYBODY, Grant, grants_of

SHOWN = 4


def access_flags(stack: StackChange) -> Iterator[Flag]:
    """One flag per role, key, bucket, … that permits more than before.

    A new role is flagged only if it permits all actions of a service on all resources, or everybody may assume it.
    """
    if stack.stack_after is None:
        return
    before, after = grants_of(stack.before), grants_of(stack.after)
    for (owner, place), grants in sorted(after.items()):
        old = before.get((owner, place), set())
        new = owner not in stack.before and owner in stack.after
        allowed = [grant for grant in old if grant.effect == "Allow"]
        gained = sorted(
            (
                grant
                for grant in grants
                if grant.effect == "Allow" and not any(former.covers(grant) for former in allowed)
            ),
            key=lambda grant: (not grant.public, not grant.wild, grant.in_words()),
        )
        if new:
            gained = [grant for grant in gained if _is_alarming(grant)]
        if gained:
            yield _widened(stack, owner, place, gained)
        if not new:
            lost = [
                grant
                for grant in old
                if grant.effect == "Deny" and not any(kept.covers(grant) for kept in grants if kept.effect == "Deny")
            ]
            yield from _no_longer_denied(stack, owner, place, lost)
    for (owner, place), old in sorted(before.items()):
        if (owner, place) not in after and owner in stack.after:
            yield from _no_longer_denied(stack, owner, place, [grant for grant in old if grant.effect == "Deny"])


def _is_alarming(grant: Grant) -> bool:
    if grant.public:
        # A function URL or a topic may be public on purpose, but a reviewer should check it even if it is new.
        return True
    administrators = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
    return (grant.wild and grant.resource == "*" and not grant.principal) or grant.action.endswith(administrators)


def _widened(stack: StackChange, owner: str, place: str, gained: list[Grant]) -> Flag:
    public = any(grant.principal == EVERYBODY and not grant.condition for grant in gained)
    wild = any(
        grant.wild or (grant.resource == "*" and grant.action != "*" and not grant.principal) for grant in gained
    )
    admin = any(grant.action == "*" or grant.action.endswith("AdministratorAccess") for grant in gained)
    listed = "; ".join(grant.in_words() for grant in gained[:SHOWN])
    more = f"; and {len(gained) - SHOWN} more" if len(gained) > SHOWN else ""
    subject = {
        "identity": f"{owner} may now",
        "trust": f"{owner} may now be assumed by",
        "permission": f"{owner} may now be invoked by",
    }.get(place, f"The policy of {owner} now permits")
    return Flag(
        kind="public" if public else "widened",
        severity="critical" if public or admin else "high" if wild or place == "trust" else "medium",
        stack=stack.path,
        logical_id=owner,
        sentence=f"{subject} {listed}{more}",
        type=_type_of(stack, owner),
    )


def _no_longer_denied(stack: StackChange, owner: str, place: str, lost: list[Grant]) -> Iterator[Flag]:
    if lost:
        listed = "; ".join(sorted(grant.in_words() for grant in lost)[:SHOWN])
        denial = "policies of {} no longer deny" if place == "identity" else "policy of {} no longer denies"
        yield Flag(
            kind="widened",
            severity="high",
            stack=stack.path,
            logical_id=owner,
            sentence=f"The {denial.format(owner)} {listed}",
            type=_type_of(stack, owner),
        )


def _type_of(stack: StackChange, owner: str) -> str:
    return str((stack.after.get(owner) or stack.before.get(owner) or {}).get("Type", ""))
