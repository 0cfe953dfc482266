"""An execution that is stopped from outside stays stopped: nothing is retried, caught or recorded afterwards.

In ministack an aborted execution's task continues with Retry and Catch and may later be recorded as failed. ministack
also lacks the state machine's TimeoutSeconds.
"""

from __future__ import annotations

import contextvars
import dataclasses
import json
import threading
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions
from cdk_rehearsal.plug_in.stepfunctions.running_task import running_task


class ExecutionEndedError(SystemExit):
    """Ends the execution's thread.

    It is a SystemExit: only this passes ministack's handlers and prints no traceback.
    """


def install() -> None:
    stepfunctions.add_event = _until_the_end(stepfunctions.add_event)
    stepfunctions.fail_execution = _unless_ended(stepfunctions.fail_execution)
    stepfunctions.run_execution = _within_its_time(stepfunctions.run_execution)
    stepfunctions.invoke_resource = _while_running(stepfunctions.invoke_resource)
    stepfunctions.invoke_resource_with_timeout = _telling_of_timeouts(stepfunctions.invoke_resource_with_timeout)


def abort(execution: dict[str, Any], *, error: str = "", cause: str = "") -> None:
    """Aborts as StopExecution does; does nothing to an execution that has ended."""
    stepfunctions.stop_execution({"executionArn": execution["executionArn"], "error": error, "cause": cause})


def time_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=stepfunctions.now_iso(), error="States.Timeout")
    stepfunctions.add_event(
        execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    )
    stepfunctions.emit_execution_status_event(execution)


def _until_the_end(add_event: Callable[..., Any]) -> Callable[..., Any]:
    def add(execution: Any, event_type: str, *details: Any) -> Any:
        if execution["status"] == "RUNNING" or event_type.startswith("Execution"):
            return add_event(execution, event_type, *details)
        return None

    return add


def _unless_ended(fail_execution: Callable[..., Any]) -> Callable[..., Any]:
    def fail(execution: Any, error: Any, cause: Any) -> None:
        if execution["status"] == "RUNNING":
            fail_execution(execution, error, cause)

    return fail


def _within_its_time(run_execution: Callable[[str], Any]) -> Callable[[str], Any]:
    def run(execution_arn: str) -> None:
        execution = stepfunctions.executions[execution_arn]
        machine = stepfunctions.state_machines.get(execution["stateMachineArn"])
        seconds = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
        if seconds is None:
            run_execution(execution_arn)
            return
        # A timer's thread lacks the account and region that the look-up of the execution needs.
        timer = threading.Timer(float(seconds), contextvars.copy_context().run, (time_out, execution))
        timer.daemon = True
        timer.start()
        try:
            run_execution(execution_arn)
        finally:
            timer.cancel()

    return run


def _while_running(invoke: Callable[..., Any]) -> Callable[..., Any]:
    def invoke_while_running(resource: str, request: Any) -> Any:
        task = running_task.get()
        if task is not None and task.ended:
            raise ExecutionEndedError
        try:
            return invoke(resource, request)
        except stepfunctions.ExecutionError:
            if task is None or not task.ended:
                raise
        raise ExecutionEndedError

    return invoke_while_running


def _telling_of_timeouts(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a timed-out task, which ministack lets run on: the integration must stop its job or child, as AWS does."""

    def invoke_with_timeout(resource: str, request: Any, timeout: Any) -> Any:
        task = running_task.get()
        if task is None:
            return invoke(resource, request, timeout)
        attempt = dataclasses.replace(task, timed_out=threading.Event())
        token = running_task.set(attempt)
        try:
            return invoke(resource, request, timeout)
        finally:
            attempt.timed_out.set()
            running_task.reset(token)

    return invoke_with_timeout
