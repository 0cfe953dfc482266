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
"""In the embedded AWS's work folder: the requested faults, and how often each has happened, by identity."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Replaces what a state of an execution does, or happens after the state has done it.

    The first four kinds fail a Task's call with the error name that Step Functions uses for the called service. `abort`
    ends the execution as StopExecution does, `time_out` as a state machine's TimeoutSeconds does; both work at any
    state.

    Args:
        state: the name of the state.
        machine: the suffix of the state machine's name.
        when: `before` the call, or `after` it: the call is made and its response is lost.
        times: the number of attempts that fail; None for every attempt until the fault is withdrawn.
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
