"""The task that a Step Functions execution is running; ministack does not pass it to its integrations."""

from __future__ import annotations

import contextvars
import dataclasses
import threading
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunningTask:
    """`execution` is ministack's record of the execution; `timed_out` is set once the task has timed out."""

    execution: dict[str, Any]
    machine: str
    state: str
    timed_out: threading.Event

    @property
    def ended(self) -> bool:
        """Whether the execution is over: aborted or timed out while the task ran."""
        return bool(self.execution["status"] != "RUNNING")

    @property
    def given_up(self) -> bool:
        return self.ended or self.timed_out.is_set()


running_task: contextvars.ContextVar[RunningTask | None] = contextvars.ContextVar("running_task", default=None)
