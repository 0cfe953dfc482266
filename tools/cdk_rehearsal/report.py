"""The results of a rehearsal, as written to build/rehearsal/report.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdk_rehearsal.left_behind import LeftBehind


@dataclasses.dataclass(slots=True, kw_only=True)
class Report:
    """Filled during the rehearsal: after a failed step it contains the results so far.

    A story's report has more fields. `environment` is None if neither `--env` nor cdk.json names one.
    """

    engine: str
    environment: str | None
    passed: bool = False
    failed_step: str | None = None
    errors: list[str] = dataclasses.field(default_factory=list)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds_in_all: float = 0.0
    peak_memory_mib: float | None = None
    stacks: dict[str, str] = dataclasses.field(default_factory=dict)
    changed_settings: list[str] = dataclasses.field(default_factory=list)
    changed_resources: list[str] = dataclasses.field(default_factory=list)
    judged_calls: int = 0
    judged_permissions: int = 0
    denied_permissions: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    destroyed_stacks: list[str] = dataclasses.field(default_factory=list)
    left_behind: list[LeftBehind] = dataclasses.field(default_factory=list)

    def judged(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Per requested permission: who, what, how often, whether allowed; of a denied one the missing statement."""
        shown = ("caller", "operation", "action", "resource", "reason", "missing", "times")
        self.judged_calls = sum(call["times"] for call in calls)
        self.judged_permissions = len(calls)
        self.denied_permissions = [{name: call[name] for name in shown} for call in calls if not call["allowed"]]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def rows(self) -> dict[str, str]:
        """The rows of the closing table: what was checked, and the result."""
        return {
            "engine": self.engine,
            "stacks deployed": f"{len(self.stacks):,}" if self.stacks else "–",
            "permissions asked for": self.permissions_words(),
            "deployed again": self._again_words(),
            "destroyed": self.destroyed_words(),
            "peak memory": f"{self.peak_memory_mib:.0f} MiB" if self.peak_memory_mib else "–",
            "seconds": f"{self.seconds_in_all:.1f}",
        }

    def permissions_words(self) -> str:
        denied = len(self.denied_permissions)
        return f"{self.judged_permissions} in {self.judged_calls:,} calls, {denied} denied"

    def destroyed_words(self) -> str:
        if not self.destroyed_stacks:
            return "–"
        left = self.left_behind
        unexplained = sum(resource.why is None for resource in left)
        what = "nothing is left" if not left else f"{len(left)} left, {unexplained} of them unexplained"
        return f"{len(self.destroyed_stacks)} stacks, {what}"

    def _again_words(self) -> str:
        if "redeploy" not in self.seconds:
            return "–"
        return f"{len(self.changed_resources)} resources differ" if self.changed_resources else "no difference"
