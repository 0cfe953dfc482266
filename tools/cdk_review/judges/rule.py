"""A property and the direction of change that always needs a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A property and the direction of change that is worse.

    Args:
        type: the resource type.
        path: the property's path, with dots; `Rules[].Action` is that of each element, which is identified by name or
            index.
        worse: `lower`, `higher`, `gone` (it becomes empty or false too), `off` (true becomes anything else),
            `on` (anything else becomes true), `shorter` (fewer elements), `other` (any other value), `gains` (one of
            the values of `default`), `zero` (a number becomes 0), `smaller` (of two instance types), or the values
            from the best to the worst.
        kind: the flag's kind.
        severity: the flag's severity.
        says: the property in words.
        default: AWS's default if the property is absent.
    """

    type: str
    path: str
    worse: str | tuple[Any, ...]
    kind: str
    severity: str
    says: str
    default: Any = None


def rules_of(resource_type: str, *rows: tuple[Any, ...]) -> list[Rule]:
    return [
        Rule(
            type=f"AWS::{resource_type}",
            path=path,
            worse=worse,
            kind=kind,
            severity=severity,
            says=says,
            default=further[0] if further else None,
        )
        for path, worse, kind, severity, says, *further in rows
    ]
