"""What the user sees during a rehearsal and at its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from cdk_rehearsal.report import Report
from cdk_rehearsal.state_run import StateRun


class Display:
    """A terminal shows a spinner for the running step; any other output gets one line per event."""

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
        self.console.print(f"[green]✓[/] {name:<11} [dim]{self._seconds():>6}[/]  {self._detail}", soft_wrap=True)

    def progress(self, text: str) -> None:
        """Shows the progress of the running step."""
        if self._status is not None:
            self._status.update(f"{self._name} [dim]{escape(text)}[/]")

    def note(self, text: str) -> None:
        """Prints a separate line below the running step."""
        self.console.print(f"  [dim]{escape(text)}[/]", soft_wrap=True)

    def result(self, text: str) -> None:
        """Sets the text of the step's closing line."""
        self._detail = escape(text)

    def state(self, run: StateRun) -> None:
        """Prints a line per state; later iterations of a loop are only counted."""
        if run.seconds is None:
            self.progress(f"{run.name} …")
            return
        if run.name in self._visited and not run.error:
            self._again[run.name] = self._again.get(run.name, 0) + 1
            self._again_seconds += run.seconds
            return
        self._close_loop()
        self._visited.add(run.name)
        # An error in a state is not always a failure: workflows expect and catch some.
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
        table = Table(title="rehearsal passed" if report.passed else f"rehearsal failed at {report.failed_step}")
        table.title_style = "bold green" if report.passed else "bold red"
        table.add_column("what")
        table.add_column("found", justify="right")
        for what, found in report.rows().items():
            table.add_row(what, escape(found))
        self.console.print(table)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._started:.1f} s"
