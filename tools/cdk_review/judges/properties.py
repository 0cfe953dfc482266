"""Flags properties whose change in one direction always needs a check.

The table of rules has the direction. A value that is known only at deployment is compared as text, never by size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.instance_size import is_smaller
from cdk_review.judges.flagged import flag, what
from cdk_review.judges.further_rules import FURTHER_RULES
from cdk_review.judges.property_rules import RULES
from cdk_review.judges.rule import Rule
from cdk_review.reference_text import as_list, number_of, shown, text_of

_BY_TYPE: dict[str, list[Rule]] = {}
for _rule in (*RULES, *FURTHER_RULES):
    _BY_TYPE.setdefault(_rule.type, []).append(_rule)


def property_flags(stack: StackChange) -> Iterator[Flag]:
    """A flag per property that changed in its rule's direction."""
    for change in stack.changes:
        if not change.both:
            continue
        said: set[str] = set()
        for rule in _BY_TYPE.get(change.type, []):
            # A removed block is one finding, not one per property.
            if any(rule.path.startswith(f"{path}.") or rule.path == path for path in said):
                continue
            for of_what, old, new in _places(change.was, change.now, rule.path):
                sentence = _sentence(rule, f"{what(change)}{of_what}", old, new)
                if sentence is not None:
                    said.add(rule.path)
                    yield flag(change, rule.kind, rule.severity, sentence)


def value_at(properties: dict[str, Any], path: str) -> Any:
    """What stands at a dotted path, or None; a dot within a name is written `\\.`."""
    value: Any = properties
    for name in path.split(".") if "\\" not in path else _parts(path):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _parts(path: str) -> list[str]:
    return [name.replace("\\.", ".") for name in re.split(r"(?<!\\)\.", path)]


_NAMES = ("Name", "Id", "Key", "RuleName", "DeviceName", "Region", "ResourcePath")


def _places(was: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The values at a path before and after; for a list, each element that is on both sides, with its name."""
    first, brackets, rest = path.partition("[]")
    old, new = value_at(was, first), value_at(now, first)
    if not brackets:
        yield "", old, new
        return
    others = {_named(item, number): item for number, item in enumerate(as_list(new))}
    for number, item in enumerate(as_list(old)):
        name = _named(item, number)
        if name not in others:
            continue
        if not rest:
            yield "", item, others[name]
            continue
        for of_what, before, after in _places(item, others[name], rest.removeprefix(".")):
            yield f", {name}{of_what}" if not name.isdigit() else of_what, before, after


def _named(item: Any, number: int) -> str:
    names = [text_of(item[name]) for name in _NAMES if name in item] if isinstance(item, dict) else []
    return names[0] if names else str(number)


def _sentence(rule: Rule, subject: str, old: Any, new: Any) -> str | None:
    if old == new:
        return None
    if rule.worse == "gains":
        more = [item for item in as_list(new) if item in rule.default and item not in as_list(old)]
        return f"{subject}: {rule.says} gains {', '.join(map(shown, more))}" if more else None
    if rule.worse == "smaller":
        return f"{subject}: {rule.says} is {new}, was {old}" if is_smaller(text_of(new), text_of(old)) else None
    before, after = (rule.default if value is None else value for value in (old, new))
    if rule.worse == "zero":
        return f"{subject}: {rule.says} is 0" if number_of(after) == 0 and number_of(before) != 0 else None
    if isinstance(rule.worse, tuple):
        ranks = [_rank(value, rule.worse) for value in (before, after)]
        if None in ranks or ranks[0] == ranks[1] or _at(ranks, 0) > _at(ranks, 1):
            return None
        return f"{subject}: {rule.says} is {shown(after)}, was {shown(before)}"
    if rule.worse in ("lower", "higher"):
        for first, second, case in _numbers(before, after):
            if first != second and (second < first) == (rule.worse == "lower"):
                return f"{subject}: {rule.says}: {shown(second)} instead of {shown(first)}{case}"
        return None
    if rule.worse == "other":
        if not _is_set(old) or not _is_set(new):
            return None
        return f"{subject}: {rule.says} is {shown(after)}, was {shown(before)}"
    if rule.worse == "gone":
        return f"{subject} loses {rule.says}" if _is_set(old) and not _is_set(new) else None
    if rule.worse == "off":
        return f"{subject} loses {rule.says}" if _is_true(old) and not _is_true(new) else None
    if rule.worse == "on":
        gained = (not _is_true(old) and _is_true(new)) or (isinstance(new, dict) and "Ref" not in new and old is None)
        return f"{subject} gains {rule.says}" if gained else None
    lost = [item for item in old if item not in new] if isinstance(old, list) and isinstance(new, list) else []
    if isinstance(old, list) and old and not new:
        lost = old
    return f"{subject} loses {len(lost)} of {len(old)} of {rule.says}" if lost and len(new or []) < len(old) else None


def _numbers(before: Any, after: Any) -> Iterator[tuple[float, float, str]]:
    """Both numbers; for a conditional value, those of each case."""
    old, new = _cases(before), _cases(after)
    if old.keys() == new.keys():
        pairs = [(old[case], new[case]) for case in old]
    else:
        pairs = [(first, second) for first in old.values() for second in new.values()]
    for first, second in ((number_of(one), number_of(other)) for one, other in pairs):
        if first is not None and second is not None:
            yield first, second, " in one case" if len(pairs) > 1 else ""


def _cases(value: Any) -> dict[str, Any]:
    branches = value.get("Fn::If") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(branches, list) or len(branches) != 3:
        return {"": value}
    return {f"{branches[0]} {met}": branch for met, branch in zip((True, False), branches[1:], strict=True)}


def _rank(value: Any, order: tuple[Any, ...]) -> int | None:
    texts = [None if item is None else text_of(item).lower() for item in order]
    text = None if value is None else text_of(value).lower()
    return texts.index(text) if text in texts else None


def _at(ranks: list[int | None], index: int) -> int:
    rank = ranks[index]
    return -1 if rank is None else rank


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _is_set(value: Any) -> bool:
    return value not in (None, "", [], {}, False)
