"""Answers in JSON."""

from __future__ import annotations

import json

from flask import Response


def json_answer(content: dict[str, object], status: int = 200) -> Response:
    """Return an answer with one line of JSON."""
    return Response(json.dumps(content, ensure_ascii=False) + "\n", status=status, mimetype="application/json")


def refusal_for_now(error: str, status: int = 503, *, seconds: int = 1) -> Response:
    """Return an answer that asks the client to try again after `seconds`."""
    response = json_answer({"error": error}, status)
    response.headers["Retry-After"] = str(seconds)
    return response
