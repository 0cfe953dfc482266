"""Validates requests to ministack's own services as AWS does: ministack accepts most invalid requests."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from botocore.model import Shape

from cdk_rehearsal.plug_in.aws_error import AwsError
from cdk_rehearsal.plug_in.json_service import Answer, check_request, json_answer, service_model
from cdk_rehearsal.plug_in.ministack_adapter import app

_Serve = Callable[..., Awaitable[Answer]]

# The services with the AWS JSON protocol that the project's programs call, by ministack's and botocore's names.
# Requests of other protocols would have to be parsed first.
_SERVICES = {
    "athena": "athena",
    "dynamodb": "dynamodb",
    "secretsmanager": "secretsmanager",
    "sqs": "sqs",
    "ssm": "ssm",
    "states": "stepfunctions",
}


def install() -> None:
    """Call it before other parts of the plug-in replace a service's handler."""
    for name, model in _SERVICES.items():
        app.service_handlers[name] = _checked(app.service_handlers[name], model)


def _checked(serve: _Serve, model: str) -> _Serve:
    async def answer(
        method: str, path: str, headers: dict[str, str], body: bytes | str, query: dict[str, Any]
    ) -> Answer:
        shape = _input_shape(model, headers.get("x-amz-target", "").rpartition(".")[2])
        if shape is not None:
            try:
                check_request(shape, json.loads(body or b"{}"))
            except AwsError as error:
                return json_answer(error.status, {"__type": error.code, "message": error.message})
            except json.JSONDecodeError:
                return json_answer(400, {"__type": "SerializationException", "message": "the body is not JSON"})
        return await serve(method, path, headers, body, query)

    return answer


@functools.cache
def _input_shape(model: str, operation: str) -> Shape | None:
    """None for an operation that botocore lacks; ministack then answers."""
    known = service_model(model)
    return known.operation_model(operation).input_shape if operation in known.operation_names else None
