"""A service with the AWS JSON protocol, in the form that ministack calls."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape

from cdk_rehearsal.plug_in.aws_error import AwsError, validation_error
from cdk_rehearsal.plug_in.ministack_adapter import concurrency
from cdk_rehearsal.request_validation import UnreadableRequestError, request_faults

Operation = Callable[[dict[str, Any]], dict[str, Any]]
Answer = tuple[int, dict[str, str], bytes]


@functools.cache
def service_model(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


class JsonService:
    """Checks each request against the service's model, runs its operation outside the event loop, and serializes the
    response.
    """

    def __init__(self, model_name: str, operations: Mapping[str, Operation]) -> None:
        self.model_name = model_name
        self._operations = operations

    def call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        """Raises AwsError."""
        operation = self._operations.get(action)
        if operation is None:
            raise AwsError("UnknownOperationException", f"the embedded AWS has no {self.model_name}:{action} operation")
        shape = service_model(self.model_name).operation_model(action).input_shape
        if shape is not None:
            check_request(shape, request)
        return operation(request)

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes | str, query: dict[str, Any]
    ) -> Answer:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        try:
            request = json.loads(body or b"{}")
            answer: dict[str, Any] = await concurrency.run_reentrant(self.call, action, request)
        except AwsError as error:
            return json_answer(error.status, {"__type": error.code, "message": error.message})
        except json.JSONDecodeError:
            return json_answer(400, {"__type": "SerializationException", "message": "the body is not JSON"})
        return json_answer(200, answer)


def check_request(shape: Shape, request: dict[str, Any]) -> None:
    """Raises the error with which AWS answers an invalid request."""
    try:
        faults = request_faults(shape, request)
    except UnreadableRequestError as error:
        raise AwsError("SerializationException", str(error)) from None
    if faults:
        errors = "error" if len(faults) == 1 else "errors"
        raise validation_error(f"{len(faults)} validation {errors} detected: {'; '.join(faults)}")


def json_answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}, json.dumps(body).encode()
