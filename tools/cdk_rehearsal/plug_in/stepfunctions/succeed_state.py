"""A Succeed state's `Output`, which ministack ignores: the execution would end with the state's input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions


def install() -> None:
    stepfunctions.apply_output_path = _with_output(stepfunctions.apply_output_path)


def _with_output(apply_output_path: Callable[..., Any]) -> Callable[..., Any]:
    def apply(state: dict[str, Any], given: Any, context: Any = None) -> Any:
        if state.get("Type") == "Succeed" and "Output" in state:
            return stepfunctions.apply_jsonata_output(state, given, context)
        return apply_output_path(state, given, context)

    return apply
