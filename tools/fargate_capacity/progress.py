"""Progress, shown once the work has taken two seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_PATIENCE_S = 2.0


class PatientProgress:
    """A progress bar on standard error that is not shown for short work."""

    def __init__(self, description: str, *, total: int) -> None:
        columns = (
            TextColumn(description),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(description, total=total, now="")
        self._begun = time.monotonic()
        self._done = 0
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._progress.stop()

    def begin(self, name: str) -> None:
        """Begins the next piece of work; the previous ones are done."""
        if not self._is_shown and time.monotonic() - self._begun > _PATIENCE_S:
            self._progress.start()
            self._is_shown = True
        self._progress.update(self._task, completed=self._done, now=name)
        self._done += 1
