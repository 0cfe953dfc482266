"""The results of the reference system's rehearsal, as written to build/rehearsal/report.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self

from cdk_rehearsal.report import Report
from cdk_rehearsal.state_run import StateRun


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The results of clients during another step.

    `models` counts the answers of each model, in the order of first answers. Latencies are of successful requests; None
    if there are none.
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
    """One execution under load.

    `before` and `after` are the endpoint configurations in service. `load` covers the requests from before the start
    until after the end of the execution; `alerts` are its messages to Slack.
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
    """A model's results on the reviewed posts that the first model classified wrongly.

    `right` is the number that it flags as the reviewer did; `mean_error` is the mean absolute difference of its
    probabilities from the reviewer's labels, 0 to 1.
    """

    posts: int
    right: int
    mean_error: float

    @classmethod
    def of(cls, answers: Sequence[tuple[int, float, bool]]) -> Self:
        """Each answer is the reviewer's label, the model's probability and its flag."""
        errors = [abs(label - probability) for label, probability, _ in answers]
        return cls(
            posts=len(answers),
            right=sum(bool(label) == flag for label, _, flag in answers),
            mean_error=round(sum(errors) / max(1, len(errors)), 4),
        )


@dataclasses.dataclass(slots=True, kw_only=True)
class ReviewReport:
    """The reviews after the first release, and their effect on the second.

    `by` is how the reviewer decided: by keys on the `page`, or by the page's `calls` if there is no browser.
    `held_back` labels are of posts in the test set; `mistakes_trained_with` are the mistakes in the training set. The
    AUCs are of the first and the second model on the same held-out posts.
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
    """`targets` are the service's targets in order, percent; `decisions` are the reasons of the changes."""

    targets: list[float]
    decisions: list[str] = dataclasses.field(default_factory=list)
    guardrail: str | None = None
    seconds_to_revert: float | None = None
    target_after_redeploy: float | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class ModerationReport(Report):
    """The results of the story, in addition to those of every rehearsal."""

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
    changed_dashboards: list[str] = dataclasses.field(default_factory=list)
    desired_tasks_after_redeploy: int | None = None
    alerts_received: int = 0
    alerts: list[str] = dataclasses.field(default_factory=list)

    def received(self, alerts: list[str]) -> None:
        self.alerts_received, self.alerts = len(alerts), list(alerts)

    def rows(self) -> dict[str, str]:
        return closing_rows(self)


def closing_rows(report: ModerationReport) -> dict[str, str]:
    """The rows of the closing table, in the order of the steps."""
    return {
        "engine": report.engine,
        "stacks deployed": _count(len(report.stacks)),
        "posts uploaded": _count(report.posts_uploaded),
        "release workflow": _states(report),
        "endpoint": f"{report.endpoint_name} {report.endpoint_status}" if report.endpoint_status else "–",
        "posts sent": _count(report.posts_sent),
        "posts flagged": f"{report.posts_flagged}" if report.posts_sent else "–",
        "agreement with labels": _percent(report.agreement_with_labels),
        "latency p50 / p99": _latency(report),
        "reviewed posts": _reviewed(report.review),
        "held-out AUC before → after": _held_out(report.review),
        "first model's mistakes": _mistakes(report.review),
        "second release under load": _under_load(report.second_release),
        "release that the gate refuses": _failed(report.refused_release),
        "release that is put back": _failed(report.put_back_release),
        "rollback by hand": _under_load(report.rollback),
        "tuned target": _tuning(report),
        "desired tasks before → after": _tasks(report),
        "changed and deployed again": _redeploy(report),
        "permissions asked for": report.permissions_words(),
        "destroyed": report.destroyed_words(),
        "alerts received": f"{report.alerts_received}",
        "peak memory": f"{report.peak_memory_mib:.0f} MiB" if report.peak_memory_mib else "–",
        "seconds": f"{report.seconds_in_all:.1f}",
    }


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _states(report: ModerationReport) -> str:
    return f"{report.execution_status}, {len(report.execution_states)} states" if report.execution_status else "–"


def _reviewed(review: ReviewReport | None) -> str:
    if review is None:
        return "–"
    new = "" if review.new_labels is None else f", {review.new_labels} new labels in the second release"
    return f"{review.decisions} decisions by {review.by}{new}"


def _held_out(review: ReviewReport | None) -> str:
    if review is None or review.held_out_auc_before is None or review.held_out_auc_after is None:
        return "–"
    return f"{review.held_out_auc_before:.4f} → {review.held_out_auc_after:.4f}"


def _mistakes(review: ReviewReport | None) -> str:
    if review is None or review.mistakes_before is None or review.mistakes_after is None:
        return "–"
    before, after = review.mistakes_before, review.mistakes_after
    if not before.posts:
        return "none among the reviewed posts"
    return f"{after.right} of {before.posts} right now, mean error {before.mean_error:.2f} → {after.mean_error:.2f}"


def _under_load(run: WorkflowReport | None) -> str:
    if run is None or run.load is None:
        return "–"
    return f"{run.status}, {run.load.requests:,} requests, {run.load.failed} failed, {len(run.load.models)} models"


def _failed(run: WorkflowReport | None) -> str:
    if run is None or run.load is None:
        return "–"
    return f"{run.failed_state}, {run.load.requests:,} requests, {run.load.failed} failed, {len(run.alerts)} alert"


def _latency(report: ModerationReport) -> str:
    if report.latency_p50_ms is None or report.latency_p99_ms is None:
        return "–"
    return f"{report.latency_p50_ms:.1f} / {report.latency_p99_ms:.1f} ms"


def _tuning(report: ModerationReport) -> str:
    return f"{' → '.join(f'{target:g}' for target in report.tuning.targets)} %" if report.tuning else "–"


def _tasks(report: ModerationReport) -> str:
    if report.desired_tasks_before is None:
        return "–"
    after = "?" if report.desired_tasks_after is None else str(report.desired_tasks_after)
    return f"{report.desired_tasks_before} → {after}"


def _redeploy(report: ModerationReport) -> str:
    if not report.changed_settings:
        return "skipped"
    if report.desired_tasks_after_redeploy is None:
        return "–"
    return f"{len(report.changed_resources)} resources, desired tasks {report.desired_tasks_after_redeploy}"
