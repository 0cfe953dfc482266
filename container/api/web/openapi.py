"""The ML API's description for programs: an OpenAPI 3.1 document."""

from __future__ import annotations

from bounded_text import LONGEST_TEXT

from api_settings import FallbackPolicy
from endpoint.circuit_breaker import BreakerState
from endpoint.client import Reason
from web.moderation_request import LARGEST_BODY_BYTES, MOST_TEXTS
from web.review_openapi import REVIEW_SCHEMAS, review_paths

Document = dict[str, object]

_TEXT: Document = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_TEXT,
    "pattern": r"\S",
    "description": "A post: Unicode text that is more than white space, without halves of surrogate pairs.",
}
_SCHEMAS: Document = {
    "Text": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": _TEXT},
        "not": {"required": ["texts"]},
    },
    "Texts": {
        "type": "object",
        "required": ["texts"],
        "properties": {"texts": {"type": "array", "minItems": 1, "maxItems": MOST_TEXTS, "items": _TEXT}},
        "not": {"required": ["text"]},
    },
    "Moderation": {
        "type": "object",
        "required": ["flag", "probability", "model"],
        "additionalProperties": False,
        "properties": {
            "flag": {"type": "integer", "enum": [0, 1], "description": "1: the post needs review."},
            "probability": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 1,
                "description": "The probability of a violation; null if the endpoint gave none in time.",
            },
            "model": {"type": ["string", "null"], "description": "The model that predicted it, if known."},
            "fallback": {
                "type": "string",
                "enum": [reason.value for reason in Reason],
                "description": "Only without a probability: the reason for that. The flag then follows the policy.",
            },
        },
    },
    "Moderations": {
        "type": "object",
        "required": ["moderations"],
        "additionalProperties": False,
        "properties": {
            "moderations": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_TEXTS,
                "items": {"$ref": "#/components/schemas/Moderation"},
                "description": "In the order of the texts.",
            }
        },
    },
    "Health": {
        "type": "object",
        "required": ["status", "breaker"],
        "additionalProperties": False,
        "properties": {
            "status": {"type": "string", "enum": ["up"]},
            "breaker": {
                "type": "string",
                "enum": [state.value for state in BreakerState],
                "description": "The state of the circuit breaker in the process that answers.",
            },
        },
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {"error": {"type": "string", "minLength": 1, "description": "One line: what is wrong."}},
    },
}
_REQUEST_ID: Document = {
    "description": "The request's id in the log: yours, the load balancer's, or a new one.",
    "schema": {"type": "string"},
}


def openapi_document(*, reviews: bool) -> Document:
    """Return the document of `GET /openapi.json`; `reviews`: the document for reviewers, with their calls."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moderation",
            "version": "1",
            "description": "Decides which posts need review. The service answers every request within its deadline.",
        },
        "paths": {
            "/v1/moderations": {
                "post": {
                    "operationId": "moderate",
                    "summary": "Moderate a post, or several",
                    "parameters": [
                        {
                            "name": "X-Request-Id",
                            "in": "header",
                            "description": "Your own id of the request, for the log: 1 to 128 letters, digits and "
                            "=:;._- or the service replaces it.",
                            "schema": {"type": "string"},
                        }
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {"oneOf": [_reference("Text"), _reference("Texts")]},
                                "examples": {
                                    "text": {"value": {"text": "夜泣きがつらいです。"}},
                                    "texts": {
                                        "value": {"texts": ["夜泣きがつらいです。", "副業に興味のある方は連絡を"]}
                                    },
                                },
                            }
                        },
                    },
                    "responses": {
                        "200": _response("The flag, or one flag per text.", "Moderation", "Moderations"),
                        "400": _response("The body is not as described.", "Error"),
                        "408": _response("The request did not arrive in time: its connection is closed.", "Error"),
                        "413": _response(f"The body has more than {LARGEST_BODY_BYTES} bytes.", "Error"),
                        "415": _response("The content type is not application/json.", "Error"),
                        "503": {
                            **_response(
                                "The endpoint gave no probability, and the service's policy is "
                                f"`{FallbackPolicy.ERROR}` or the post cannot be kept for later: send it again.",
                                "Error",
                            ),
                            "headers": {
                                "X-Request-Id": _REQUEST_ID,
                                "Retry-After": {"description": "Seconds.", "schema": {"type": "string"}},
                            },
                        },
                    },
                }
            },
            "/health": {
                "get": {
                    "operationId": "health",
                    "summary": "Check whether the service is up",
                    "responses": {"200": _response("The service is up, whatever the endpoint does.", "Health")},
                }
            },
            **(review_paths() if reviews else {}),
        },
        "components": {"schemas": {**_SCHEMAS, **(REVIEW_SCHEMAS if reviews else {})}},
    }


def _reference(schema: str) -> Document:
    return {"$ref": f"#/components/schemas/{schema}"}


def _response(description: str, *schemas: str) -> Document:
    references = [_reference(schema) for schema in schemas]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    return {
        "description": description,
        "headers": {"X-Request-Id": _REQUEST_ID},
        "content": {"application/json": {"schema": schema}},
    }
