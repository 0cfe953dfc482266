"""Injected faults: makes states of executions fail, abort or time out as a test requests."""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdk_rehearsal.fault import Fault, When
from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions
from cdk_rehearsal.plug_in.stepfunctions import stop_execution
from cdk_rehearsal.plug_in.stepfunctions.running_task import running_task
from cdk_rehearsal.plug_in.stepfunctions.task_errors import task_error

_ENDINGS = ("abort", "time_out")


class Faults:
    """Reads the requested faults at each state; counts how often each has happened and writes the counts to a file.

    Args:
        orders: the file with the list of requested faults; it need not exist.
        happened: the file with the number of times each has happened, by identity.
    """

    def __init__(self, *, orders: Path, happened: Path, account: str) -> None:
        self._orders = orders
        self._happened = happened
        self._account = account
        self._counts: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def install(self) -> None:
        stepfunctions.add_event = self._at_each_state(stepfunctions.add_event)
        stepfunctions.invoke_resource = self._at_each_attempt(stepfunctions.invoke_resource)

    def _at_each_state(self, add_event: Callable[..., Any]) -> Callable[..., Any]:
        def add(execution: Any, event_type: str, *details: Any) -> None:
            add_event(execution, event_type, *details)
            if event_type.endswith("StateEntered"):
                state = details[0]["stateEnteredEventDetails"]["name"]
                fault = self._take(machine_name(execution), state, when="before", endings=True)
                if fault is not None:
                    _end(execution, fault)

        return add

    def _at_each_attempt(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        def invoke_with_faults(resource: str, request: Any) -> Any:
            task = running_task.get()
            if task is None:
                return invoke(resource, request)
            fault = self._take(task.machine, task.state, when="before", endings=False)
            fault = fault or self._take(task.machine, task.state, when="after")
            if fault is None:
                return invoke(resource, request)
            if fault.when == "after":
                # For a job or a child execution, the response to its start is lost.
                invoke(resource.partition(".sync")[0], request)
            if fault.kind in _ENDINGS:
                _end(task.execution, fault)
                raise stop_execution.ExecutionEndedError
            raise stepfunctions.ExecutionError(*task_error(fault.kind, resource, account=self._account))

        return invoke_with_faults

    def _take(self, machine: str, state: str, *, when: When, endings: bool | None = None) -> Fault | None:
        with self._lock:
            for fault in self._ordered():
                if (
                    fault.state == state
                    and machine.endswith(fault.machine)
                    and fault.when == when
                    and endings in (None, fault.kind in _ENDINGS)
                    and (fault.times is None or self._counts[fault.identity] < fault.times)
                ):
                    self._counts[fault.identity] += 1
                    self._happened.with_suffix(".part").write_text(json.dumps(self._counts))
                    self._happened.with_suffix(".part").replace(self._happened)
                    return fault
        return None

    def _ordered(self) -> list[Fault]:
        if not self._orders.exists():
            return []
        return [Fault(**order) for order in json.loads(self._orders.read_text())]


def machine_name(execution: dict[str, Any]) -> str:
    name: str = execution["stateMachineArn"].rpartition(":")[2]
    return name


def _end(execution: dict[str, Any], fault: Fault) -> None:
    if fault.kind == "abort":
        stop_execution.abort(execution)
    else:
        stop_execution.time_out(execution)
