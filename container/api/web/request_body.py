"""Reads the body of a request."""

from __future__ import annotations

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wrappers import Request


def body_of(request: Request, *, largest: int) -> bytes:
    """Return the body; raise RequestEntityTooLarge beyond `largest` bytes, BadRequest if it cannot be read."""
    # If the Content-Length is too large, the body is refused without reading it.
    if (request.content_length or 0) > largest:
        raise RequestEntityTooLarge
    try:
        content = request.get_data(cache=False)
    except (ParseException, NoMoreData) as fault:
        raise BadRequest("the body's chunks are malformed") from fault
    if len(content) > largest:
        raise RequestEntityTooLarge
    return content
