"""Distinguishes requests of this machine's own programs from those of a web page that is open meanwhile.

A page of any site can make the browser send requests to loopback. Its answers are hidden from the page, but what a
request does is done; and a site whose name comes to resolve to 127.0.0.1 is shown the answers too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Final

# Names that nobody's name server answers for. S3 clients put a bucket's name in front.
_LOOPBACK: Final = re.compile(r"(?:(?:[a-z0-9_-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_FROM_DOCKER: Final = re.compile(r"(?:[a-z0-9_-]+\.)*host\.docker\.internal(?::[0-9]{1,5})?")
_OF_THE_PAGE_OR_A_PERSON: Final = ("same-origin", "none")


def refusal(headers: Iterable[tuple[str, str]], *, from_docker: bool = False) -> str | None:
    """Why a request with these headers is refused, in one line; None where a program of this machine sends it.

    Args:
        headers: every name and value, in any case, repeated ones too.
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
    # A browser sends several of these, and Sec-Fetch-Site with each request.
    if any(name.startswith("sec-fetch-") for name, _ in lower):
        sites = [value for name, value in lower if name == "sec-fetch-site"]
        if not sites or not set(sites) <= set(_OF_THE_PAGE_OR_A_PERSON):
            return "the Sec-Fetch headers name another site: web pages may not send requests here"
    return None


class LocalRequestHandler(BaseHTTPRequestHandler):
    """Answers the requests of this machine's own programs; the others get 403."""

    def parse_request(self) -> bool:
        """Read the head; False where the request has been answered already."""
        if not super().parse_request():
            return False
        reason = refusal(self.headers.items())
        if reason is None:
            return True
        self.close_connection = True
        self.send_error(HTTPStatus.FORBIDDEN, explain=reason)
        return False

    def log_message(self, format: str, *arguments: object) -> None:
        """A path may be a secret: it is not to be printed."""
