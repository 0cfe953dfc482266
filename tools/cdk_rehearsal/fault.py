"""A fault that a test injects into the embedded AWS."""

from __future__ import annotations

import dataclasses
import typing
import uuid
from typing import Literal

Kind = Literal["throttling", "access_denied", "service_error", "function_timeout", "abort", "time_out"]
When = Literal["before", "after"]

FAULTS_FILE = "faults.json"
HAPPENED_FILE = "faults-happened.json"
"""In the embedded AWS's work folder: which faults it shall have, and how often each has happened, by its identity."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a state of an execution, in place of what it would do or after it has been done.

    The first four kinds fail a Task's call as Step Functions has it for the service that is called. `abort` ends the
    execution as StopExecution does and `time_out` as a state machine's TimeoutSeconds does, at any state.

    Args:
        state: the name of the state.
        machine: how the state machine's name ends.
        when: `before` the call is made, or `after`: the call is made and its answer is lost.
        times: how many attempts it happens to; None for every one, until faults are cleared.
    """

    state: str
    kind: Kind
    machine: str = "-release"
    when: When = "before"
    times: int | None = 1
    identity: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("kind", self.kind, typing.get_args(Kind)),
            ("when", self.when, typing.get_args(When)),
        ):
            if value not in allowed:
                raise ValueError(f'{name} is "{value}"; give one of {", ".join(allowed)}')
        if self.times is not None and self.times < 1:
            raise ValueError(f"times is {self.times}; give 1 or more, or None for every time")
