"""Pairs the resources of two cloud assemblies, before and after, including those with a new logical id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cdk_review.assembly import Stack
from cdk_review.reference_text import as_list
from cdk_review.replacements import Replacement, replacements

# By design, a change creates a new resource of these types.
RENEWED = {
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGatewayV2::Deployment",
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::ECS::TaskDefinition",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
}
# The minimum share of equal text for which two resources count as one with a new logical id.
ALIKE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A resource that differs.

    Args:
        stack: the stack's path.
        logical_id: the logical id before the change; for a new resource, after it.
        type: the type after the change; for a removed resource, before it.
        before: the resource before the change, or None if it is new.
        after: the resource after the change, or None if it is removed.
        moved_to: its new logical id, if changed.
        replacement: the reason for a replacement, or None.
        path: its construct path, or its logical id if it has none.
    """

    stack: str
    logical_id: str
    type: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    moved_to: str | None = None
    replacement: Replacement | None = None
    path: str = ""

    @property
    def was(self) -> dict[str, Any]:
        """The properties before."""
        return (self.before or {}).get("Properties") or {}

    @property
    def now(self) -> dict[str, Any]:
        """The properties after."""
        return (self.after or {}).get("Properties") or {}

    @property
    def both(self) -> bool:
        """Whether the resource exists before and after."""
        return self.before is not None and self.after is not None

    @property
    def properties(self) -> tuple[str, ...]:
        """The names of the differing parts, properties first."""
        attributes = ("Type", "DeletionPolicy", "UpdateReplacePolicy", "DependsOn", "Condition", "UpdatePolicy")
        before, after = self.before or {}, self.after or {}
        return (
            *sorted(name for name in {*self.was, *self.now} if self.was.get(name) != self.now.get(name)),
            *(name for name in attributes if before.get(name) != after.get(name)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StackChange:
    """A stack before and after.

    Args:
        path: the stack's path.
        before: its resources before, under their logical ids after the change.
        after: its resources after.
        changes: the differing resources, ordered by logical id.
        content: the logical ids of resources with only another asset content.
    """

    path: str
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    changes: tuple[Change, ...]
    content: tuple[str, ...] = ()
    stack_before: Stack | None = None
    stack_after: Stack | None = None
    moved: dict[str, str] = field(default_factory=dict)


def compare(base: dict[str, Stack], head: dict[str, Stack]) -> list[StackChange]:
    """The differences per stack; a stack on only one side is compared with an empty one."""
    paths = sorted({*base, *head})
    pairs = [_paired(base.get(path), head.get(path)) for path in paths]
    asked = replacements([(pair.before, pair.after) for pair in pairs])
    return [
        _stack_change(path, base.get(path), head.get(path), pair, found)
        for path, pair, found in zip(paths, pairs, asked, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    before: dict[str, Any]
    after: dict[str, Any]
    moved: dict[str, str]


def _paired(base: Stack | None, head: Stack | None) -> _Pair:
    """Both templates, the first with the logical ids of the second."""
    before = {} if base is None else base.template
    after = {} if head is None else head.template
    moved = _moves(before.get("Resources", {}), after.get("Resources", {}))
    return _Pair(before=_renamed(before, moved), after=after, moved=moved)


def _moves(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """Maps old to new logical ids, for resources that differ only in the logical id."""
    gone = {name: before[name] for name in before if name not in after}
    come = {name: after[name] for name in after if name not in before}
    found: dict[str, str] = {}
    by_path = {(_path(name, resource), resource.get("Type")): name for name, resource in come.items()}
    for name, resource in gone.items():
        same = by_path.get((_path(name, resource), resource.get("Type")))
        if same is not None and same not in found.values():
            found[name] = same
    # The most similar pair is taken first.
    candidates = sorted(
        (
            (-_likeness(old, new), name, other)
            for name, old in gone.items()
            if name not in found
            for other, new in come.items()
            if old.get("Type") == new.get("Type") and other not in found.values()
        ),
    )
    for likeness, name, other in candidates:
        if -likeness >= ALIKE and name not in found and other not in found.values():
            found[name] = other
    return found


def _path(logical_id: str, resource: dict[str, Any]) -> str:
    metadata = resource.get("Metadata")
    path = metadata.get("aws:cdk:path") if isinstance(metadata, dict) else None
    return str(path) if isinstance(path, str) else logical_id


def _likeness(old: dict[str, Any], new: dict[str, Any]) -> float:
    first, second = _words(old), _words(new)
    if not first and not second:
        return 1.0
    return len(first & second) / len(first | second)


def _words(resource: dict[str, Any]) -> set[str]:
    """A resource's leaf values; references to sibling resources, whose ids may change too, count as equal."""
    return set(_leaves("", resource.get("Properties", {})))


def _leaves(place: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("Ref", "Fn::GetAtt"):
            yield f"{place}={next(iter(value))}"
            return
        for name, item in value.items():
            yield from _leaves(f"{place}.{name}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(f"{place}[{number}]", item)
    else:
        yield f"{place}={value}"


def _renamed(template: dict[str, Any], moved: dict[str, str]) -> dict[str, Any]:
    """The template with renamed logical ids."""
    if not moved:
        return template
    renamed: dict[str, Any] = _rewritten(template, moved)
    renamed["Resources"] = {moved.get(name, name): value for name, value in renamed["Resources"].items()}
    return renamed


def _rewritten(value: Any, moved: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_rewritten(item, moved) for item in value]
    if not isinstance(value, dict):
        return value
    written: dict[str, Any] = {}
    for name, item in value.items():
        if name == "Ref" and isinstance(item, str):
            written[name] = moved.get(item, item)
        elif name == "Fn::GetAtt" and isinstance(item, list) and item and isinstance(item[0], str):
            written[name] = [moved.get(item[0], item[0]), *item[1:]]
        elif name == "Fn::GetAtt" and isinstance(item, str):
            resource, _, attribute = item.partition(".")
            written[name] = f"{moved.get(resource, resource)}.{attribute}"
        elif name == "Fn::Sub" and isinstance(item, str | list):
            text, *further = [item] if isinstance(item, str) else item
            text = re.sub(r"\$\{([A-Za-z0-9]+)", lambda found: "${" + moved.get(found[1], found[1]), str(text))
            written[name] = text if isinstance(item, str) else [text, *(_rewritten(other, moved) for other in further)]
        elif name == "DependsOn":
            named = [moved.get(other, other) if isinstance(other, str) else other for other in as_list(item)]
            written[name] = named if isinstance(item, list) else named[0]
        else:
            written[name] = _rewritten(item, moved)
    return written


def _stack_change(
    path: str, base: Stack | None, head: Stack | None, pair: _Pair, replaced: dict[str, Replacement]
) -> StackChange:
    before, after = pair.before.get("Resources", {}), pair.after.get("Resources", {})
    came_from = {new: old for old, new in pair.moved.items()}
    changes = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        kind = str((new or old or {}).get("Type", ""))
        former = came_from.get(name)
        moved = former is not None and kind not in RENEWED
        if not moved and _without_metadata(old) == _without_metadata(new):
            continue
        changes.append(
            Change(
                stack=path,
                logical_id=former if moved and former is not None else name,
                type=kind,
                before=old,
                after=new,
                moved_to=name if moved else None,
                replacement=replaced.get(name) if old is not None and new is not None else None,
                path=_path(name, new or old or {}),
            )
        )
    changed = {change.moved_to or change.logical_id for change in changes}
    return StackChange(
        path=path,
        before=before,
        after=after,
        changes=tuple(changes),
        content=tuple(sorted(_of_other_content(base, head) - changed)),
        stack_before=base,
        stack_after=head,
        moved=pair.moved,
    )


def _without_metadata(resource: dict[str, Any] | None) -> dict[str, Any] | None:
    if resource is None:
        return None
    return {name: value for name, value in resource.items() if name != "Metadata"}


def _of_other_content(base: Stack | None, head: Stack | None) -> set[str]:
    if base is None or head is None:
        return set()
    old, new = base.as_written.get("Resources", {}), head.as_written.get("Resources", {})
    return {
        name
        for name in head.resources()
        if isinstance(old.get(name), dict)
        and isinstance(new.get(name), dict)
        and old[name].get("Properties") != new[name].get("Properties")
    }
