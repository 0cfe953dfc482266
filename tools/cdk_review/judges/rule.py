"""A property and the direction in which its change is always worth a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A property and the direction in which it gets worse.

    Args:
        type: of the resource.
        path: of the property, with dots; `Rules[].Action` is that of each element, which its name or place identifies.
        worse: `lower`, `higher`, `gone` (it becomes empty or false too), `off` (true becomes anything else),
            `on` (anything else becomes true), `shorter` (fewer elements), `other` (any other value), `gains` (one of
            the values of `default`), `zero` (a number becomes 0), `smaller` (of two instance types), or the values
            from the best to the worst.
        kind: of the flag.
        severity: of the flag.
        says: what the property is, in words.
        default: what AWS takes where it is absent.
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
