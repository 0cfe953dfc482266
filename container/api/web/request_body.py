"""The body of a request, where it has one that can be read."""

from __future__ import annotations

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wrappers import Request


def body_of(request: Request, *, largest: int) -> bytes:
    """Return the body; raise RequestEntityTooLarge beyond `largest` bytes, BadRequest where it cannot be read."""
    # Of a body that says that it is too large, the rest is not even waited for.
    if (request.content_length or 0) > largest:
        raise RequestEntityTooLarge
    try:
        content = request.get_data(cache=False)
    except (ParseException, NoMoreData) as fault:
        raise BadRequest("the body's chunks are malformed") from fault
    if len(content) > largest:
        raise RequestEntityTooLarge
    return content
