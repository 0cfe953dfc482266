"""What the user sees while a rehearsal goes on and when it has ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from moderation_rehearsal.report import Report, ReviewReport, StateRun, WorkflowReport


class Display:
    """On a terminal the running step spins; elsewhere each thing is one line."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._status: Status | None = None
        self._name = ""
        self._detail = ""
        self._started = 0.0
        self._visited: set[str] = set()
        self._again: dict[str, int] = {}
        self._again_seconds = 0.0

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._name, self._detail, self._started = name, "", time.monotonic()
        self._visited.clear()
        if not self.console.is_terminal:
            self.console.print(f"[cyan]…[/] {name}")
        with self.console.status(name) as self._status:
            try:
                yield
                self._close_loop()
            except BaseException:
                self.console.print(f"[red]✗[/] {name} [dim]{self._seconds()}[/]")
                raise
        self.console.print(f"[green]✓[/] {name:<10} [dim]{self._seconds():>7}[/]  {self._detail}", soft_wrap=True)

    def progress(self, text: str) -> None:
        """What the running step is at."""
        if self._status is not None:
            self._status.update(f"{self._name} [dim]{escape(text)}[/]")

    def note(self, text: str) -> None:
        """A line of its own below the running step."""
        self.console.print(f"  [dim]{escape(text)}[/]", soft_wrap=True)

    def result(self, text: str) -> None:
        """What the step's closing line says."""
        self._detail = escape(text)

    def state(self, run: StateRun) -> None:
        """A line for each state, but for a loop's later rounds, which are counted."""
        if run.seconds is None:
            self.progress(f"{run.name} …")
            return
        if run.name in self._visited and not run.error:
            self._again[run.name] = self._again.get(run.name, 0) + 1
            self._again_seconds += run.seconds
            return
        self._close_loop()
        self._visited.add(run.name)
        # Whether an error is a failure is the workflow's to say: some are caught and expected.
        error = f"  [yellow]{escape(run.error)}[/]" if run.error else ""
        self.console.print(f"  · {run.name:<26} [dim]{run.seconds:6.2f} s[/]{error}")

    def _close_loop(self) -> None:
        if self._again:
            names = ", ".join(self._again)
            rounds = max(self._again.values())
            times = "once" if rounds == 1 else f"{rounds} times"
            self.console.print(f"    [dim]{names} {times} more: {self._again_seconds:.2f} s[/]")
        self._again, self._again_seconds = {}, 0.0

    def failure(self, text: str) -> None:
        self.console.print(f"[bold red]{escape(text)}[/]", highlight=False, soft_wrap=True)

    def table(self, report: Report) -> None:
        self.console.print(_closing_table(report))

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._started:.1f} s"


def _closing_table(report: Report) -> Table:
    table = Table(title="rehearsal passed" if report.passed else f"rehearsal failed at {report.failed_step}")
    table.title_style = "bold green" if report.passed else "bold red"
    table.add_column("what")
    table.add_column("found", justify="right")
    rows = {
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
        "permissions asked for": f"{report.judged_permissions} in {report.judged_calls:,} calls, "
        f"{len(report.denied_permissions)} denied",
        "destroyed": _destroyed(report),
        "alerts received": f"{report.alerts_received}",
        "peak memory": f"{report.peak_memory_mib:.0f} MiB" if report.peak_memory_mib else "–",
        "seconds": f"{report.seconds_in_all:.1f}",
    }
    for what, found in rows.items():
        table.add_row(what, escape(found))
    return table


def _destroyed(report: Report) -> str:
    if not report.destroyed_stacks:
        return "–"
    left = report.left_behind
    unexplained = sum(resource.why is None for resource in left)
    what = "nothing is left" if not left else f"{len(left)} left, {unexplained} of them unexplained"
    return f"{len(report.destroyed_stacks)} stacks, {what}"


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _states(report: Report) -> str:
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


def _latency(report: Report) -> str:
    if report.latency_p50_ms is None or report.latency_p99_ms is None:
        return "–"
    return f"{report.latency_p50_ms:.1f} / {report.latency_p99_ms:.1f} ms"


def _tuning(report: Report) -> str:
    return f"{' → '.join(f'{target:g}' for target in report.tuning.targets)} %" if report.tuning else "–"


def _tasks(report: Report) -> str:
    if report.desired_tasks_before is None:
        return "–"
    after = "?" if report.desired_tasks_after is None else str(report.desired_tasks_after)
    return f"{report.desired_tasks_before} → {after}"


def _redeploy(report: Report) -> str:
    if not report.changed_settings:
        return "skipped"
    if report.desired_tasks_after_redeploy is None:
        return "–"
    return f"{len(report.changed_resources)} resources, desired tasks {report.desired_tasks_after_redeploy}"
