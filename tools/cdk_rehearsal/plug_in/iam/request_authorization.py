"""Authorizes each HTTP request of a role before it is served."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from cdk_rehearsal.permissions import Principal
from cdk_rehearsal.permissions.api_request import ApiRequest, HttpRequest, UnknownOperation, read_request
from cdk_rehearsal.permissions.needs import Need, absent_object_need, needs
from cdk_rehearsal.plug_in.iam.embedded_pages import EmbeddedPages, page_response
from cdk_rehearsal.plug_in.iam.permissions import AccessDeniedError, Permissions
from cdk_rehearsal.plug_in.ministack_adapter import iam_actions, router

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

# ministack's names of services where they differ from botocore's.
_SERVICES = {"cloudwatch": "monitoring", "stepfunctions": "states", "sagemaker-runtime": "sagemaker"}
_ONCE_QUERY = ("cloudwatch", "sqs")
_OF_OBJECTS = ("GetObject", "HeadObject")


class RequestDoor:
    """An ASGI middleware around ministack's application.

    A request whose access key belongs to no role comes from the deploying user or the emulator: it passes.
    """

    def __init__(self, app: _App, *, permissions: Permissions) -> None:
        self._app = app
        self._permissions = permissions
        self._pages = EmbeddedPages(permissions)

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_embedded/"):
            page = self._pages.answer(scope["path"], scope["query_string"].decode())
            await _answer(send, page_response(page or (404, {})))
            return
        principal = self._principal(scope)
        if principal is None:
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        headers = _headers(scope)
        request = HttpRequest(
            method=scope["method"],
            path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
        )
        call = read_request(request)
        denied = self._judge(principal, request, call)
        if denied is not None:
            await _answer(send, denied)
        elif isinstance(call, ApiRequest) and call.service == "s3" and call.operation in _OF_OBJECTS:
            await self._app(scope, _again(body, receive), self._hiding_absence(principal, request, call, send))
        else:
            await self._app(scope, _again(body, receive), send)

    def _principal(self, scope: _Message) -> Principal | None:
        if scope["type"] != "http":
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return self._permissions.sessions.principal(router.extract_access_key_id(_headers(scope), query))

    def _hiding_absence(self, principal: Principal, request: HttpRequest, call: ApiRequest, send: _Send) -> _Send:
        """A caller without permission to list a bucket gets "access denied" for a missing object, not "not found"."""
        hidden: list[tuple[int, dict[str, str], bytes]] = []

        async def send_or_hide(message: _Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 404:
                asked = (absent_object_need(call.parameters, world=self._permissions.world),)
                if denied := self._denied(principal, request, call, asked):
                    hidden.append(denied)
                    await _answer(send, denied, with_body=request.method != "HEAD")
            if not hidden:
                await send(message)

        return send_or_hide

    def _judge(
        self, principal: Principal, request: HttpRequest, call: ApiRequest | UnknownOperation
    ) -> tuple[int, dict[str, str], bytes] | None:
        if not isinstance(call, ApiRequest):
            # AWS has no such call, so no policy could allow it.
            body = json.dumps({"__type": "UnknownOperationException", "message": call.reason}).encode()
            return 400, {"Content-Type": "application/x-amz-json-1.1"}, body
        asked = needs(call.service, call.operation, call.parameters, world=self._permissions.world)
        return self._denied(principal, request, call, asked)

    def _denied(
        self, principal: Principal, request: HttpRequest, call: ApiRequest, asked: tuple[Need, ...]
    ) -> tuple[int, dict[str, str], bytes] | None:
        try:
            self._permissions.require(principal, asked, operation=f"{call.service}:{call.operation}")
        except AccessDeniedError as error:
            status, headers, body = iam_actions.access_denied_response(
                _SERVICES.get(call.service, call.service),
                error.call.action,
                principal.arn,
                str(uuid.uuid4()),
                message=str(error),
                headers=dict(request.headers),
                resource_arn=error.call.resource,
                explicit_deny=error.verdict.explicit,
            )
            return _as_aws_answers(request, call.service, status, headers, body)
        return None


def _as_aws_answers(
    request: HttpRequest, service: str, status: int, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """ministack always answers 403, and uses other services' error code for CloudWatch."""
    if service in _ONCE_QUERY:
        # Services that formerly used the query protocol keep its error codes in JSON and CBOR:
        # https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
        return status, {**headers, "x-amzn-query-error": "AccessDenied;Sender"}, body
    if "x-amz-target" in request.headers:
        # "AccessDeniedException … HTTP Status Code: 400":
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
        return 400, headers, body
    return status, headers, body


def _headers(scope: _Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _read(receive: _Receive) -> bytes | None:
    """The whole body; None if the client has disconnected."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: _Receive) -> _Receive:
    given = False

    async def receive_again() -> _Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def _answer(send: _Send, answer: tuple[int, dict[str, str], bytes], *, with_body: bool = True) -> None:
    status, headers, body = answer
    sent = [(name.encode(), value.encode()) for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body if with_body else b""})
