"""What the embedded AWS has denied, which no test may bring about without saying so."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws


@dataclass
class DeniedCalls:
    """Looks at what has been denied since it looked last."""

    _seen: dict[str, int] = field(default_factory=dict)
    _expected: set[tuple[str, str, str]] = field(default_factory=set)

    def expect(self, caller: str, action: str, resource: str = "*") -> None:
        """Says that a test wants this to be denied; wildcards may stand in each."""
        self._expected.add((caller, action, resource))

    def expect_all_of(self, caller: str) -> None:
        """Says that all that this caller is denied is a test's own doing."""
        self.expect(caller, "*")

    def unexpected(self, aws: EmbeddedAws) -> list[str]:
        """A line for each denied call that no test wanted."""
        lines = []
        for call in aws.judged_calls():
            line = f"{call['caller']} {call['action']} on {call['resource']}: {call['reason']}"
            new = call["times"] - self._seen.get(key := f"{aws.endpoint_url} {line} {call['context']}", 0)
            self._seen[key] = call["times"]
            if new and not call["allowed"] and not self._is_expected(call):
                lines.append(f"{line} ({call['operation']}, {new} times)")
        return lines

    def _is_expected(self, call: dict[str, Any]) -> bool:
        return any(
            fnmatchcase(call["action"], action)
            and fnmatchcase(call["caller"], caller)
            and fnmatchcase(call["resource"], resource)
            for caller, action, resource in self._expected
        )
