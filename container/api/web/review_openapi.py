"""The part of the ML API's OpenAPI document that describes the calls for reviewers."""

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
    "received": {"type": "string", "description": "When the API first received the post, in ISO 8601."},
    "flagged": {"type": "boolean", "description": "false: the post belongs to the sample of unflagged posts."},
    "decisions": {"type": "integer", "minimum": 0, "description": "The number of entries in its history."},
}
_LEASE: Document = {
    "lease": {"type": "string", "description": "The token that a decision needs."},
    "leased_until": {"type": "integer", "description": "Until then no other reviewer gets it; seconds since 1970."},
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
            "decision": {"type": "integer", "minimum": 1, "description": "The decision's number, for undoing it."},
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
_REQUEST_ID: Document = {"description": "The request's id in the log.", "schema": {"type": "string"}}
_KEY: Document = {"name": "post", "in": "path", "required": True, "schema": {"type": "string"}}


def review_paths() -> Document:
    """Return the paths, without those of the page."""
    return {
        "/v1/reviews": {
            "get": {
                "operationId": "waiting",
                "summary": "List posts that wait for a reviewer, the most probable first",
                "parameters": [{"name": "count", "in": "query", "schema": _COUNT}],
                "responses": _responses("The posts that you could take.", "WaitingPosts"),
            }
        },
        "/v1/reviews/take": {
            "post": {
                "operationId": "take",
                "summary": "Take posts, which no other reviewer then gets for a while",
                "requestBody": _body({"count": _COUNT}, [], {"count": 10}),
                "responses": _responses("Your posts, including those that you already had.", "TakenPosts", writes=True),
            }
        },
        "/v1/reviews/{post}/decide": {
            "post": {
                "operationId": "decide",
                "summary": "Decide on a post; a repeated request gets the same answer",
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
                "responses": _responses("The decision is recorded.", "Decided", writes=True, of_a_post=True),
            }
        },
        "/v1/reviews/{post}/undo": {
            "post": {
                "operationId": "undo",
                "summary": "Undo your latest decision, and get the post again",
                "parameters": [_KEY],
                "requestBody": _body({"decision": {"type": "integer"}}, ["decision"], {"decision": 1}),
                "responses": _responses("The post is yours again.", "TakenPost", writes=True, of_a_post=True),
            }
        },
        "/v1/reviews/statistics": {
            "get": {
                "operationId": "statistics",
                "summary": "Count today's decisions and the waiting posts",
                "responses": _responses("The counts of all reviewers, and yours.", "Statistics"),
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
        "401": _response("The load balancer has not authenticated the request.", "Error"),
        "403": _response("You are signed in, but you are not a reviewer.", "Error"),
        "429": _response("Too many unknown keys of load balancers are being looked up: try again.", "Error"),
        "503": _response("The table or the load balancer's key cannot be reached: try again.", "Error"),
    }
    if writes:
        responses["403"] = _response("You are not a reviewer, or the request is not from the service's page.", "Error")
        responses["413"] = _response("The body is too large.", "Error")
        responses["415"] = _response("The content type is not application/json.", "Error")
    if of_a_post:
        responses["404"] = _response("There is no such post.", "Error")
        responses["429"] = _response("You decide too fast, or too many unknown keys are looked up: wait.", "Error")
        responses["409"] = _response("Another reviewer was faster, or your lease has expired.", "Error")
    return dict(sorted(responses.items()))


def _response(description: str, schema: str) -> Document:
    return {
        "description": description,
        "headers": {"X-Request-Id": _REQUEST_ID},
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }
