"""Step Functions' integration with itself: `startExecution.sync` and `.sync:2`.

ministack runs the child as a synchronous express execution: it has no status events, its error becomes the task's
error, and it continues when its parent is stopped.
"""

from __future__ import annotations

import json
import time
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions
from cdk_rehearsal.plug_in.stepfunctions import stop_execution
from cdk_rehearsal.plug_in.stepfunctions.running_task import running_task

_POLL_SECONDS = 0.05


def install() -> None:
    stepfunctions.invoke_nested_start_execution = _with_the_integrations_names(
        stepfunctions.invoke_nested_start_execution
    )
    stepfunctions.invoke_nested_start_execution_sync = _run


def _with_the_integrations_names(start: Any) -> Any:
    def start_execution(resource: str, request: dict[str, Any]) -> Any:
        try:
            return start(resource, request)
        except stepfunctions.ExecutionError as error:
            name = error.error if "." in error.error else f"StepFunctions.{error.error}Exception"
            raise stepfunctions.ExecutionError(name, error.cause) from error

    return start_execution


def _run(resource: str, request: dict[str, Any]) -> dict[str, Any]:
    started = stepfunctions.invoke_nested_start_execution(resource, request)
    child = stepfunctions.executions[started["ExecutionArn"]]
    task = running_task.get()
    while child["status"] == "RUNNING":
        if task is not None and task.given_up:
            stop_execution.abort(child, cause=f"The parent execution {task.execution['executionArn']} was stopped")
        time.sleep(_POLL_SECONDS)
    described = _described(child, parsed=resource.endswith(".sync:2"))
    if child["status"] != "SUCCEEDED":
        raise stepfunctions.ExecutionError("States.TaskFailed", json.dumps(described))
    return described


def _described(child: dict[str, Any], *, parsed: bool) -> dict[str, Any]:
    """DescribeExecution's response as the integration returns it; `.sync:2` parses input and output."""

    def document(text: str) -> Any:
        return json.loads(text) if parsed else text

    described = {
        "ExecutionArn": child["executionArn"],
        "Input": document(child["input"]),
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": stepfunctions.epoch_milliseconds(child["startDate"]),
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": stepfunctions.epoch_milliseconds(child["stopDate"]),
    }
    if child["status"] == "SUCCEEDED":
        return {**described, "Output": document(child["output"]), "OutputDetails": {"Included": True}}
    return {**described, "Error": child.get("error") or "", "Cause": child.get("cause") or ""}
