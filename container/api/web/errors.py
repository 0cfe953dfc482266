"""The API's answer to a request that fails: one line of JSON for every kind of error."""

from __future__ import annotations

from flask import Flask, Response
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from web.answers import json_answer
from web.moderation_request import LARGEST_BODY_BYTES


def answer_errors(app: Flask) -> None:
    """Make `app` answer every error with one line of JSON."""

    @app.errorhandler(HTTPException)
    def refuse(fault: HTTPException) -> Response:
        response = json_answer({"error": _error_line(fault)}, fault.code or 500)
        if isinstance(fault, MethodNotAllowed) and fault.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(fault.valid_methods))
        return response


def _error_line(fault: HTTPException) -> str:
    if isinstance(fault, NotFound):
        return "there is nothing here: send posts to /v1/moderations"
    if isinstance(fault, MethodNotAllowed):
        return f"the method is not allowed here: use {' or '.join(sorted(fault.valid_methods or ()))}"
    if isinstance(fault, RequestEntityTooLarge) and fault.description == RequestEntityTooLarge.description:
        return f"the body is too large: at most {LARGEST_BODY_BYTES} bytes are allowed"
    if isinstance(fault, InternalServerError):
        return "the API failed: its log has the reason"
    return " ".join((fault.description or fault.name).split())
