"""What a rehearsal found, as build/rehearsal/report.json holds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from cdk_rehearsal.left_behind import LeftBehind


@dataclasses.dataclass(slots=True, kw_only=True)
class StateRun:
    """One visit of one state. `seconds` is None while it runs."""

    name: str
    seconds: float | None = None
    error: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What clients saw while something else went on.

    `models` counts the answers of each, in the order in which they were first seen. Latencies are those of the requests
    that did not fail; None where there was none.
    """

    requests: int
    failed: int
    failures: list[str]
    models: dict[str, int]
    seconds: float
    latency_p50_ms: float | None
    latency_p99_ms: float | None


@dataclasses.dataclass(slots=True, kw_only=True)
class WorkflowReport:
    """One execution under load. `before` and `after` are the endpoint configurations that served.

    `load` counts the requests from before the execution began until after it had ended; `alerts` are the messages that
    Slack got of it.
    """

    execution_arn: str
    before: str
    status: str = "RUNNING"
    failed_state: str | None = None
    reason: str | None = None
    states: list[StateRun] = dataclasses.field(default_factory=list)
    after: str | None = None
    seconds: float | None = None
    load: LoadReport | None = None
    alerts: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MistakesReport:
    """What a model says of the reviewed posts about which the first model was wrong.

    `right` is how many it flags as the reviewer did; `mean_error` is how far its probabilities are from what the
    reviewer said, from 0 to 1 on average.
    """

    posts: int
    right: int
    mean_error: float

    @classmethod
    def of(cls, answers: Sequence[tuple[int, float, bool]]) -> Self:
        """Of each post the reviewer's label, the model's probability and its flag."""
        errors = [abs(label - probability) for label, probability, _ in answers]
        return cls(
            posts=len(answers),
            right=sum(bool(label) == flag for label, _, flag in answers),
            mean_error=round(sum(errors) / max(1, len(errors)), 4),
        )


@dataclasses.dataclass(slots=True, kw_only=True)
class ReviewReport:
    """What was reviewed after the first release, and what the second one made of it.

    `by` is how the reviewer decided: by keys on the `page`, or by the page's own `calls` where there is no browser.
    `held_back` labels are of posts on the side to test with; of the mistakes `mistakes_trained_with` are not. The AUCs
    are of the first and of the second model on the same held-out posts.
    """

    by: str | None = None
    decisions: int = 0
    labels: int = 0
    violations: int = 0
    new_labels: int | None = None
    held_back: int | None = None
    held_out_auc_before: float | None = None
    held_out_auc_after: float | None = None
    mistakes_before: MistakesReport | None = None
    mistakes_after: MistakesReport | None = None
    mistakes_trained_with: int | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class TuningReport:
    """`targets` are those that the service had, in order, percent; `decisions` say why it was changed each time."""

    targets: list[float]
    decisions: list[str] = dataclasses.field(default_factory=list)
    guardrail: str | None = None
    seconds_to_revert: float | None = None
    target_after_redeploy: float | None = None


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
    review: ReviewReport | None = None
    second_release: WorkflowReport | None = None
    refused_release: WorkflowReport | None = None
    put_back_release: WorkflowReport | None = None
    rollback: WorkflowReport | None = None
    release_outcomes: dict[str, str] = dataclasses.field(default_factory=dict)
    posts_sent: int = 0
    posts_flagged: int = 0
    agreement_with_labels: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    tuning: TuningReport | None = None
    desired_tasks_before: int | None = None
    desired_tasks_after: int | None = None
    changed_settings: list[str] = dataclasses.field(default_factory=list)
    changed_resources: list[str] = dataclasses.field(default_factory=list)
    changed_dashboards: list[str] = dataclasses.field(default_factory=list)
    desired_tasks_after_redeploy: int | None = None
    judged_calls: int = 0
    judged_permissions: int = 0
    denied_permissions: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    destroyed_stacks: list[str] = dataclasses.field(default_factory=list)
    left_behind: list[LeftBehind] = dataclasses.field(default_factory=list)
    alerts_received: int = 0
    alerts: list[str] = dataclasses.field(default_factory=list)

    def received(self, alerts: list[str]) -> None:
        self.alerts_received, self.alerts = len(alerts), list(alerts)

    def judged(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Of each permission asked for: who, what, how often, whether allowed, and of a denied one what is missing."""
        shown = ("caller", "operation", "action", "resource", "reason", "missing", "times")
        self.judged_calls = sum(call["times"] for call in calls)
        self.judged_permissions = len(calls)
        self.denied_permissions = [{name: call[name] for name in shown} for call in calls if not call["allowed"]]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
