"""Refuses requests that a web page makes a browser send, before anything else reads them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from cdk_rehearsal.local_requests import refusal

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

_POLICY_VIOLATION = 1008
"""RFC 6455, 7.4.1."""


class LoopbackDoor:
    """An ASGI middleware. A client that passes it can create a function, and so run any program."""

    def __init__(self, app: _App, *, from_docker: bool) -> None:
        self._app = app
        self._from_docker = from_docker

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        reason = refusal(headers, from_docker=self._from_docker) or _followed_link(scope, dict(headers))
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
        else:
            await _forbid(send, reason)


def _followed_link(scope: _Message, headers: dict[str, str]) -> str | None:
    """A link in an e-mail has no Origin either, and with the query protocol a GET request takes effect."""
    if "sec-fetch-site" in headers and "Action" in parse_qs(scope["query_string"].decode("latin-1")):
        return "browsers may not call an action here"
    return None


async def _forbid(send: _Send, reason: str) -> None:
    body = json.dumps({"message": reason}).encode()
    headers = [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", str(len(body)).encode()),
        # The rest of the request is not read.
        (b"Connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
