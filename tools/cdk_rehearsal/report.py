"""What a rehearsal found, as build/rehearsal/report.json holds it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any


@dataclasses.dataclass(slots=True, kw_only=True)
class StateRun:
    """One visit of one state. `seconds` is None while it runs."""

    name: str
    seconds: float | None = None
    error: str | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class Report:
    """Filled while the rehearsal goes on: a failed one holds all that was found before."""

    engine: str
    environment: str
    passed: bool = False
    failed_step: str | None = None
    errors: list[str] = dataclasses.field(default_factory=list)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds_in_all: float = 0.0
    peak_memory_mib: float | None = None
    stacks: dict[str, str] = dataclasses.field(default_factory=dict)
    posts_uploaded: int = 0
    execution_arn: str | None = None
    execution_status: str | None = None
    execution_states: list[StateRun] = dataclasses.field(default_factory=list)
    endpoint_name: str | None = None
    endpoint_status: str | None = None
    posts_sent: int = 0
    posts_flagged: int = 0
    agreement_with_labels: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    desired_tasks_before: int | None = None
    desired_tasks_after: int | None = None
    changed_settings: list[str] = dataclasses.field(default_factory=list)
    changed_resources: list[str] = dataclasses.field(default_factory=list)
    changed_dashboards: list[str] = dataclasses.field(default_factory=list)
    desired_tasks_after_redeploy: int | None = None
    alerts_received: int = 0
    alerts: list[str] = dataclasses.field(default_factory=list)

    def received(self, alerts: list[str]) -> None:
        self.alerts_received, self.alerts = len(alerts), list(alerts)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
