"""Starts a workflow and follows its states."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.state_run import StateRun
from cdk_rehearsal.step_failure import StepError

_POLL_SECONDS = 0.2
_PAGE = 50
_WAYS_OUT = ("Roll-Back", "NotifySlackFailure")


class WorkflowExecution:
    """`states` grows during the execution; `follow` returns at its end.

    Args:
        purpose: the prefix of its name; the rest is the time.
    """

    def __init__(self, client: Any, workflow_arn: str, *, purpose: str = "rehearsal") -> None:
        self._client = client
        self.name = f"{purpose}-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}"
        answer = client.start_execution(stateMachineArn=workflow_arn, name=self.name, input="{}")
        self.arn: str = answer["executionArn"]
        self.status = "RUNNING"
        self.states: list[StateRun] = []
        self._entered: datetime.datetime | None = None
        self._seen = 0
        self._failures: list[tuple[str, str, str]] = []

    @property
    def failed_state(self) -> str | None:
        """The state from which the workflow went to its failure path; None if it did not."""
        names = [state.name for state in self.states]
        left = min((names.index(way) for way in _WAYS_OUT if way in names), default=0)
        return names[left - 1] if left else None

    def follow(
        self, *, timeout_seconds: float, alive: Callable[[], bool], on_state: Callable[[StateRun], None]
    ) -> None:
        """Calls `on_state` when a state begins and when it ends. Raises StepError if it does not end."""
        deadline = time.monotonic() + timeout_seconds
        while self.status == "RUNNING":
            if not alive():
                raise StepError("the embedded AWS ended during the execution")
            if time.monotonic() > deadline:
                state = self.states[-1].name if self.states else "(none)"
                raise StepError(f"the execution has not ended after {timeout_seconds:g} s; it is in state {state}")
            time.sleep(_POLL_SECONDS)
            self.status = self._client.describe_execution(executionArn=self.arn)["status"]
            self._read_history(on_state)

    def require_success(self) -> None:
        """Raises StepError unless the execution has succeeded."""
        if self.status != "SUCCEEDED":
            raise StepError(self.why())

    def why(self) -> str:
        """The reason of the first failure; later ones are the workflow's error paths."""
        described = self._client.describe_execution(executionArn=self.arn)
        said = f"the execution ended {self.status}: {described.get('error', '')} {described.get('cause', '')}".rstrip()
        telling = [failure for failure in self._failures if failure[0] not in _WAYS_OUT]
        if not telling or self.failed_state not in (None, telling[-1][0]):
            return said
        state, error, cause = telling[-1]
        return f"state {state} failed: {error}: {_reason(cause)}"

    def _read_history(self, on_state: Callable[[StateRun], None]) -> None:
        for event in self._new_events():
            self._take(event, on_state)
            self._seen = event["id"]

    def _new_events(self) -> list[dict[str, Any]]:
        """The new events, in order. Reads from the end, because a history is long and polled often."""
        new: list[dict[str, Any]] = []
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self.arn, reverseOrder=True, maxResults=_PAGE
        )
        for page in pages:
            new += [event for event in page["events"] if event["id"] > self._seen]
            if page["events"] and page["events"][-1]["id"] <= self._seen:
                break
        return new[::-1]

    def _take(self, event: dict[str, Any], on_state: Callable[[StateRun], None]) -> None:
        if event["type"].endswith("StateEntered"):
            self._end_state(event["timestamp"], on_state)
            self._entered = event["timestamp"]
            self.states.append(StateRun(name=event["stateEnteredEventDetails"]["name"]))
            on_state(self.states[-1])
        elif event["type"].endswith(("StateExited", "ExecutionFailed", "ExecutionAborted", "ExecutionSucceeded")):
            self._end_state(event["timestamp"], on_state)
        elif event["type"] == "TaskFailed" and self.states:
            details = event["taskFailedEventDetails"]
            self.states[-1].error = details.get("error", "")
            self._failures.append((self.states[-1].name, details.get("error", ""), details.get("cause", "")))

    def _end_state(self, when: datetime.datetime, on_state: Callable[[StateRun], None]) -> None:
        if self._entered is not None:
            self.states[-1].seconds = round((when - self._entered).total_seconds(), 2)
            self._entered = None
            on_state(self.states[-1])


def _reason(cause: str) -> str:
    """The job's FailureReason or the function's message, if the cause is a whole description."""
    try:
        described = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(described, dict):
        return cause
    return str(described.get("FailureReason") or described.get("errorMessage") or cause)
