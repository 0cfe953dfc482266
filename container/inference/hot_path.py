"""Answers usual requests without Flask, which takes a considerable part of the response time with a small model.

Usual requests are those of the published contract: `POST /invocations` with JSON, answered with JSON. All others,
including invalid ones, go to Flask, so that only one place reports errors.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from invocation_body import InvalidInvocationError, Invocation

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
Answer = Callable[[Environ, Invocation], "Answered | None"]

FAILED = "inference.failed"
"""The key in the WSGI environment for Flask: the exception that ended a prediction."""

_ACCEPTED = ("*/*", "application/json")


class Answered:
    """Predictions as strings, and the headers of their answer."""

    __slots__ = ("headers", "predictions")

    def __init__(self, predictions: list[str], headers: list[tuple[str, str]]) -> None:
        self.predictions = predictions
        self.headers = headers


class HotPath:
    """A WSGI application in front of Flask's; `answer` returns None if Flask has to answer."""

    def __init__(self, application: Application, answer: Answer, *, largest_body: int) -> None:
        self._application = application
        self._answer = answer
        self._largest_body = largest_body

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not self._is_usual(environ):
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)  # Flask can read the body again
        try:
            given = Invocation.parse(body)
        except InvalidInvocationError:
            return self._application(environ, start_response)
        try:
            answered = self._answer(environ, given)
        except Exception as error:  # Flask converts each error into an answer, and logs unexpected ones
            environ[FAILED] = error
            answered = None
        if answered is None:
            return self._application(environ, start_response)
        predictions = answered.predictions[0] if given.single else answered.predictions
        content = b'{"predictions":%s}\n' % json.dumps(predictions, separators=(",", ":")).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *answered.headers]
        start_response("200 OK", headers)
        return [content]

    def _is_usual(self, environ: Mapping[str, Any]) -> bool:
        length = environ.get("CONTENT_LENGTH") or ""
        return (
            environ["PATH_INFO"] == "/invocations"
            and environ["REQUEST_METHOD"] == "POST"
            and environ.get("CONTENT_TYPE") == "application/json"
            and environ.get("HTTP_ACCEPT", "*/*") in _ACCEPTED
            and "HTTP_TRANSFER_ENCODING" not in environ
            and length.isascii()
            and length.isdigit()
            and len(length) < 10
            and int(length) <= self._largest_body
        )
