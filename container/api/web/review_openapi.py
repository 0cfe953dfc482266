"""The part of the ML API's description that is for reviewers' programs."""

from __future__ import annotations

from reviews.entry import Verdict
from reviews.queue import MOST_TAKEN
from web.review_api import LONGEST_REASON

Document = dict[str, object]

_COUNTS: Document = {
    "type": "object",
    "required": [*(verdict.value for verdict in Verdict), "undone"],
    "additionalProperties": False,
    "properties": {name: {"type": "integer"} for name in [*(verdict.value for verdict in Verdict), "undone"]},
}
_POST: Document = {
    "post": {"type": "string", "description": "The post's key."},
    "text": {"type": "string"},
    "probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "model": {"type": ["string", "null"]},
    "received": {"type": "string", "description": "When it was sent first, in ISO 8601."},
    "flagged": {"type": "boolean", "description": "false: one of the sample of those that were not flagged."},
    "decisions": {"type": "integer", "minimum": 0, "description": "How many entries its history has."},
}
_LEASE: Document = {
    "lease": {"type": "string", "description": "What a decision needs."},
    "leased_until": {"type": "integer", "description": "Until then nobody else gets the post; seconds since 1970."},
}
REVIEW_SCHEMAS: Document = {
    "WaitingPost": {"type": "object", "required": list(_POST), "additionalProperties": False, "properties": _POST},
    "TakenPost": {
        "type": "object",
        "required": [*_POST, *_LEASE],
        "additionalProperties": False,
        "properties": {**_POST, **_LEASE},
    },
    "WaitingPosts": {
        "type": "object",
        "required": ["posts"],
        "additionalProperties": False,
        "properties": {"posts": {"type": "array", "items": {"$ref": "#/components/schemas/WaitingPost"}}},
    },
    "TakenPosts": {
        "type": "object",
        "required": ["posts"],
        "additionalProperties": False,
        "properties": {"posts": {"type": "array", "items": {"$ref": "#/components/schemas/TakenPost"}}},
    },
    "Decided": {
        "type": "object",
        "required": ["post", "verdict", "decision"],
        "additionalProperties": False,
        "properties": {
            "post": {"type": "string"},
            "verdict": {"type": "string", "enum": [verdict.value for verdict in Verdict]},
            "decision": {"type": "integer", "minimum": 1, "description": "Its number, for undoing it."},
        },
    },
    "Statistics": {
        "type": "object",
        "required": ["date", "reviewer", "everybody", "mine", "waiting", "waiting_more"],
        "additionalProperties": False,
        "properties": {
            "date": {"type": "string", "description": "A day of UTC."},
            "reviewer": {"type": "string"},
            "everybody": _COUNTS,
            "mine": _COUNTS,
            "waiting": {"type": "integer", "minimum": 0},
            "waiting_more": {"type": "boolean", "description": "true: there are more; counting stopped."},
        },
    },
}
_COUNT: Document = {"type": "integer", "minimum": 1, "maximum": MOST_TAKEN}
_REQUEST_ID: Document = {"description": "The request's id as the log has it.", "schema": {"type": "string"}}
_KEY: Document = {"name": "post", "in": "path", "required": True, "schema": {"type": "string"}}


def review_paths() -> Document:
    """Return the paths, without the page's own."""
    return {
        "/v1/reviews": {
            "get": {
                "operationId": "waiting",
                "summary": "The posts that wait for a reviewer, the most probable first",
                "parameters": [{"name": "count", "in": "query", "schema": _COUNT}],
                "responses": _responses("What you could take.", "WaitingPosts"),
            }
        },
        "/v1/reviews/take": {
            "post": {
                "operationId": "take",
                "summary": "Take posts, which nobody else then gets for a while",
                "requestBody": _body({"count": _COUNT}, [], {"count": 10}),
                "responses": _responses("Yours, those that you had already too.", "TakenPosts", writes=True),
            }
        },
        "/v1/reviews/{post}/decide": {
            "post": {
                "operationId": "decide",
                "summary": "Say what a post is; sent again, it is answered the same",
                "parameters": [_KEY],
                "requestBody": _body(
                    {
                        "lease": {"type": "string", "minLength": 1},
                        "verdict": {"type": "string", "enum": [verdict.value for verdict in Verdict]},
                        "reason": {"type": "string", "maxLength": LONGEST_REASON},
                    },
                    ["lease", "verdict"],
                    {"lease": "5f3a9c0e1d2b4a68", "verdict": "violation", "reason": "勧誘"},
                ),
                "responses": _responses("It is recorded.", "Decided", writes=True, of_a_post=True),
            }
        },
        "/v1/reviews/{post}/undo": {
            "post": {
                "operationId": "undo",
                "summary": "Take your latest decision back, and have the post again",
                "parameters": [_KEY],
                "requestBody": _body({"decision": {"type": "integer"}}, ["decision"], {"decision": 1}),
                "responses": _responses("The post is yours again.", "TakenPost", writes=True, of_a_post=True),
            }
        },
        "/v1/reviews/statistics": {
            "get": {
                "operationId": "statistics",
                "summary": "What was decided today, and how much waits",
                "responses": _responses("Of everybody, and of you.", "Statistics"),
            }
        },
    }


def _body(properties: Document, required: list[str], example: Document) -> Document:
    schema = {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema, "examples": {"example": {"value": example}}}},
    }


def _responses(description: str, schema: str, *, writes: bool = False, of_a_post: bool = False) -> Document:
    responses: Document = {
        "200": _response(description, schema),
        "400": _response("The request is not as described.", "Error"),
        "401": _response("The load balancer has authenticated nobody.", "Error"),
        "403": _response("You are signed in and no reviewer.", "Error"),
        "429": _response("Too many unknown keys of load balancers are being looked up: try again.", "Error"),
        "503": _response("The table, or the load balancer's key, is out of reach: try again.", "Error"),
    }
    if writes:
        responses["403"] = _response("You are no reviewer, or it does not come from the service's own page.", "Error")
        responses["413"] = _response("The body is too large.", "Error")
        responses["415"] = _response("The content type is not application/json.", "Error")
    if of_a_post:
        responses["404"] = _response("There is no such post.", "Error")
        responses["429"] = _response("You decide too fast, or too many unknown keys are looked up: wait.", "Error")
        responses["409"] = _response("Another reviewer was faster, or your time ran out.", "Error")
    return dict(sorted(responses.items()))


def _response(description: str, schema: str) -> Document:
    return {
        "description": description,
        "headers": {"X-Request-Id": _REQUEST_ID},
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }
