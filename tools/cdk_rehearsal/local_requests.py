"""Distinguishes requests of this machine's programs from those of a web page that is open in a browser.

A page of any site can make the browser send requests to loopback. The browser hides the responses from the page, but
the requests take effect. A site whose name is changed to resolve to 127.0.0.1 (DNS rebinding) also reads the responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Final

# Names that no public name server resolves. S3 clients prefix a bucket's name.
_LOOPBACK: Final = re.compile(r"(?:(?:[a-z0-9_-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_FROM_DOCKER: Final = re.compile(r"(?:[a-z0-9_-]+\.)*host\.docker\.internal(?::[0-9]{1,5})?")
_OF_THE_PAGE_OR_A_PERSON: Final = ("same-origin", "none")


def refusal(headers: Iterable[tuple[str, str]], *, from_docker: bool = False) -> str | None:
    """The reason to refuse a request with these headers, in one line; None if a program of this machine sent it.

    Args:
        headers: every name and value, names in any case, repeated headers included.
        from_docker: whether containers reach this machine as host.docker.internal.
    """
    lower = [(name.lower(), value.strip().lower()) for name, value in headers]
    hosts = [value for name, value in lower if name == "host"]
    if len(hosts) != 1:
        return f"the request has {len(hosts)} Host headers: it needs one"
    (host,) = hosts
    if not _LOOPBACK.fullmatch(host) and not (from_docker and _FROM_DOCKER.fullmatch(host)):
        return "the Host header names no address of loopback: use localhost or 127.0.0.1"
    origins = {value for name, value in lower if name == "origin"}
    if not origins <= {f"http://{host}"}:
        return "the Origin header names another server: web pages may not send requests here"
    # A browser sends Sec-Fetch-Site with each request, and often others of these.
    if any(name.startswith("sec-fetch-") for name, _ in lower):
        sites = [value for name, value in lower if name == "sec-fetch-site"]
        if not sites or not set(sites) <= set(_OF_THE_PAGE_OR_A_PERSON):
            return "the Sec-Fetch headers name another site: web pages may not send requests here"
    return None


class LocalRequestHandler(BaseHTTPRequestHandler):
    """Serves requests of this machine's programs; all others get 403."""

    def parse_request(self) -> bool:
        """Reads the request's head; returns False if the request was refused."""
        if not super().parse_request():
            return False
        reason = refusal(self.headers.items())
        if reason is None:
            return True
        self.close_connection = True
        self.send_error(HTTPStatus.FORBIDDEN, explain=reason)
        return False

    def log_message(self, format: str, *arguments: object) -> None:
        """Prints nothing: a path may contain a secret."""
