"""Reads and checks the body of a moderation request."""

from __future__ import annotations

import json
from typing import Final

from bounded_text import LONGEST_TEXT, counted
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.wrappers import Request

from web.request_body import body_of

MOST_TEXTS: Final = 32
"""The most posts per request: an endpoint with two cores scores this many within the default deadline."""
LARGEST_BODY_BYTES: Final = 1 << 20


def asked_of(request: Request) -> str | list[str]:
    """Return the request's text or texts, or raise an HTTPException whose message says what is wrong."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the content type must be application/json")
    content = body_of(request, largest=LARGEST_BODY_BYTES)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise BadRequest('the body is not JSON: send {"text": "…"}') from fault
    if not isinstance(body, dict) or not ("text" in body or "texts" in body):
        raise BadRequest('the body has no text: send {"text": "…"} or {"texts": ["…", …]}')
    if "texts" not in body:
        return _text(body["text"], "text")
    if "text" in body:
        raise BadRequest("the body has text and texts: send one of them")
    texts = body["texts"]
    if not isinstance(texts, list):
        raise BadRequest(f"texts must be an array, got {_JSON_NAMES[type(texts)]}")
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise BadRequest(f"texts has {len(texts)} items: 1 to {MOST_TEXTS} are allowed")
    return [_text(text, f"texts[{place}]") for place, text in enumerate(texts)]


def _text(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise BadRequest(f"{name} must be a string, got {_JSON_NAMES[type(text)]}")
    if not text.strip():
        raise BadRequest(f"{name} must not be empty")
    if len(text) > LONGEST_TEXT:
        raise BadRequest(f"{name} has {len(text)} characters: at most {LONGEST_TEXT} are allowed")
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise BadRequest(f"{name} contains half of a surrogate pair at character {fault.start}") from fault
    # The model gets the text in NFKC, where one character may become 18.
    if (length := counted(text)) > LONGEST_TEXT:
        raise BadRequest(f"{name} has {length} characters in NFKC: at most {LONGEST_TEXT} are allowed")
    return text


_JSON_NAMES: Final = {
    type(None): "null",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}
