"""Calls of GitHub's or GitLab's API, with a token that is sent only to that API."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cdk_review.artifact import MOST_ARCHIVE_BYTES
from fargate_capacity.input_error import InputError

REDIRECTS = (301, 302, 303, 307, 308)
TIMEOUT_SECONDS = 60


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects lead to an object store, which must not get the token: they are followed explicitly."""

    def redirect_request(self, *_: Any) -> None:
        """Follows no redirect."""


class JsonApi:
    """A JSON API.

    Args:
        name: the API's name, for messages.
        root: the base URL of all calls.
        headers: headers of each call, including the token.
    """

    def __init__(self, *, name: str, root: str, headers: Mapping[str, str]) -> None:
        self._name = name
        self._root = root.rstrip("/")
        self._headers = {"User-Agent": "cdk-review", **headers}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str, **query: str | int) -> Any:
        """Returns the response's JSON."""
        return self.call("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def send(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        """Sends a call that changes something; returns the response's JSON."""
        return self.call(method, path, json.dumps(content).encode(), kind="application/json")

    def call(self, method: str, path: str, content: bytes | None = None, *, kind: str = "") -> Any:
        """Sends a call with any content; returns the response's JSON."""
        try:
            with self._open(method, path, content, kind) as answer:
                return json.load(answer)
        except (OSError, ValueError) as fault:
            raise InputError(f"{self._name}: {method} {path.partition('?')[0]}: {_said(fault)}") from None

    def archive(self, path: str) -> bytes:
        """Downloads a job's ZIP file, following the API's redirect."""
        try:
            with self._led_to(path) as answer:
                read: bytes = answer.read(MOST_ARCHIVE_BYTES + 1)
        except OSError as fault:
            raise InputError(f"{self._name}: GET {path}: {_said(fault)}") from None
        if len(read) > MOST_ARCHIVE_BYTES:
            raise InputError(f"artifact: more than {MOST_ARCHIVE_BYTES:,} bytes; nothing is posted")
        return read

    def _led_to(self, path: str) -> Any:
        try:
            return self._open("GET", path)
        except urllib.error.HTTPError as fault:
            address = fault.headers.get("Location", "") if fault.code in REDIRECTS else ""
            scheme, _, rest = self._root.partition("://")
            # Without TLS only to the API's own host.
            if not address.startswith(("https://", f"{scheme}://{rest.partition('/')[0]}/")):
                raise
        return self._opener.open(urllib.request.Request(address), timeout=TIMEOUT_SECONDS)

    def _open(self, method: str, path: str, content: bytes | None = None, kind: str = "") -> Any:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        request = urllib.request.Request(f"{self._root}{path}", data=content, method=method, headers=headers)
        return self._opener.open(request, timeout=TIMEOUT_SECONDS)


def _said(fault: Exception) -> str:
    """The message of an error response, or the reason why there is no response, in one line."""
    text = str(getattr(fault, "reason", fault))
    if isinstance(fault, urllib.error.HTTPError):
        with suppress(AttributeError, OSError, ValueError):
            text = str(json.loads(fault.read(10_000)).get("message") or text)
        # GitLab's messages begin with the status code.
        text = text if text.startswith(str(fault.code)) else f"{fault.code} {text}"
    return " ".join(text.split())[:160] or type(fault).__name__
