"""The name of a Python function's error: ministack reports `Runtime.HandlerError` for any exception.

Lambda reports the exception's class, and Step Functions catches it by that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import lambda_

_UNNAMED = "Runtime.HandlerError"


def install() -> None:
    lambda_.execute_function = _naming_errors(lambda_.execute_function)


def _naming_errors(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_function(*given: Any, **named: Any) -> Any:
        result = execute(*given, **named)
        body = result.get("body") if isinstance(result, dict) and result.get("error") else None
        if isinstance(body, dict) and body.get("errorType") == _UNNAMED:
            body["errorType"] = _class_in(result.get("log") or "", body.get("errorMessage") or "") or _UNNAMED
        return result

    return execute_function


def _class_in(traceback: str, message: str) -> str | None:
    """The class that the last line of a traceback names: `module.Class: message`, or the class alone."""
    first = message.split("\n", 1)[0]
    ending = f": {re.escape(first)}" if first else ":?"
    found = re.findall(rf"^(?:[\w<>]+\.)*(\w+){ending}\s*$", traceback, re.MULTILINE)
    return str(found[-1]) if found else None
