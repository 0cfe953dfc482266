"""The requested permissions and their results, each permission once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.permissions import Call, Verdict


@dataclasses.dataclass(slots=True, kw_only=True)
class JudgedCall:
    """`operation` is the API call that needs the permission; `because` explains an additional permission."""

    call: Call
    verdict: Verdict
    operation: str
    because: str
    times: int = 0

    def as_json(self) -> dict[str, Any]:
        principal = self.call.principal
        return {
            "caller": principal.service or principal.role_arn or principal.arn,
            "session": principal.arn,
            "operation": self.operation,
            "action": self.call.action,
            "resource": self.call.resource,
            "resource_account": self.call.resource_account,
            "context": {name: value if isinstance(value, str) else list(value) for name, value in self._context()},
            "because": self.because,
            "allowed": self.verdict.allowed,
            "reason": self.verdict.reason,
            "missing": self.verdict.missing,
            "times": self.times,
        }

    def _context(self) -> list[tuple[str, str | tuple[str, ...]]]:
        return sorted(self.call.context.items())


class PermissionRecord:
    """Every requested permission since the start of this AWS, in the order of first requests."""

    def __init__(self) -> None:
        self._judged: dict[tuple[Any, ...], JudgedCall] = {}
        self._lock = threading.Lock()

    def add(self, call: Call, verdict: Verdict, *, operation: str, because: str) -> None:
        caller = call.principal.service or call.principal.role_arn
        key = (caller, call.action, call.resource, _frozen(call.context), verdict.allowed)
        with self._lock:
            judged = self._judged.get(key)
            if judged is None:
                judged = JudgedCall(call=call, verdict=verdict, operation=operation, because=because)
                self._judged[key] = judged
            judged.times += 1

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [judged.as_json() for judged in self._judged.values()]


def _frozen(context: Mapping[str, str | tuple[str, ...]]) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    return tuple(sorted(context.items()))
