"""Functions that are still called by a caller that they no longer permit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdk_review.permission_check.known_names import NamedStack
from cdk_review.reference_text import as_list, text_of

PERMISSION = "AWS::Lambda::Permission"
# They declare who may call, not who calls.
_POLICIES = {PERMISSION, "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::Role"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A service that may invoke a function on behalf of resources of the same stack.

    Args:
        function: the logical id.
        service: the service principal, such as `events.amazonaws.com`.
        sources: the logical ids of the resources that invoke; empty if any may.
    """

    function: str
    service: str
    sources: frozenset[str]


def lost_invocations(before: NamedStack, after: NamedStack) -> Iterator[tuple[Invocation, str]]:
    """Invocations that a function no longer permits, with the logical id of the resource that still calls it."""
    kept = list(_invocations(after))
    for lost in _invocations(before):
        if lost.function not in after.resources or not lost.sources or not lost.sources <= after.resources.keys():
            continue
        if any(
            each.function == lost.function
            and each.service in (lost.service, "*")
            and (not each.sources or each.sources & lost.sources)
            for each in kept
        ):
            continue
        for logical_id, resource in sorted(after.resources.items()):
            referred = set(_references(resource.get("Properties")))
            if (
                resource.get("Type") not in _POLICIES
                and lost.function in referred
                and (logical_id in lost.sources or referred & lost.sources)
            ):
                yield lost, logical_id
                break


def _invocations(stack: NamedStack) -> Iterator[Invocation]:
    for resource in stack.resources.values():
        if resource.get("Type") == PERMISSION:
            properties = resource.get("Properties") or {}
            for function in _references(properties.get("FunctionName")):
                yield Invocation(
                    function=function,
                    service=text_of(properties.get("Principal")),
                    sources=frozenset(_references(properties.get("SourceArn"))) & stack.resources.keys(),
                )


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name == "Ref" and isinstance(item, str):
                yield item
            elif name == "Fn::GetAtt":
                yield str(item[0] if isinstance(item, list) and item else item).partition(".")[0]
            elif name == "Fn::Sub":
                yield from (
                    part.partition("}")[0].partition(".")[0] for part in text_of(as_list(item)[0]).split("${")[1:]
                )
                yield from _references(as_list(item)[1:])
            else:
                yield from _references(item)
